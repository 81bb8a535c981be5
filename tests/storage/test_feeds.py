from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from digest.model.posts import FeedRow
from digest.model.publication import Feed
from digest.storage.database import Database
from digest.storage.feeds import feed_rows, record_feeds, sync_feeds

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
HARBOUR = Feed(name="Harbour News", url="https://harbour.example.org/feed")
QUAY = Feed(name="The Quay", url="https://quay.example.org/feed")


def test_a_configured_feed_gets_a_row_that_is_due_at_once(database: Database) -> None:
    (row,) = synced(database, HARBOUR)
    assert (row.name, row.url, row.status, row.next_fetch_at) == (HARBOUR.name, HARBOUR.url, "new", NOW)
    assert stored(database) == (row,)


def test_rows_come_in_the_order_of_the_configuration(database: Database) -> None:
    assert [row.name for row in synced(database, QUAY, HARBOUR)] == [QUAY.name, HARBOUR.name]


def test_the_same_configuration_changes_nothing(database: Database) -> None:
    first = synced(database, HARBOUR, QUAY)
    record(database, fetched := replace(first[0], status="ok", etag='"1"', next_fetch_at=LATER))
    assert synced(database, HARBOUR, QUAY) == (fetched, first[1])


def test_a_feed_may_change_its_name_and_stays_known(database: Database) -> None:
    (before,) = synced(database, HARBOUR)
    record(database, replace(before, etag='"1"'))
    (after,) = synced(database, replace(HARBOUR, name="Harbour Daily"))
    assert (after.id, after.name, after.etag) == (before.id, "Harbour Daily", '"1"')
    assert len(stored(database)) == 1


def test_a_new_url_forgets_what_was_learnt_about_the_old_one(database: Database) -> None:
    (before,) = synced(database, HARBOUR)
    gone = replace(before, status="gone", failures=9, etag='"1"', final_url="https://old.example.org/")
    record(database, gone)
    (after,) = synced(database, replace(HARBOUR, url="https://harbour.example.org/new"), now=LATER)
    fresh = (after.status, after.failures, after.etag, after.final_url, after.next_fetch_at)
    assert (after.id, *fresh) == (before.id, "new", 0, None, None, LATER)


def test_two_feeds_may_swap_their_urls(database: Database) -> None:
    before = synced(database, HARBOUR, QUAY)
    after = synced(database, replace(HARBOUR, url=QUAY.url), replace(QUAY, url=HARBOUR.url))
    assert [row.id for row in after] == [row.id for row in before]


def test_two_feeds_may_have_one_url(database: Database) -> None:
    rows = synced(database, HARBOUR, replace(HARBOUR, name="Harbour again"))
    assert len({row.id for row in rows}) == 2
    assert synced(database, HARBOUR, replace(HARBOUR, name="Harbour again")) == rows


def test_a_feed_taken_out_keeps_its_row(database: Database) -> None:
    synced(database, HARBOUR, QUAY)
    synced(database, QUAY)
    assert {row.name for row in stored(database)} == {HARBOUR.name, QUAY.name}


def test_another_feed_may_take_the_url_of_one_that_moved(database: Database) -> None:
    synced(database, HARBOUR)
    moved = replace(HARBOUR, url="https://harbour.example.org/new")
    rows = synced(database, moved, replace(QUAY, url=HARBOUR.url))
    assert len({row.id for row in rows}) == 2


def test_the_state_of_a_feed_is_kept(database: Database) -> None:
    (row,) = synced(database, HARBOUR)
    failed = replace(
        row,
        status="failed",
        detail="The server stopped answering.",
        failures=2,
        last_fetch_at=NOW,
        last_ok_at=NOW,
        next_fetch_at=LATER,
        last_modified="Sun, 22 Nov 2026 07:00:00 GMT",
    )
    record(database, failed)
    assert stored(database) == (failed,)


def synced(database: Database, *feeds: Feed, now: datetime = NOW) -> tuple[FeedRow, ...]:
    with database.write() as connection:
        return sync_feeds(connection, feeds, now)


def record(database: Database, row: FeedRow) -> None:
    with database.write() as connection:
        record_feeds(connection, [row])


def stored(database: Database) -> tuple[FeedRow, ...]:
    with database.read() as connection:
        return feed_rows(connection)
