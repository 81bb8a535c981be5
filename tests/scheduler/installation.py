"""A small publication in a folder: its feeds and emails are files, and its days can be replayed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from digest.app import App, open_app
from digest.config import load
from digest.model.run_context import RunContext, RunEvent
from digest.readers.subscribers import add_reader, requested
from digest.scheduler.run import run_due
from tests.databases import copy_sqlite
from tests.scheduler.by_nodes import ENGINE, run_by_nodes

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
"""


def place_of(kind: str, folder: Path, request: pytest.FixtureRequest) -> Place:
    """Return a publication whose work is done "here", in one process on SQLite, or by "nodes"."""
    if kind == "here":
        return Place(folder)
    place = Place(folder, {"DIGEST_DATABASE_URL": str(request.getfixturevalue("postgresql_url"))})
    place.change('\n[[feed]]\nname = "Harbour Gazette"', f'{ENGINE}\n[[feed]]\nname = "Harbour Gazette"')
    return place


def at(text: str) -> datetime:
    """Return a time in UTC; "23 07:00" is in November 2026."""
    if len(text) == len("23 07:00"):
        text = f"2026-11-{text}"
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(slots=True)
class Feeds:
    """The documents of the feeds in a folder."""

    folder: Path
    items: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("gazette", "orchard"):
            self.items[name] = []
            self.write(name)

    def publish(self, *titles: str, feed: str = "gazette", published: str = "") -> None:
        """Add posts to a feed, with the date `published` if there is one."""
        for title in titles:
            number = len(self.items[feed]) + 1
            item: dict[str, object] = {
                "id": f"{feed}-{number}",
                "url": f"https://{feed}.example.org/{number}",
                "title": title,
                "content_text": f"All there is to know about number {number} of {feed}.",
                "tags": ["harbour"],
            }
            if published:
                item["date_published"] = at(published).isoformat()
            self.items[feed].insert(0, item)
        self.write(feed)

    def write(self, feed: str) -> None:
        """Write the document of a feed."""
        document = {
            "version": "https://jsonfeed.org/version/1.1",
            "title": feed.title(),
            "items": self.items[feed],
        }
        (self.folder / f"{feed}.json").write_text(json.dumps(document), encoding="utf-8")


@dataclass(slots=True)
class Place:
    """The folder of a publication, with the actions that tests need."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    _feeds: Feeds = field(init=False)

    def __post_init__(self) -> None:
        self.configure(CONFIG)
        copy_sqlite(self.folder / "data/digest.db")
        self._feeds = Feeds(self.folder)

    @property
    def config_path(self) -> Path:
        return self.folder / "config.toml"

    def configure(self, text: str) -> None:
        self.config_path.write_text(text, encoding="utf-8")

    def change(self, old: str, new: str) -> None:
        text = self.config_path.read_text(encoding="utf-8")
        assert old in text
        self.configure(text.replace(old, new))

    def publish(self, *titles: str, feed: str = "gazette", published: str = "") -> None:
        """Add posts to a feed, with the date `published` if there is one."""
        self._feeds.publish(*titles, feed=feed, published=published)

    @contextmanager
    def app(self) -> Iterator[App]:
        """Open the publication as a command would."""
        with open_app(load(self.config_path, self.environ)) as app:
            yield app

    def subscribe(self, *names: str, topics: str = "", digest: str = "daily", now: str = "22 12:00") -> None:
        """Add readers `name@example.org`."""
        with self.app() as app:
            for name in names:
                requests = [requested(digest, topics=topics, hour="", zone="")]
                add_reader(app, f"{name}@example.org", requests, source="test", now=at(now))

    def run(self, now: str) -> list[str]:
        """Do what is due at this time, and return the events as text."""
        events: list[RunEvent] = []
        with self.app() as app:
            run = run_by_nodes if app.config.has_engine else run_due
            run(app, RunContext(clock=lambda: at(now), report=events.append))
        return [str(each) for each in events]

    def emails(self) -> dict[str, str]:
        """Return the text of each email by its reader, and delete the emails."""
        found: dict[str, str] = {}
        for path in sorted((self.folder / "data/mail").glob("*.eml")):
            message = message_from_bytes(path.read_bytes(), policy=default)
            body = message.get_body(("plain",))
            assert body is not None
            reader = str(message["To"]).partition("@")[0]
            assert reader not in found, f"{reader} got two emails"
            found[reader] = str(body.get_content())
            path.unlink()
        return found
