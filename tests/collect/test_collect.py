from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from digest.collect.collect import collect
from digest.collect.fetching.answers import Exchange, Fetched, FetchRequest
from digest.collect.fetching.fetch import fetch_all
from digest.collect.sources.ask import Terms
from digest.model.posts import CollectReport, FeedReport, FetchLimits, PostState, WaitingPost
from digest.model.publication import Digest, Feed
from digest.storage.database import Database
from digest.storage.feeds import feed_rows
from digest.storage.posts import recent_posts, set_posts, waiting_posts
from tests.collect.servers import CHUNK, FEED, Answer, Site, bomb, serving

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIMITS = FetchLimits(allow_hosts=frozenset(["127.0.0.1"]), timeout=10, max_bytes=2_000_000)
TERMS = Terms(limits=LIMITS, now=NOW)
DAILY = Digest(slug="daily", title="Daily", schedule="daily at 07:00", sender="News <news@example.org>")
WEEKEND = replace(DAILY, slug="weekend", title="Weekend", feeds=("Quay",))
JSON_FEED = "https://jsonfeed.org/version/1.1"
FEEDS = Path(__file__).parent / "feeds"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


def test_new_posts_wait_in_every_digest_with_the_feed(database: Database, site: Site) -> None:
    feeds = [feed(site, "Harbour", "harbour.rss"), feed(site, "Quay", "quay.atom", tags=("Sea",))]
    report = run(database, feeds, [DAILY, WEEKEND])
    assert report.new == 4
    assert report.feeds == (
        FeedReport(feed="Harbour", status="ok", new=3, skipped=1, next_fetch_at=NOW + timedelta(minutes=59)),
        FeedReport(feed="Quay", status="ok", new=1, next_fetch_at=NOW + timedelta(minutes=59)),
    )
    assert len(waiting(database, "daily")) == 4
    (post,) = waiting(database, "weekend")
    assert (post.feed_name, post.post.tags, post.post.first_seen_at) == ("Quay", ("Vögel", "Sea"), NOW)


def test_a_second_run_finds_nothing_new(database: Database, site: Site) -> None:
    feeds = [feed(site, "Harbour", "harbour.rss"), feed(site, "Notes", "notes.json")]
    run(database, feeds)
    report = run(database, feeds, now=NOW + HOUR)
    assert [(one.status, one.new, one.updated) for one in report.feeds] == [("unchanged", 0, 0)] * 2
    assert {post.post.first_seen_at for post in waiting(database)} == {NOW}


def test_an_unchanged_feed_is_not_sent_again(database: Database, site: Site) -> None:
    url = site.put("/feed", Answer(headers={"etag": '"1"'}))
    run(database, [Feed(name="Tide", url=url)])
    assert run(database, [Feed(name="Tide", url=url)], now=NOW + HOUR).feeds[0].status == "unchanged"


def test_a_changed_feed_adds_new_posts_and_updates_edited_ones(database: Database, site: Site) -> None:
    tide = [Feed(name="Tide", url=site.put("/feed", Answer()))]
    run(database, tide)
    fresh = b"<item><guid>2</guid><title>Fog</title><pubDate>Sun, 22 Nov 2026 07:30:00 GMT</pubDate></item>"
    body = FEED.replace(b"turns", b"turns late").replace(b"<item>", fresh + b"<item>")
    site.put("/feed", Answer(body=body))
    (report,) = run(database, tide, now=NOW + HOUR).feeds
    assert (report.new, report.updated) == (1, 1)
    seen = [(post.post.title, post.post.first_seen_at) for post in waiting(database)]
    assert seen == [("The tide turns late", NOW), ("Fog", NOW + HOUR)]


