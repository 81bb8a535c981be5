"""A newsroom with feeds in files, so that its desk has drafts, waiting posts and editions that were sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from digest.model.run_context import RunContext
from digest.readers.subscribers import add_reader, requested
from digest.scheduler.run import run_due
from digest.storage.database import Database
from tests.scheduler.installation import CONFIG as PUBLICATION
from tests.scheduler.installation import Feeds, at
from tests.web.staff.newsroom import Newsroom, open_newsroom

CONFIG = f"""{PUBLICATION}
[[digest]]
slug = "weekend"
title = "Weekend"
schedule = "saturdays at 09:00"
review = "skip"
topics = ["green"]
from = "Harbour <weekend@digest.example.org>"
"""


@dataclass(slots=True)
class Desk:
    """The desk of a small publication, and what happens to its feeds from day to day."""

    newsroom: Newsroom
    feeds: Feeds

    def publish(self, *titles: str, feed: str = "gazette", published: str = "") -> None:
        """Add posts to a feed."""
        self.feeds.publish(*titles, feed=feed, published=published)

    def subscribe(self, *names: str, digest: str = "daily") -> None:
        """Add readers `name@example.org`."""
        for name in names:
            requests = [requested(digest, topics="", hour="", zone="")]
            add_reader(
                self.newsroom.app, f"{name}@example.org", requests, source="test", now=self.newsroom.clock()
            )

    def run(self, now: str) -> datetime:
        """Set the clock, and do what is due at that time."""
        self.newsroom.clock.now = at(now)
        run_due(self.newsroom.app, RunContext(clock=self.newsroom.clock))
        return self.newsroom.clock.now


def open_desk(database: Database, folder: Path, config: str = CONFIG) -> Desk:
    """Return a desk on a database with tables, at eight in the evening of Sunday the 22nd of November."""
    desk = Desk(newsroom=open_newsroom(database, folder, config), feeds=Feeds(folder))
    desk.newsroom.clock.now = at("22 20:00")
    return desk
