from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from digest.collect.fetching.health import (
    address,
    after_failure,
    after_success,
    after_unchanged,
    is_due,
)
from digest.model.posts import FeedRow

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
MINUTES = timedelta(minutes=1)
ROW = FeedRow(id="a", name="Harbour News", url="https://harbour.example.org/feed", next_fetch_at=NOW)


def test_a_feed_is_due_when_its_time_has_come() -> None:
    fetched = replace(ROW, last_fetch_at=NOW - 14 * MINUTES)
    assert is_due(fetched, NOW)
    assert not is_due(fetched, NOW - MINUTES)


def test_a_feed_that_was_never_fetched_is_due_whatever_the_clock_says() -> None:
    assert is_due(ROW, NOW - MINUTES)


def test_a_healthy_feed_is_due_again_in_a_quarter_of_an_hour_with_slack() -> None:
    row = after_success(
        replace(ROW, failures=3, detail="bad"), NOW, etag='"1"', last_modified="x", moved_to=None
    )
    assert (row.status, row.failures, row.detail, row.etag, row.last_modified) == ("ok", 0, "", '"1"', "x")
    assert (row.next_fetch_at, row.last_fetch_at, row.last_ok_at) == (NOW + 14 * MINUTES, NOW, NOW)


def test_an_unchanged_feed_keeps_its_validators() -> None:
    row = after_unchanged(replace(ROW, etag='"1"', failures=2), NOW, moved_to=None)
    assert (row.status, row.failures, row.etag, row.last_ok_at) == ("unchanged", 0, '"1"', NOW)


def test_a_permanent_move_is_kept() -> None:
    new = "https://new.example.org/feed"
    moved = after_success(ROW, NOW, etag=None, last_modified=None, moved_to=new)
    assert moved.final_url == new
    assert after_unchanged(moved, NOW, moved_to=None).final_url == new
    assert after_failure(moved, NOW, detail="silent").final_url == new


def test_after_a_failure_the_old_and_the_new_address_take_turns() -> None:
    new = "https://new.example.org/feed"
    row = replace(ROW, final_url=new)
    asked = []
    for _ in range(4):
        asked.append(address(row))
        row = after_failure(row, NOW, detail="silent")
    assert asked == [new, ROW.url, new, ROW.url]
    parked = after_failure(replace(ROW, final_url=new), NOW, detail="This is a web page, not a feed.")
    assert address(parked) == ROW.url
    # The old address works again, or still redirects.
    assert after_success(parked, NOW, etag=None, last_modified=None, moved_to=None).final_url is None
    assert after_success(parked, NOW, etag=None, last_modified=None, moved_to=new).final_url == new


@pytest.mark.parametrize("minutes", [15, 60, 5 * 60])
def test_a_server_that_always_says_not_modified_is_asked_without_validators_once_a_day(minutes: int) -> None:
    row = replace(ROW, etag='"1"', last_modified="x")
    whole = 0
    for number in range(4 * 24 * 60 // minutes):
        whole += row.etag is None
        row = replace(row, etag=row.etag or '"1"')  # a whole answer has a validator
        row = after_unchanged(row, NOW + number * minutes * MINUTES, moved_to=None)
    assert 3 <= whole <= 4


@pytest.mark.parametrize("status", [404, 410])
def test_a_feed_lost_where_it_moved_to_is_sought_where_it_was(status: int) -> None:
    moved = replace(ROW, final_url="https://new.example.org/feed", etag='"1"')
    row = after_failure(moved, NOW, detail="lost", status=status)
    assert (row.status, row.final_url, row.etag) == ("failed", None, None)


def test_a_failing_feed_rests_longer_and_longer_up_to_a_day() -> None:
    row, pauses = ROW, []
    for _ in range(9):
        row = after_failure(row, NOW, detail="silent")
        pauses.append((row.next_fetch_at - NOW) / MINUTES)
    assert pauses == [15, 30, 60, 120, 240, 480, 960, 1440, 1440]
    assert (row.status, row.detail, row.failures, row.last_ok_at) == ("failed", "silent", 9, None)


def test_thousands_of_failures_are_no_error() -> None:
    row = after_failure(replace(ROW, failures=10_000), NOW, detail="silent")
    assert row.next_fetch_at == NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("header", "minutes"),
    [
        ("7200", 120),
        ("60", 15),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 120),
        ("Sun, 22 Nov 2026 06:00:00 GMT", 15),
        ("99999999999999999999", 1440),
        ("Sat, 22 Nov 2036 09:00:00 -0000", 1440),
        ("soon", 15),
        ("-5", 15),
        ("٣", 15),
        ("", 15),
    ],
)
def test_a_server_may_ask_for_a_longer_rest_within_bounds(header: str, minutes: int) -> None:
    row = after_failure(ROW, NOW, detail="busy", status=503, retry_after=header)
    assert row.next_fetch_at == NOW + minutes * MINUTES


def test_a_feed_that_is_gone_is_looked_at_once_a_week() -> None:
    row = after_failure(ROW, NOW, detail="gone", status=410)
    assert (row.status, row.next_fetch_at) == ("gone", NOW + timedelta(days=7))
