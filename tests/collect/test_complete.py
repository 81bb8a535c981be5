from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from digest.collect.collect import collect
from digest.collect.complete import OF_ONE_HOST, PAGES
from digest.collect.fetching.answers import Exchange, Fetched, FetchFailure, FetchRequest
from digest.collect.fetching.fetch import fetch_all
from digest.collect.sources.ask import Fetch, Terms
from digest.model.posts import CollectReport, FetchLimits, Post
from digest.model.publication import Digest, Feed
from digest.storage.database import Database
from digest.storage.posts import waiting_posts
from tests.collect.servers import Answer, Site, serving

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIMITS = FetchLimits(allow_hosts=frozenset(["127.0.0.1"]), timeout=10)
DAILY = Digest(slug="daily", title="Daily", schedule="daily at 07:00", sender="News <news@example.org>")
PAGE = """<html><head><meta property="og:title" content="The old pier number {0} | Harbour">
<meta property="og:description"
    content="The pier has opened after two years of work. It is longer than before.">
<meta property="article:published_time" content="2026-11-21T08:00Z">
<meta property="og:image" content="https://files.example.org/pier-{0}.jpg">
<meta property="og:image:width" content="1200"><meta property="og:image:height" content="800">"""


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


def feed(*links: str) -> bytes:
    items = "".join(
        f"<item><guid>{n}</guid><title>The old pier number {n}</title><link>{link}</link>"
        f"<pubDate>Sat, 21 Nov 2026 08:00:{n:02} GMT</pubDate>"
        "<description>The pier has opened after two years of […]</description></item>"
        for n, link in enumerate(links)
    )
    return f"<rss version='2.0'><channel>{items}</channel></rss>".encode()


def page(number: int) -> Answer:
    return Answer(body=PAGE.format(number).encode(), headers={"content-type": "text/html; charset=utf-8"})


def run(database: Database, source: Feed, hours: int = 0, fetch: Fetch = fetch_all) -> CollectReport:
    terms = Terms(limits=LIMITS, now=NOW + hours * HOUR, fetch=fetch)
    return collect(database, [source], [DAILY], terms, force=True)


def waiting(database: Database) -> dict[str, Post]:
    with database.read() as connection:
        return {each.post.title: each.post for each in waiting_posts(connection, "daily")}


def test_an_automatic_excerpt_is_completed_from_the_page_and_each_page_is_fetched_once(
    database: Database, site: Site
) -> None:
    site.put("/0", page(0))
    pier = Feed(name="Pier", url=site.put("/feed", Answer(body=feed(site.url("/0")))), complete=True)
    assert run(database, pier).new == 1
    for hours in (1, 2):
        (post,) = waiting(database).values()
        assert post.blurb == "The pier has opened after two years of work. It is longer than before."
        assert post.image is not None
        assert (post.image.url, post.image.width) == ("https://files.example.org/pier-0.jpg", 1200)
        (report,) = run(database, pier, hours).feeds
        assert (report.new, report.updated) == (0, 0)
    assert [path for path, _ in site.asked] == ["/feed", "/0", "/feed", "/feed"]
    assert site.asked[1][1]["accept"].startswith("text/html")


def test_without_the_setting_no_page_is_fetched(sqlite: Database, site: Site) -> None:
    run(sqlite, Feed(name="Pier", url=site.put("/feed", Answer(body=feed(site.url("/0"))))))
    assert [path for path, _ in site.asked] == ["/feed"]


def test_a_page_that_fails_or_is_about_something_else_is_harmless(sqlite: Database, site: Site) -> None:
    consent = PAGE.format(1).replace("The old pier number 1", "Your privacy matters")
    site.put("/1", Answer(body=consent.encode()))
    site.put("/2", Answer(body=b"%PDF-1.4 \x00\xff"))
    site.put("/3", Answer(body=b"<html>" + b" " * 2_100_000))
    site.redirect("/4", "http://localhost:1/inside")
    links = [site.url(f"/{n}") for n in range(5)]
    pier = Feed(name="Pier", url=site.put("/feed", Answer(body=feed(*links))), complete=True)
    states = [run(sqlite, pier, hours).feeds[0].status for hours in range(3)]
    assert states == ["ok", "unchanged", "unchanged"]
    assert len(waiting(sqlite)) == 5
    assert {post.image for post in waiting(sqlite).values()} == {None}
    assert sorted(path for path, _ in site.asked if path != "/feed") == [f"/{n}" for n in range(5)]


def test_pages_are_fetched_one_after_the_other_from_each_host_and_few_at_a_time(sqlite: Database) -> None:
    links = [f"https://host{n % 3}.example.org/{n}" for n in range(30)]
    links += [f"https://other{n}.example.org/" for n in range(15)]
    rounds: list[list[str]] = []

    def fetch(requests: Iterable[FetchRequest], limits: FetchLimits) -> Iterator[Exchange]:
        asked = list(requests)
        if not asked[0].page:
            yield asked[0], Fetched(url=asked[0].url, body=feed(*links))
            return
        rounds.append([urlsplit(request.url).netloc for request in asked])
        assert limits.timeout <= 10
        for request in asked:
            yield request, FetchFailure(detail="No.")

    pier = Feed(name="Pier", url="https://pier.example.org/feed", complete=True)
    run(sqlite, pier, fetch=fetch)
    assert all(len(hosts) == len(set(hosts)) for hosts in rounds)
    assert (len(rounds), sum(map(len, rounds))) == (OF_ONE_HOST - 2, PAGES)
    before = sum(map(len, rounds))
    for hours in range(1, 6):
        run(sqlite, pier, hours, fetch=fetch)
    assert sum(map(len, rounds)) == len(links) > before
