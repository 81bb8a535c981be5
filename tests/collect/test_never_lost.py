"""Whatever a publisher does to a feed between two looks, each post is stored once and stays what it is."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.collect.collect import collect
from digest.collect.fetching.answers import Exchange, Fetched, FetchRequest
from digest.collect.sources.ask import Terms
from digest.model.posts import GONE, FetchLimits, PostState
from digest.model.publication import Digest, Feed
from digest.storage.database import Database, open_database
from digest.storage.posts import recent_posts
from tests.databases import create_tables

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
FEED = Feed(name="Harbour", url="https://harbour.example.org/feed")
DAILY = Digest(slug="daily", title="Daily", schedule="daily at 07:00", sender="News <news@example.org>")
_WORDS = """harbour ferry council library orchard bridge market lantern festival museum garden island tram
    choir bakery school lighthouse cinema river station swimming theatre workshop captain gallery pier
    meadow bicycle printer honey violin beacon cargo chapel compass dolphin engine fountain granite herring
    journal kitchen ladder marble needle observatory parade quarry rainbow sailor timber umbrella valley
    windmill yacht anchor barrel cabbage daisy elm falcon glacier hammock ivory jetty kettle lemon mosaic"""
WORDS = _WORDS.split()
CHANGES = ("id", "link", "id and link", "title", "text", "date", "remove", "order", "a bad byte", "move all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An entry of the feed; `truth` says which post it is, and the publisher never changes that."""

    truth: str
    title: str
    text: str
    guid: str
    link: str
    at: datetime


@dataclass(slots=True, kw_only=True)
class Publisher:
    """A site with a feed, which does to it whatever it likes."""

    chance: random.Random
    shared: str = ""  # "id" or "link": all entries have the same
    items: list[Item] = field(default_factory=list)
    published: int = 0
    broken: bool = False

    def publish(self, at: datetime) -> None:
        number = self.published = self.published + 1
        title = " ".join(self.chance.sample(WORDS, 5)).capitalize()
        text = " ".join(self.chance.sample(WORDS, 12)).capitalize() + "."
        guid = "tag:all" if self.shared == "id" else "" if self.shared == "link" else f"tag:{number}"
        page = "https://harbour.example.org/news" + ("" if self.shared == "link" else f"/{number}")
        self.items.insert(
            0, Item(truth=f"truth-{number}", title=title, text=text, guid=guid, link=page, at=at)
        )

    def change(self, what: str) -> None:
        if not self.items:
            return
        place = self.chance.randrange(len(self.items))
        item, new = self.items[place], f"{self.chance.random()}"[2:]
        own_id, own_link = self.shared != "id" and bool(item.guid), self.shared != "link"
        match what:
            case "remove":
                self.items.remove(item)
            case "order":
                self.chance.shuffle(self.items)
            case "a bad byte":
                self.broken = True
            case "move all":
                self.items = [_moved(each, new) for each in self.items]
            case _:
                change: dict[str, dict[str, Any]] = {
                    "id": {"guid": new if own_id else item.guid},
                    "link": {"link": f"{item.link}-{new}" if own_link else item.link},
                    "id and link": {
                        "guid": new if own_id else item.guid,
                        "link": f"{item.link}-{new}" if own_link else item.link,
                    },
                    "title": {"title": f"{item.title} today"},
                    "text": {"text": f"{item.text} {self.chance.choice(WORDS).capitalize()} follows."},
                    "date": {"at": item.at + timedelta(minutes=1)},
                }
                self.items[place] = replace(item, **change[what])

    def document(self) -> bytes:
        """Return the feed, with one byte broken if that was to happen; the next document is whole again."""
        body = "".join(map(_xml, self.items))
        found = f"<rss version='2.0'><channel><title>Harbour</title>{body}</channel></rss>".encode()
        if self.broken:
            self.broken = False
            inside = [place for place in range(len(found)) if found[place : place + 7] == b"<title>"]
            at = self.chance.choice(inside) + 9
            found = found[:at] + b"\xff" + found[at + 1 :]
        return found


def _moved(item: Item, new: str) -> Item:
    link = item.link.replace("harbour.example.org", f"m{new}.example.org")
    return replace(item, guid=item.guid and f"{item.guid}-{new}", link=link)


def _xml(item: Item) -> str:
    guid = f"<guid isPermaLink='false'>{item.guid}</guid>" if item.guid else ""
    return (
        f"<item>{guid}<title>{escape(item.title)}</title><link>{item.link}</link>"
        f"<pubDate>{format_datetime(item.at)}</pubDate><category>{item.truth}</category>"
        f"<description>{item.text}</description></item>"
    )


def look(database: Database, publisher: Publisher, now: datetime) -> None:
    """Collect the feed as it is now."""

    def fetch(requests: Iterable[FetchRequest], _: FetchLimits) -> Iterator[Exchange]:
        for request in requests:
            yield request, Fetched(url=FEED.url, body=publisher.document())

    report = collect(database, [FEED], [DAILY], Terms(limits=FetchLimits(), now=now, fetch=fetch), force=True)
    assert {each.status for each in report.feeds} <= {"ok", "unchanged"}


