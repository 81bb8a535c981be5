from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from digest.collect.fetching.answers import Fetched, FetchFailure, NotModified
from digest.collect.fetching.health import (
    address,
    after_failure,
    after_gap,
    after_success,
    after_unchanged,
    hub_text,
    is_due,
    moved_text,
    request,
    state_text,
    timed,
)
from digest.model.posts import FeedRow, HubRow, HubState

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
MINUTES = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ROW = FeedRow(id="a", name="Harbour News", url="https://harbour.example.org/feed", next_fetch_at=NOW)
NEW = "https://new.example.org/feed"
HUB = HubRow(feed_id="a", hub="https://hub.example.org/", topic=ROW.url, next_at=NOW + 15 * MINUTES)
SILENT = FetchFailure(detail="silent")


def test_a_feed_is_due_when_its_time_has_come() -> None:
    fetched = replace(ROW, last_fetch_at=NOW - 14 * MINUTES)
    assert is_due(fetched, NOW)
    assert not is_due(fetched, NOW - MINUTES)


def test_a_feed_that_was_never_fetched_is_due_whatever_the_clock_says() -> None:
    assert is_due(ROW, NOW - MINUTES)


def test_a_push_makes_a_feed_due_once_a_minute_until_a_fetch_begins_after_it() -> None:
    later = replace(ROW, last_fetch_at=NOW, next_fetch_at=NOW + 6 * HOUR)
    second = timedelta(seconds=1)
    assert is_due(later, NOW + 5 * MINUTES, pushed_at=NOW + 5 * MINUTES)
    assert not is_due(later, NOW + 5 * MINUTES, pushed_at=NOW)  # it was fetched since
    assert not is_due(later, NOW + 30 * second, pushed_at=NOW + second)  # the push came during a fetch …
    assert is_due(later, NOW + MINUTES, pushed_at=NOW + second)  # … and is not lost
    assert not is_due(later, NOW + 5 * MINUTES, pushed_at=NOW + DAY)  # a clock was wrong
    assert not is_due(replace(later, failures=1), NOW + 5 * MINUTES, pushed_at=NOW + MINUTES)


@pytest.mark.parametrize(
    ("hub", "text"),
    [
        (HUB, "can tell of new posts at once; digest serve asks for this at 07:15."),
        (
            replace(HUB, state=HubState.PENDING),
            "has not confirmed yet that it tells of new posts; it is asked again at 07:15.",
        ),
        (replace(HUB, state=HubState.ACTIVE, lease_until=NOW + DAY), "tells of new posts at once."),
        (
            replace(HUB, state=HubState.ACTIVE, lease_until=NOW + DAY, pushed_at=NOW - HOUR),
            "tells of new posts at once; the last time at 06:00.",
        ),
        (
            replace(HUB, state=HubState.ACTIVE, lease_until=NOW),
            "has not confirmed yet that it tells of new posts; it is asked again at 07:15.",
        ),
        (
            replace(HUB, state=HubState.DENIED, next_at=NOW + 30 * DAY),
            "does not want to tell of new posts; it is asked again at 2026-12-22.",
        ),
        (
            replace(HUB, state=HubState.GONE, next_at=NOW + 30 * DAY),
            "does not exist any more; it is asked again at 2026-12-22.",
        ),
    ],
)
def test_the_state_of_a_hub_is_one_sentence(hub: HubRow, text: str) -> None:
    assert hub_text(hub, NOW, public=True) == f"Its hub hub.example.org {text}"
    assert hub_text(hub, NOW, public=False) == (
        "Its hub hub.example.org could tell of new posts at once, but it is not asked, because"
        " base_url is not a public address."
    )


def test_a_document_ends_failures_and_brings_new_validators() -> None:
    row = after_success(replace(ROW, failures=3, failed_at=NOW - DAY, detail="bad"), found(etag='"1"'), NOW)
    assert (row.status, row.failures, row.failed_at, row.detail, row.etag) == ("ok", 0, None, "", '"1"')
    assert (row.last_fetch_at, row.last_ok_at, row.whole_at, row.changed_at) == (NOW, NOW, NOW, NOW)