def test_a_feed_that_changes_all_its_ids_has_no_new_posts(database: Database, site: Site) -> None:
    def body(prefix: str) -> bytes:
        items = "".join(
            f"<item><guid isPermaLink='false'>{prefix}{n}</guid><title>Tide {n}</title>"
            f"<link>https://tide.example.org/{n}</link></item>"
            for n in range(8)
        )
        return f"<rss version='2.0'><channel>{items}</channel></rss>".encode()

    tide = [Feed(name="Tide", url=site.put("/feed", Answer(body=body("old-"))))]
    run(database, tide)
    site.put("/feed", Answer(body=body("new-")))
    for hours in (1, 2):
        assert run(database, tide, now=NOW + hours * HOUR).new == 0
    assert len(waiting(database)) == 8


def test_every_hostile_feed_fails_alone_and_the_others_succeed(
    database: Database, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    hostile = hostile_feeds(site)
    good = [
        feed(site, "Harbour", "harbour.rss"),
        feed(site, "Quay", "quay.atom"),
        feed(site, "Notes", "notes.json"),
    ]
    report = run(database, [good[0], *hostile, *good[1:]], limits=replace(LIMITS, timeout=3))
    by_name = {one.feed: one for one in report.feeds}
    assert [by_name[one.name].new for one in good] == [3, 1, 2]
    for one in hostile:
        failed = by_name[one.name]
        assert (failed.status, failed.new) == ("gone" if one.name == "410" else "failed", 0), one.name
        assert failed.detail.endswith("."), one.name
        assert failed.next_fetch_at is not None
        assert failed.next_fetch_at > NOW
    assert "secret" not in caplog.text
    with database.read() as connection:
        rows = {row.name: row for row in feed_rows(connection)}
    assert all(rows[one.name].failures == 1 and "secret" not in rows[one.name].detail for one in hostile)


def hostile_feeds(site: Site) -> list[Feed]:
    endless = Answer(body=CHUNK, endless=300_000_000 // len(CHUNK))
    answers = {
        **{str(status): Answer(status=status) for status in (400, 401, 403, 404, 410, 429, 500, 503)},
        "silent": Answer(silent=True),
        "dripping": Answer(dripping=True),
        "300 MB": endless,
        "bomb": Answer(body=bomb(100), headers={"content-encoding": "gzip"}),
        "page": Answer(body=(FEEDS / "page.html").read_bytes()),
        "loop": Answer(status=302, body=b"", headers={"location": "/loop"}),
        "empty": Answer(body=b""),
        "bad xml": Answer(body=b"<rss version='2.0'><channel><title>x"),
        "no json": Answer(body=b'{"version": "https://jsonfeed.org/version/1"'),
        "file": Answer(status=301, body=b"", headers={"location": "file:///etc/passwd"}),
    }
    urls = {name: site.put(f"/{name.replace(' ', '-')}", answer) for name, answer in answers.items()}
    urls["private"] = site.url("/nothing").replace("://", "://ada:secret@")
    urls["inside"] = "http://localhost:1/feed"
    return [Feed(name=name, url=url) for name, url in urls.items()]


def test_a_failing_feed_rests_unless_it_is_forced(database: Database, site: Site) -> None:
    broken = [Feed(name="Tide", url=site.put("/feed", Answer(status=500)))]
    run(database, broken)
    (report,) = run(database, broken, now=NOW + timedelta(minutes=14)).feeds
    assert (report.status, report.next_fetch_at) == ("waiting", NOW + timedelta(minutes=15))
    assert "(500)" in report.detail
    assert len(site.asked) == 1
    (report,) = run(database, broken, now=NOW + timedelta(minutes=14), force=True).feeds
    assert (report.status, len(site.asked)) == ("failed", 2)


def test_a_shared_id_never_makes_an_old_post_new(database: Database, site: Site) -> None:
    def body(*numbers: int) -> bytes:
        items = "".join(
            f"<item><guid>1</guid><title>Tide {n}</title><link>https://tide.example.org/{n}</link></item>"
            for n in numbers
        )
        return f"<rss version='2.0'><channel>{items}</channel></rss>".encode()

    tide = [Feed(name="Tide", url=site.put("/feed", Answer(body=body(1))))]
    run(database, tide)
    for numbers in ((2, 1), (3, 2, 1)):
        site.put("/feed", Answer(body=body(*numbers)))
        assert run(database, tide, force=True).new == 1
    assert sorted(post.post.title for post in waiting(database)) == ["Tide 1", "Tide 2", "Tide 3"]


def test_a_feed_recovers(database: Database, site: Site) -> None:
    tide = [Feed(name="Tide", url=site.put("/feed", Answer(status=500)))]
    run(database, tide)
    site.put("/feed", Answer())
    (report,) = run(database, tide, now=NOW + HOUR).feeds
    assert (report.status, report.new, report.detail) == ("ok", 1, "")


def test_a_permanent_move_is_saved_when_it_has_lasted_and_forgotten_when_the_old_address_works_again(
    database: Database, site: Site
) -> None:
    site.put("/new", Answer())
    tide = [Feed(name="Tide", url=site.redirect("/old", "/new", 301))]
    details = [run(database, tide, now=NOW + hours * HOUR).feeds[0].detail for hours in (0, 12, 24, 36)]
    assert [bool(detail) for detail in details] == [False, False, True, False]
    assert details[2].startswith("The feed has moved permanently to 127.0.0.1")
    site.put("/new", Answer(body=b"<html>This domain is for sale"))
    site.put("/old", Answer(body=FEED + b" "))
    (parked,) = run(database, tide, now=NOW + 48 * HOUR).feeds
    (back,) = run(database, tide, now=NOW + 49 * HOUR).feeds
    assert (parked.status, back.status) == ("failed", "ok")
    assert "at its own address again" in back.detail
    run(database, tide, now=NOW + 60 * HOUR)
    paths = [path for path, _ in site.asked]
    assert paths == [*["/old", "/new"] * 3, "/new", "/new", "/old", "/old"]


def test_the_schedule_of_the_publisher_is_respected_but_each_cutoff_has_its_look(
    database: Database, site: Site
) -> None:
    headers = {"cache-control": "max-age=86400", "etag": '"1"'}
    tide = [Feed(name="Tide", url=site.put("/feed", Answer(headers=headers)))]
    report = run(database, tide).feeds[0]
    cutoff = NOW.replace(hour=6, minute=30) + timedelta(days=1)
    assert report.next_fetch_at is not None
    assert timedelta(minutes=3) <= cutoff - report.next_fetch_at <= timedelta(minutes=13)
    assert "not due yet: it is fetched every day, as its server wishes" in (
        run(database, tide, now=NOW + 22 * HOUR).feeds[0].detail
    )
    assert len(site.asked) == 1


def test_the_validators_of_a_304_are_used_and_once_a_day_a_whole_document_is_asked_for(
    database: Database, site: Site
) -> None:
    tide = [Feed(name="Tide", url=site.put("/feed", Answer(headers={"etag": '"1"'})))]
    for hours in (0, 12, 24, 36):
        (report,) = run(database, tide, now=NOW + hours * HOUR).feeds
    sent = [headers.get("if-none-match") for _, headers in site.asked]
    assert sent == [None, '"1"', None, '"1"']
    assert (report.status, report.new) == ("unchanged", 0)


def test_the_same_bytes_are_not_read_again_until_a_post_is_missed(
    sqlite: Database, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    harbour = [feed(site, "Harbour", "harbour.rss")]
    for hours in (0, 1, 2):
        run(sqlite, harbour, now=NOW + hours * HOUR)
    assert caplog.text.count("has no title, no text") == 1
    site.put("/feed", Answer(body=notes(3, 2, 1)))
    tide = [Feed(name="Tide", url=site.url("/feed"))]
    run(sqlite, tide)
    site.put("/feed", Answer(body=notes(3, 1)))
    (report,) = run(sqlite, tide, now=NOW + HOUR).feeds
    assert report.next_fetch_at == NOW + HOUR + timedelta(minutes=4)
    run(sqlite, tide, now=NOW + 2 * HOUR)
    assert "Note 2" not in {post.post.title for post in waiting(sqlite)}


def test_a_move_to_a_web_page_is_not_kept(database: Database, site: Site) -> None:
    site.put("/sorry", Answer(body=b"<html>Sorry"))
    tide = [Feed(name="Tide", url=site.redirect("/old", "/sorry", 301))]
    for hours in (0, 1):
        run(database, tide, now=NOW + hours * HOUR)
    assert [path for path, _ in site.asked] == ["/old", "/sorry"] * 2


def test_a_digest_added_later_begins_with_the_last_days(database: Database, site: Site) -> None:
    tide = [Feed(name="Tide", url=site.put("/feed", Answer()))]
    run(database, tide)
    run(database, tide, [DAILY, replace(DAILY, slug="late")], now=NOW + timedelta(days=2))
    assert len(waiting(database, "late")) == 1


def test_a_used_post_stays_used(database: Database, site: Site) -> None:
    tide = [Feed(name="Tide", url=site.put("/feed", Answer()))]
    run(database, tide)
    (post,) = waiting(database)
    with database.write() as connection:
        set_posts(connection, "daily", {post.post.id: (PostState.USED, "")}, None, NOW)
    run(database, tide, now=NOW + HOUR)
    assert waiting(database) == ()


def test_a_feed_removed_from_the_configuration_is_not_fetched(database: Database, site: Site) -> None:
    run(database, [Feed(name="Tide", url=site.put("/feed", Answer()))])
    assert run(database, [], now=NOW + HOUR) == CollectReport(feeds=())
    assert len(site.asked) == 1


def test_feeds_are_reported_as_they_finish(sqlite: Database, site: Site) -> None:
    seen: list[str] = []
    tide = Feed(name="Tide", url=site.put("/feed", Answer()))
    collect(sqlite, [tide], [DAILY], TERMS, report=lambda report: seen.append(report.feed))
    assert seen == ["Tide"]


def test_after_a_stop_feeds_without_an_answer_stay_as_they_are(sqlite: Database, site: Site) -> None:
    feeds = [
        Feed(name="Tide", url=site.put("/tide", Answer())),
        Feed(name="Silence", url=site.put("/silence", Answer(silent=True))),
    ]
    reported: list[FeedReport] = []
    report = collect(
        sqlite,
        feeds,
        [DAILY],
        Terms(limits=LIMITS, now=NOW, fetch=partial(fetch_all, stop=lambda: bool(reported))),
        report=reported.append,
    )
    assert [each.feed for each in report.feeds] == ["Tide"]
    assert report.new == 1
    with sqlite.read() as connection:
        silent = next(row for row in feed_rows(connection) if row.name == "Silence")
    assert (silent.failures, silent.next_fetch_at) == (0, NOW)


def test_an_error_in_reading_one_feed_is_that_feeds_failure(
    sqlite: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def fetch(requests: Iterable[FetchRequest], limits: FetchLimits) -> Iterator[Exchange]:
        bad, good = requests
        yield bad, Fetched(url="https://ada:secret@tide.example.org/", body=FEED, content_type=None)  # type: ignore[arg-type]  # a bug
        yield good, Fetched(url="https://quay.example.org/", body=FEED)

    feeds = [Feed(name=name, url=f"https://{name}.example.org/") for name in ("tide", "quay")]
    bad, good = collect(sqlite, feeds, [DAILY], replace(TERMS, fetch=fetch)).feeds
    assert (bad.status, good.status, good.new) == ("failed", "ok", 1)
    assert "the log says where" in bad.detail
    assert "Traceback" not in bad.detail
    assert "TypeError" in caplog.text
    assert "secret" not in caplog.text


def test_skipped_entries_are_in_the_log(
    sqlite: Database, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run(sqlite, [feed(site, "Harbour", "harbour.rss")])
    assert "feed Harbour: entry 4 has no title, no text" in caplog.text


def test_a_feed_is_read_from_a_file(sqlite: Database) -> None:
    quay = [Feed(name="Quay", url=(FEEDS / "quay.atom").as_uri())]
    assert run(sqlite, quay).new == 1
    assert run(sqlite, quay, now=NOW + HOUR).feeds[0].status == "unchanged"


def test_a_document_is_read_again_if_more_of_it_may_be_read(sqlite: Database, site: Site) -> None:
    url = site.put("/quay", Answer(body=(FEEDS / "quay.atom").read_bytes(), headers={}))
    quay = [Feed(name="Quay", url=url)]
    first = run(sqlite, quay, limits=replace(LIMITS, max_posts=1)).feeds[0]
    more = run(sqlite, quay, now=NOW + HOUR, force=True).feeds[0]
    assert (first.status, more.status) == ("ok", "ok")


def test_posts_can_be_listed_with_their_feed(sqlite: Database, site: Site) -> None:
    run(sqlite, [feed(site, "Quay", "quay.atom")])
    with sqlite.read() as connection:
        (row,) = recent_posts(connection, 10)
    assert (row.feed_name, row.post.title, row.states) == (
        "Quay",
        "Möwen & Meer",
        (("daily", PostState.WAITING, ""),),
    )


def feed(site: Site, name: str, file: str, tags: tuple[str, ...] = ()) -> Feed:
    url = site.put(f"/{file}", Answer(body=(FEEDS / file).read_bytes()))
    return Feed(name=name, url=url, tags=tags)


def run(
    database: Database,
    feeds: list[Feed],
    digests: list[Digest] | None = None,
    *,
    now: datetime = NOW,
    limits: FetchLimits = LIMITS,
    force: bool = False,
) -> CollectReport:
    return collect(database, feeds, digests or [DAILY], Terms(limits=limits, now=now), force=force)


def waiting(database: Database, digest: str = "daily") -> tuple[WaitingPost, ...]:
    with database.read() as connection:
        return waiting_posts(connection, digest)


def test_after_a_post_is_missed_once_the_feed_is_fetched_without_validators(
    database: Database, site: Site
) -> None:
    tide = [Feed(name="Tide", url=site.put("/feed", Answer(body=notes(3, 2, 1), headers={"etag": '"1"'})))]
    run(database, tide)
    site.put("/feed", Answer(body=notes(3, 1), headers={"etag": '"2"'}))
    for hours in (1, 2, 3):
        run(database, tide, now=NOW + hours * HOUR)
    assert ["if-none-match" in headers for _, headers in site.asked] == [False, True, False, False]
    assert sorted(post.post.title for post in waiting(database)) == ["Note 1", "Note 3"]
    site.put("/feed", Answer(body=notes(3, 2, 1), headers={"etag": '"3"'}))
    run(database, tide, now=NOW + 4 * HOUR)
    assert len(waiting(database)) == 3


def test_older_posts_are_reported_at_the_first_look(database: Database, site: Site) -> None:
    body = notes(2, 1).replace(b"Sun, 22 Nov 2026 06:31:", b"Sun, 01 Nov 2026 06:31:", 1)
    tide = [Feed(name="Tide", url=site.put("/feed", Answer(body=body)))]
    (report,) = run(database, tide).feeds
    assert (report.new, report.dropped) == (1, 1)
    assert report.detail == "1 post is not mailed: older than the first look."


def test_if_all_posts_are_new_this_is_reported_and_the_feed_is_fetched_more_often(
    database: Database, site: Site
) -> None:
    tide = [Feed(name="Tide", url=site.put("/feed", Answer(body=notes(2, 1))))]
    run(database, tide)
    site.put("/feed", Answer(body=notes(6, 5)))
    (report,) = run(database, tide, now=NOW + HOUR).feeds
    assert report.new == 2
    assert report.detail.startswith("Posts may be missing: this feed shows only 2")
    assert report.next_fetch_at == NOW + HOUR + timedelta(minutes=4)
    (report,) = run(database, tide, now=NOW + 2 * HOUR).feeds
    assert report.detail.startswith("Posts may be missing")


@pytest.mark.parametrize("pages", [2, 3])
def test_of_a_wordpress_feed_older_pages_are_fetched_until_a_known_post(
    database: Database, site: Site, pages: int
) -> None:
    tide = [Feed(name="Tide", url=site.put("/feed?a=1", Answer(body=notes(2, 1))))]
    run(database, tide)
    generator = b"<channel><generator>https://wordpress.org/?v=6.7</generator>"
    for page, numbers in ((1, (8, 7)), (2, (6, 5)), (3, (4, 3, 2))):
        path = "/feed?a=1" if page == 1 else f"/feed?a=1&paged={page}"
        if page <= pages:
            site.put(path, Answer(body=notes(*numbers).replace(b"<channel>", generator)))
    (report,) = run(database, tide, now=NOW + HOUR).feeds
    assert (report.new, report.detail) == (2 * pages, "")
    assert [path for path, _ in site.asked[1:]] == [
        "/feed?a=1",
        *(f"/feed?a=1&paged={page}" for page in (2, 3)),
    ]


def test_of_a_json_feed_the_next_documents_are_read_until_a_known_post(
    database: Database, site: Site
) -> None:
    def document(*numbers: int, following: str = "") -> Answer:
        items = [
            {"id": str(n), "title": f"Note {n}", "date_published": f"2026-11-22T06:31:{n:02}Z"}
            for n in numbers
        ]
        return Answer(body=json.dumps({"version": JSON_FEED, "items": items, "next_url": following}).encode())

    tide = [Feed(name="Tide", url=site.put("/feed", document(2, 1)))]
    run(database, tide)
    site.put("/feed", document(8, 7, following="/feed/2"))
    site.put("/feed/2", document(6, 5, following="/feed/3"))
    site.put("/feed/3", document(4, 3, 2, following="/feed/4"))
    (report,) = run(database, tide, now=NOW + HOUR).feeds
    assert (report.new, report.detail) == (6, "")
    assert [path for path, _ in site.asked[1:]] == ["/feed", "/feed/2", "/feed/3"]
    site.put("/feed", document(10, 9, following="/feed"))
    (report,) = run(database, tide, now=NOW + 2 * HOUR).feeds
    assert report.detail.startswith("Posts may be missing: this feed shows only 2")
    assert [path for path, _ in site.asked[4:]] == ["/feed"]


def test_an_error_item_of_a_bridge_is_a_failure_and_the_other_items_are_saved(
    database: Database, site: Site
) -> None:
    error = b"<item><guid>e</guid><title>Bridge returned error 503! (20417)</title></item>"
    for body, new in ((notes(), 0), (notes(1), 1)):
        body = body.replace(b"<channel>", b"<channel>" + error)
        tide = [Feed(name="Tide", url=site.put("/feed", Answer(body=body)))]
        (report,) = run(database, tide, force=True).feeds
        assert (report.status, report.new) == ("failed", new)
        assert "(503)" in report.detail
    assert [post.post.title for post in waiting(database)] == ["Note 1"]


def notes(*numbers: int) -> bytes:
    """Return a feed with these notes; a note is a second older than the note with the next number."""
    items = "".join(
        f"<item><guid isPermaLink='false'>{n}</guid><title>Note {n}</title>"
        f"<pubDate>Sun, 22 Nov 2026 06:31:{n:02} GMT</pubDate></item>"
        for n in numbers
    )
    return f"<rss version='2.0'><channel>{items}</channel></rss>".encode()