def states(database: Database) -> dict[str, tuple[PostState, str]]:
    """Return the state of each stored post in the daily digest; the post is named by what it really is."""
    with database.read() as connection:
        rows = recent_posts(connection, 1000)
    names = [next(tag for tag in row.post.tags if tag.startswith("truth-")) for row in rows]
    assert [name for name, count in Counter(names).items() if count > 1] == [], "stored twice"
    return {name: row.states[0][1:] for name, row in zip(names, rows, strict=True)}


days = st.lists(
    st.tuples(st.integers(0, 4), st.lists(st.sampled_from(CHANGES), max_size=3)), min_size=1, max_size=6
)


@given(days, st.sampled_from(["", "", "id", "link"]), st.integers(0, 999))
@settings(deadline=None, max_examples=80)
def test_no_post_is_lost_and_none_is_stored_twice(
    days: list[tuple[int, list[str]]], shared: str, seed: int
) -> None:
    database = open_database("sqlite://")
    with database.write() as connection:
        create_tables(connection)
    live(database, days, Publisher(chance=random.Random(seed), shared=shared))
    database.close()


def test_a_month_of_changes_loses_and_repeats_nothing(database: Database) -> None:
    chance = random.Random(22)
    days = [(chance.randrange(4), chance.choices(CHANGES, k=chance.randrange(3))) for _ in range(30)]
    live(database, days, Publisher(chance=chance))


def live(database: Database, days: list[tuple[int, list[str]]], publisher: Publisher) -> None:
    """Let the publisher change its feed, look at it after each change, and check what is stored."""
    seen: set[str] = set()
    for day, (new, changes) in enumerate(days):
        now = NOW + 6 * HOUR * day
        for number in range(new):
            publisher.publish(now - timedelta(minutes=9 * number + 3))
        for change in changes:
            publisher.change(change)
        seen |= {item.truth for item in publisher.items}
        look(database, publisher, now)
        found = states(database)
        assert set(found) == seen, "lost"
        there = {item.truth for item in publisher.items}
        lost = {name for name, (state, _) in found.items() if name in there and state is PostState.DROPPED}
        assert lost == set(), "in the feed, and not going to be mailed"
        assert all(reason == GONE for state, reason in found.values() if state is PostState.DROPPED)


def test_of_a_hundred_retractions_seen_twice_none_is_mailed(database: Database) -> None:
    chance = random.Random(100)
    publisher = Publisher(chance=chance)
    for number in range(200):
        publisher.publish(NOW - timedelta(minutes=200 - number))
    look(database, publisher, NOW)
    retracted = set(chance.sample([item.truth for item in publisher.items[:-1]], 100))
    publisher.items = [item for item in publisher.items if item.truth not in retracted]
    look(database, publisher, NOW + HOUR)
    assert {state for state, _ in states(database).values()} == {PostState.WAITING}
    look(database, publisher, NOW + 2 * HOUR)
    found = states(database)
    assert {name for name, state in found.items() if state == (PostState.DROPPED, GONE)} == retracted
    assert {found[item.truth][0] for item in publisher.items} == {PostState.WAITING}


@pytest.mark.parametrize("undated", [False, True])
def test_a_retracted_post_that_reappears_waits_again(sqlite: Database, undated: bool) -> None:
    publisher = Publisher(chance=random.Random(1))
    for number in range(6):
        publisher.publish(datetime(1980, 1, 1, tzinfo=UTC) if undated else NOW - number * HOUR)
    if not undated:
        publisher.items.reverse()
    look(sqlite, publisher, NOW)
    item = publisher.items.pop(2)
    for hours in (1, 2):
        look(sqlite, publisher, NOW + hours * HOUR)
    assert states(sqlite)[item.truth] == (PostState.DROPPED, GONE)
    publisher.items.insert(2, item)
    look(sqlite, publisher, NOW + 3 * HOUR)
    assert states(sqlite)[item.truth] == (PostState.WAITING, "")


def test_posts_that_leave_a_short_feed_at_its_end_are_not_gone(sqlite: Database) -> None:
    publisher = Publisher(chance=random.Random(2))
    for day in range(8):
        for number in range(2):
            publisher.publish(NOW + day * HOUR - timedelta(minutes=9 - number))
        publisher.items = publisher.items[:6]
        look(sqlite, publisher, NOW + day * HOUR)
    assert Counter(state for state, _ in states(sqlite).values()) == {PostState.WAITING: 16}


def test_an_old_post_that_is_kept_at_the_top_makes_no_other_post_gone(sqlite: Database) -> None:
    publisher = Publisher(chance=random.Random(3))
    publisher.publish(NOW - timedelta(days=2))
    (pinned,) = publisher.items
    for day in range(8):
        publisher.items = [item for item in publisher.items if item.truth != pinned.truth]
        for number in range(2):
            publisher.publish(NOW + day * HOUR - timedelta(minutes=9 - number))
        publisher.items = [pinned, *publisher.items[:5]]
        look(sqlite, publisher, NOW + day * HOUR)
    assert GONE not in {reason for _, reason in states(sqlite).values()}