def test_an_unchanged_feed_keeps_its_validators_unless_the_answer_has_new_ones() -> None:
    row = after_unchanged(replace(ROW, etag='"1"', last_modified="x", failures=2), NotModified(), NOW)
    assert (row.status, row.failures, row.etag, row.last_ok_at) == ("unchanged", 0, '"1"', NOW)
    row = after_unchanged(row, NotModified(etag='"2"'), NOW)
    assert (row.etag, row.last_modified) == ('"2"', "x")


@pytest.mark.parametrize("minutes", [15, 60, 5 * 60, 24 * 60])
def test_not_modified_is_believed_for_less_than_a_day(minutes: int) -> None:
    row, whole_at = ROW, NOW
    for number in range(4 * 24 * 60 // minutes):
        now = NOW + number * minutes * MINUTES
        if request(row, now).etag is None:
            assert number == 0 or now - whole_at <= DAY + minutes * MINUTES
            row, whole_at = after_success(row, found(etag='"1"'), now), now
        else:
            row = after_unchanged(row, NotModified(), now)
    assert whole_at > NOW + 2 * DAY


def test_a_clock_that_was_ahead_does_not_make_not_modified_believable() -> None:
    assert request(replace(ROW, etag='"1"', whole_at=NOW + DAY), NOW).etag is None


# ── redirects ───────────────────────────────────────────────────────────────────────────────


def test_a_permanent_move_is_saved_after_three_answers_in_a_row_and_a_day() -> None:
    row, asked = ROW, []
    for hours in (0, 1, 2, 23, 24, 25):
        asked.append(address(row))
        row = after_unchanged(
            row, NotModified(moved_to=None if address(row) == NEW else NEW), NOW + hours * HOUR
        )
    assert asked == [ROW.url] * 5 + [NEW]
    assert (row.final_url, row.moved_to, row.moved_seen) == (NEW, None, 0)
    assert after_failure(row, SILENT, NOW, ()).final_url == NEW


@pytest.mark.parametrize("other", [None, "https://third.example.org/feed"])
def test_a_move_that_is_taken_back_or_changes_is_counted_anew(other: str | None) -> None:
    row = replace(ROW, moved_to=NEW, moved_seen=2, moved_at=NOW - 2 * DAY)
    row = after_success(row, found(moved_to=other), NOW)
    assert (row.final_url, row.moved_to, row.moved_seen) == (None, other, 1 if other else 0)


def test_after_a_failure_the_old_and_the_new_address_take_turns() -> None:
    row = replace(ROW, final_url=NEW)
    asked = []
    for _ in range(4):
        asked.append(address(row))
        row = after_failure(row, SILENT, NOW, ())
    assert asked == [NEW, ROW.url, NEW, ROW.url]


def test_validators_go_only_to_the_address_that_gave_them() -> None:
    moved = after_success(replace(ROW, final_url=NEW), found(etag="new"), NOW)
    moved = replace(moved, final_url=NEW)
    assert (request(moved, NOW + HOUR).url, request(moved, NOW + HOUR).etag) == (NEW, "new")
    failed = after_failure(moved, SILENT, NOW, ())
    assert (request(failed, NOW + HOUR).url, request(failed, NOW + HOUR).etag) == (ROW.url, None)


def test_if_the_old_address_works_the_saved_one_is_forgotten_and_if_it_redirects_there_it_stays() -> None:
    parked = after_failure(replace(ROW, final_url=NEW), SILENT, NOW, ())
    assert address(parked) == ROW.url
    works = after_success(parked, found(), NOW)
    assert works.final_url is None
    assert "answers at its own address again" in moved_text(parked, works)
    redirects = after_success(parked, found(moved_to=NEW), NOW)
    assert (redirects.final_url, redirects.moved_to, moved_text(parked, redirects)) == (NEW, None, "")


@pytest.mark.parametrize("status", [404, 410])
def test_a_feed_lost_where_it_moved_to_is_sought_where_it_was(status: int) -> None:
    moved = replace(ROW, final_url=NEW, etag='"1"')
    row = after_failure(moved, FetchFailure(detail="lost", status=status), NOW, ())
    assert (row.status, row.final_url, row.etag) == ("failed", None, None)


# ── failures ────────────────────────────────────────────────────────────────────────────────


def test_a_failing_feed_rests_longer_and_longer_up_to_a_day() -> None:
    row, pauses = ROW, []
    for number in range(9):
        row = after_failure(row, SILENT, NOW + number * HOUR, ())
        pauses.append((row.next_fetch_at - NOW - number * HOUR) / MINUTES)
    assert pauses == [15, 30, 60, 120, 240, 480, 960, 1440, 1440]
    assert (row.status, row.detail, row.failures, row.last_ok_at) == ("failed", "silent", 9, None)
    assert row.failed_at == NOW


def test_thousands_of_failures_are_no_error() -> None:
    row = after_failure(replace(ROW, failures=10_000), SILENT, NOW, ())
    assert row.next_fetch_at == NOW + DAY


def test_a_failing_feed_is_tried_before_each_cutoff_unless_its_server_forbids_that() -> None:
    row, cutoffs = replace(ROW, failures=9), (NOW + 2 * HOUR, NOW + 26 * HOUR)
    at = after_failure(row, SILENT, NOW, cutoffs).next_fetch_at
    assert timedelta(0) < cutoffs[0] - at <= 15 * MINUTES
    again = after_failure(row, SILENT, at, cutoffs).next_fetch_at
    assert timedelta(0) < cutoffs[0] - again <= 15 * MINUTES or again > cutoffs[0]
    for failure in (
        FetchFailure(detail="busy", status=503, retry_after="40000"),
        FetchFailure(detail="too often", status=429),
        FetchFailure(detail="gone", status=410),
    ):
        assert after_failure(row, failure, NOW, cutoffs).next_fetch_at > cutoffs[0]


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
    row = after_failure(ROW, FetchFailure(detail="busy", status=503, retry_after=header), NOW, ())
    assert row.next_fetch_at == NOW + minutes * MINUTES


def test_a_feed_that_is_gone_is_looked_at_once_a_week() -> None:
    row = after_failure(ROW, FetchFailure(detail="gone", status=410), NOW, ())
    assert (row.status, row.next_fetch_at) == ("gone", NOW + timedelta(days=7))


# ── in words ────────────────────────────────────────────────────────────────────────────────


def test_the_state_of_a_feed_is_one_sentence() -> None:
    assert state_text(ROW, NOW) == "not collected yet."
    row = timed(after_success(ROW, found(fresh=3600), NOW), NOW, ())
    assert state_text(row, NOW) == "asked every hour; next at 07:59."
    row = timed(after_unchanged(row, NotModified(fresh=7200), NOW + DAY), NOW + DAY, ())
    assert state_text(row, NOW + DAY) == (
        "asked every 2 hours, as its server wishes; unchanged since Sun 07:00; next at 09:00."
    )
    row = timed(after_gap(row, NOW + DAY, 10), NOW + DAY, ())
    assert state_text(row, NOW + DAY).startswith("asked every 2 hours, as its server wishes")
    failed = after_failure(replace(row, failures=1, failed_at=NOW), SILENT, NOW + 3 * HOUR, ())
    assert state_text(failed, NOW + 3 * HOUR) == (
        "failing since 07:00, 2 times in a row; tried again at 10:30: silent"
    )
    moving = after_success(row, found(moved_to=NEW), NOW)
    assert "moved to new.example.org, as it has said once; saved after 3 times and a day" in state_text(
        moving, NOW
    )
    assert "fetched from new.example.org, to which it has moved" in state_text(
        replace(row, final_url=NEW), NOW
    )


def found(*, etag: str | None = None, moved_to: str | None = None, fresh: int | None = None) -> Fetched:
    return Fetched(url=ROW.url, body=b"", etag=etag, moved_to=moved_to, fresh=fresh)
