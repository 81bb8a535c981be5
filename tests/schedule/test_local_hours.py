"""A reader's copy is due once, at the reader's hour, even if clocks or readers change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.schedule.local_hours import copy_due_at, next_copy_at
from digest.schedule.schedule import instant_of

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Los_Angeles",
    "Asia/Tokyo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
)
due_at = partial(copy_due_at, instant_of=instant_of)
zones = st.sampled_from(ZONES)
hours = st.times().map(lambda at: at.strftime("%H:%M"))
moments = st.integers(0, 16 * 365 * 24 * 3600).map(
    lambda passed: at("2020-01-01") + timedelta(seconds=passed)
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_reader_without_an_hour_has_the_copy_when_the_edition_goes() -> None:
    assert due_at(at("2026-11-22T06:00"), None, "Asia/Tokyo") == at("2026-11-22T06:00")


@pytest.mark.parametrize(
    ("hour", "zone", "due"),
    [
        ("07:00", "Europe/Berlin", "2026-11-22T06:00"),
        ("06:59", "Europe/Berlin", "2026-11-23T05:59"),
        ("07:30", "America/Los_Angeles", "2026-11-22T15:30"),
        ("07:30", "Asia/Tokyo", "2026-11-22T22:30"),
        ("16:00", "Asia/Tokyo", "2026-11-22T07:00"),
    ],
)
def test_a_copy_is_due_when_the_readers_clock_next_shows_the_hour(hour: str, zone: str, due: str) -> None:
    assert due_at(at("2026-11-22T06:00"), hour, zone) == at(due)


def test_an_hour_that_the_clocks_skip_is_the_end_of_the_gap() -> None:
    assert due_at(at("2026-03-29T00:00"), "02:30", "Europe/Berlin") == at("2026-03-29T01:00")


def test_an_hour_that_comes_twice_is_the_first() -> None:
    assert due_at(at("2026-10-24T22:00"), "02:30", "Europe/Berlin") == at("2026-10-25T00:30")


def test_a_date_that_is_skipped_is_treated_like_a_skipped_hour() -> None:
    assert due_at(at("2011-12-30T09:59"), "07:00", "Pacific/Apia") == at("2011-12-30T10:00")


def test_if_an_hour_of_tomorrow_is_over_when_today_begins_again_the_day_after_counts() -> None:
    send_at = at("2006-10-29T02:31")  # St. John's, when 00:01 had become 23:01 again
    assert due_at(send_at, "00:00", "America/St_Johns") == at("2006-10-30T03:30")


@settings(deadline=None)
@given(moments, hours, zones)
def test_a_copy_is_due_within_a_day_of_the_edition(send_at: datetime, hour: str, zone: str) -> None:
    due = due_at(send_at, hour, zone)
    assert send_at <= due <= send_at + timedelta(hours=25)


@settings(deadline=None)
@given(moments, st.lists(st.tuples(hours, zones), min_size=2, max_size=6))
def test_copies_of_a_daily_digest_arrive_in_order_for_every_choice(
    first: datetime, choices: list[tuple[str, str]]
) -> None:
    dues = [due_at(first + timedelta(days=day), *choice) for day, choice in enumerate(choices)]
    slack = timedelta(hours=1)  # the hour that a clock change adds to a day
    assert all(later + slack >= earlier for earlier, later in pairwise(dues))


@settings(deadline=None)
@given(moments, hours, zones)
def test_the_reader_s_clock_shows_the_hour_unless_it_was_skipped(
    send_at: datetime, hour: str, zone: str
) -> None:
    shown = due_at(send_at, hour, zone).astimezone(ZoneInfo(zone)).strftime("%H:%M")
    before = due_at(send_at, hour, zone) - timedelta(minutes=1)
    changed = (
        before.astimezone(ZoneInfo(zone)).utcoffset()
        != (before + timedelta(minutes=1)).astimezone(ZoneInfo(zone)).utcoffset()
    )
    assert shown == hour or changed


def test_the_next_copy_may_be_of_an_edition_that_is_going_out() -> None:
    sends = [at("2026-11-21T06:00"), at("2026-11-22T06:00"), at("2026-11-23T06:00")]
    find = partial(next_copy_at, sends, "05:00", "UTC", instant_of=instant_of)
    assert find(at("2026-11-22T04:00")) == at("2026-11-22T05:00")
    assert find(at("2026-11-22T05:00")) == at("2026-11-23T05:00")
    assert find(at("2026-11-30T05:00")) is None
