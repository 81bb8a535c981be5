"""A newsroom with feeds in files, so that its desk has drafts, waiting posts and editions that were sent."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from digest.model.run_context import RunContext
from digest.readers.subscribers import add_reader, requested
from digest.scheduler.run import run_due
from digest.storage.database import Database
from tests.scheduler.installation import at
from tests.web.staff.newsroom import Newsroom, open_newsroom

CONFIG = """
[site]
name = "Harbour Digest"
base_url = "https://digest.example.org"
postal_address = "1 Quay Street, Port Ellery"

[[feed]]
name = "Harbour Gazette"
path = "gazette.json"

[[feed]]
name = "Orchard Notes"
path = "orchard.json"

[[topic]]
slug = "green"
title = "Green"
feeds = ["Orchard Notes"]

[[digest]]
slug = "daily"
title = "Daily"
schedule = "every day at 07:00"
topics = ["green"]
from = "Harbour <daily@digest.example.org>"

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
    folder: Path
    items: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    def publish(self, *titles: str, feed: str = "gazette", published: str = "") -> None:
        """Add posts to a feed."""
        items = self.items.setdefault(feed, [])
        for title in titles:
            number = len(items) + 1
            item: dict[str, object] = {
                "id": f"{feed}-{number}",
                "url": f"https://{feed}.example.org/{number}",
                "title": title,
                "content_text": f"All there is to know about number {number} of {feed}.",
                "tags": ["harbour"],
            }
            if published:
                item["date_published"] = at(published).isoformat()
            items.insert(0, item)
        self.write(feed)

    def write(self, feed: str) -> None:
        """Write the document of a feed."""
        document = {
            "version": "https://jsonfeed.org/version/1.1",
            "title": feed.title(),
            "items": self.items.get(feed, []),
        }
        (self.folder / f"{feed}.json").write_text(json.dumps(document), encoding="utf-8")

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
    desk = Desk(newsroom=open_newsroom(database, folder, config), folder=folder)
    desk.newsroom.clock.now = at("22 20:00")
    desk.write("gazette")
    desk.write("orchard")
    return desk
