"""A WordPress site whose REST interface comes and goes: each post is stored once, and none is lost."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.collect.collect import collect
from digest.collect.fetching.answers import Exchange, Fetched, FetchFailure, FetchRequest, Result
from digest.collect.fetching.health import fallback_text
from digest.collect.sources.ask import Terms
from digest.model.posts import FeedReport, FetchLimits, PostState
from digest.model.publication import Digest, Feed, SourceKind
from digest.storage.database import Database, open_database
from digest.storage.feeds import feed_rows
from digest.storage.posts import recent_posts
from digest.storage.tables import metadata
from tests.collect.test_never_lost import Item, Publisher

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
SITE = "https://harbour.example.org/"
FEED = Feed(name="Harbour", url=SITE, source=SourceKind.WORDPRESS)
DAILY = Digest(slug="daily", title="Daily", schedule="daily at 07:00", sender="News <news@example.org>")


@dataclass(slots=True)
class Site:
    """A site that serves one list of posts by REST and as a feed, page by page."""

    publisher: Publisher
    refusal: Result | None = None  # the answer of the REST interface, if it is not usable
    asked: list[str] = field(default_factory=list)

    def fetch(self, requests: Iterable[FetchRequest], _: FetchLimits) -> Iterator[Exchange]:
        for request in requests:
            self.asked.append(request.url)
            yield request, self._answer(request.url)

    def _answer(self, url: str) -> Result:
        query = parse_qs(urlsplit(url).query)
        items = self.publisher.items
        if "/wp-json/" in url:
            first = 20 * (int(query.get("page", ["1"])[0]) - 1)
            if self.refusal or (first and first >= len(items)):
                return self.refusal or FetchFailure(detail="No such page.", status=400)
            return Fetched(
                url=url, body=json.dumps([_json(each) for each in items[first : first + 20]]).encode()
            )
        if url.startswith(f"{SITE}feed/"):
            first = 10 * (int(query.get("paged", ["1"])[0]) - 1)
            shown = Publisher(chance=self.publisher.chance, items=items[first : first + 10])
            generator = b"<channel><generator>https://wordpress.org/</generator>"
            body = shown.document().replace(b"<channel>", generator, 1)
            return Fetched(url=url, body=body) if shown.items or not first else _status(404)
        return _status(404)


def _json(item: Item) -> dict[str, object]:
    terms = [[{"taxonomy": "category", "name": item.truth, "link": f"{SITE}category/{item.truth}/"}]]
    return {
        "date_gmt": item.at.strftime("%Y-%m-%dT%H:%M:%S"),
        "guid": {"rendered": item.guid},
        "link": item.link,
        "title": {"rendered": item.title},
        "excerpt": {"rendered": f"<p>{item.text}</p>"},
        "content": {"rendered": f"<p>{item.text}</p><p>And more.</p>", "protected": False},
        "_embedded": {"wp:term": terms},
    }


def _status(status: int) -> Result:
    return FetchFailure(detail="No.", status=status)


REFUSALS = (
    _status(401),
    _status(403),
    _status(404),
    Fetched(url=SITE, body=b"<!doctype html><html><title>Sign in</title></html>"),
    Fetched(url=SITE, body=b"<b>Warning</b>[{}]"),
    Fetched(url=SITE, body=b'{"code": "rest_disabled"}'),
)


def look(database: Database, site: Site, now: datetime) -> FeedReport:
    site.asked = []
    report = collect(
        database, [FEED], [DAILY], Terms(limits=FetchLimits(), now=now, fetch=site.fetch), force=True
    )
    (found,) = report.feeds
    return found


def states(database: Database) -> dict[str, PostState]:
    with database.read() as connection:
        rows = recent_posts(connection, 1000)
    found = {row.post.tags[0]: row.states[0][1] for row in rows}
    assert len(found) == len(rows), "stored twice"
    return {truth: PostState(state) for truth, state in found.items()}


@given(
    st.lists(
        st.tuples(
            st.integers(0, 14),
            st.sampled_from(["", "", "title", "text", "id", "link"]),
            st.sampled_from([None, *REFUSALS]),
        ),
        min_size=2,
        max_size=4,
    ),
    st.integers(0, 99),
)
@settings(deadline=None, max_examples=8)
def test_between_the_two_no_post_is_lost_and_none_is_stored_twice(
    days: list[tuple[int, str, Result | None]], seed: int
) -> None:
    database = open_database("sqlite://")
    with database.write() as connection:
        metadata.create_all(connection)
    site = Site(Publisher(chance=random.Random(seed)))
    below: set[str] = set()  # at the first look, a feed shows less than the interface
    for day, (new, change, refusal) in enumerate(days):
        now = NOW + 8 * HOUR * day
        first_look = not site.publisher.items
        publish(site, new, now)
        if change:
            site.publisher.change(change)
        site.refusal = refusal
        assert look(database, site, now).status in ("ok", "unchanged")
        found = states(database)
        there = {item.truth for item in site.publisher.items}
        below |= there - set(found) if first_look else set()
        assert there <= set(found) | below, "lost"
        assert PostState.DROPPED not in found.values()
    database.close()


def publish(site: Site, count: int, now: datetime) -> None:
    for number in reversed(range(count)):
        site.publisher.publish(now - timedelta(minutes=9 * number + 3))


def test_pages_are_read_until_a_known_post(sqlite: Database) -> None:
    site = Site(Publisher(chance=random.Random(1)))
    publish(site, 12, NOW)
    look(sqlite, site, NOW)
    publish(site, 29, NOW + 9 * HOUR)
    report = look(sqlite, site, NOW + 9 * HOUR)
    assert (report.new, report.detail) == (29, "")
    assert [parse_qs(urlsplit(url).query).get("page") for url in site.asked] == [None, ["2"]]


def test_if_the_interface_is_closed_the_feed_is_read_until_the_next_day(sqlite: Database) -> None:
    site = Site(Publisher(chance=random.Random(2)), refusal=_status(401))
    publish(site, 3, NOW)
    report = look(sqlite, site, NOW)
    assert [urlsplit(url).path for url in site.asked] == ["/wp-json/wp/v2/posts", "/", "/feed/"]
    assert report.new == 3
    assert "is read until tomorrow, because its REST interface" in report.detail
    assert "(401)" in report.detail
    look(sqlite, site, NOW + HOUR)
    assert site.asked == [f"{SITE}feed/"]
    with sqlite.read() as connection:
        (row,) = feed_rows(connection)
    assert fallback_text(row) in report.detail
    site.refusal = None
    report = look(sqlite, site, NOW + 24 * HOUR)
    assert [urlsplit(url).path for url in site.asked] == ["/wp-json/wp/v2/posts"]
    assert (report.new, report.updated, report.detail) == (0, 0, "")


@pytest.mark.parametrize("refusal", [_status(429), FetchFailure(detail="There was no answer.")])
def test_a_site_that_is_busy_is_asked_only_once(sqlite: Database, refusal: Result) -> None:
    site = Site(Publisher(chance=random.Random(3)), refusal=refusal)
    assert look(sqlite, site, NOW).status == "failed"
    assert len(site.asked) == 1


def test_validators_are_sent_only_to_the_feed(sqlite: Database) -> None:
    feed = Fetched(url=f"{SITE}feed/", body=Publisher(chance=random.Random(4)).document(), etag='"1"')
    seen: list[tuple[str, str | None]] = []

    def fetch(requests: Iterable[FetchRequest], _: FetchLimits) -> Iterator[Exchange]:
        for request in requests:
            seen.append((urlsplit(request.url).path, request.etag))
            yield request, feed if request.url == feed.url else _status(404)

    for day in (0, 1):
        now = NOW + 22 * HOUR * day
        collect(sqlite, [FEED], [DAILY], Terms(limits=FetchLimits(), now=now, fetch=fetch), force=True)
    assert seen == [(path, None) for path in ("/wp-json/wp/v2/posts", "/", "/feed/")] + [
        ("/wp-json/wp/v2/posts", None),
        ("/", None),
        ("/feed/", '"1"'),
    ]
