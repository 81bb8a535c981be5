from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model.publication import Digest
from digest.schedule.schedule import Schedule, ScheduleError, dues, instant_of, next_due, previous_due
from digest.schedule.text import parse_schedule

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Africa/Cairo",  # midnight is left out in spring
    "America/Santiago",  # likewise
    "America/Nuuk",  # the last hour of a day is left out
    "Australia/Lord_Howe",  # half an hour
    "Asia/Kathmandu",
    "Pacific/Apia",  # left out a whole day
    "Pacific/Chatham",
]


def local(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def test_the_next_occurrence_is_strictly_later_and_the_previous_may_be_now() -> None:
    schedule = parse_schedule("every day at 07:00")
    due = local("2026-11-23T07:00", "Europe/Berlin")
    assert next_due(schedule, "Europe/Berlin", due) == (date(2026, 11, 24), due + timedelta(days=1))
    assert previous_due(schedule, "Europe/Berlin", due) == (date(2026, 11, 23), due)
    assert previous_due(schedule, "Europe/Berlin", due - timedelta(seconds=1))[0] == date(2026, 11, 22)


def test_a_weekday_schedule_passes_over_the_weekend() -> None:
    friday_noon = local("2026-11-20T12:00", "Europe/Berlin")
    day, due = next_due(parse_schedule("weekdays at 07:00"), "Europe/Berlin", friday_noon)
    assert day == date(2026, 11, 23)
    assert due == local("2026-11-23T07:00", "Europe/Berlin")


@pytest.mark.parametrize(
    ("zone", "day", "at", "expected"),
    [
        ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:00+00:00"),  # a gap: the end of it
        ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30+00:00"),  # a fold: the first of two
        ("Africa/Cairo", "2026-04-24", "00:00", "2026-04-23T22:00+00:00"),
        ("America/Santiago", "2026-09-06", "00:00", "2026-09-06T04:00+00:00"),
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30+00:00"),
    ],
)
def test_a_change_of_clocks_gives_one_instant(zone: str, day: str, at: str, expected: str) -> None:
    instant = instant_of(date.fromisoformat(day), time.fromisoformat(at), zone)
    assert instant == datetime.fromisoformat(expected)


def test_midnight_in_spring_is_one_edition_for_its_own_date() -> None:
    schedule = parse_schedule("every day at midnight")
    after = local("2026-04-23T12:00", "Africa/Cairo")
    day, due = next_due(schedule, "Africa/Cairo", after)
    assert (day, due.astimezone(ZoneInfo("Africa/Cairo")).time()) == (date(2026, 4, 24), time(1, 0))
    assert next_due(schedule, "Africa/Cairo", due)[0] == date(2026, 4, 25)


def test_a_date_that_a_zone_skips_has_no_occurrence() -> None:
    schedule = parse_schedule("every day at 07:00")
    after = local("2011-12-29T12:00", "Pacific/Apia")
    assert next_due(schedule, "Pacific/Apia", after)[0] == date(2011, 12, 31)


def test_a_schedule_that_never_comes_is_an_error_both_ways() -> None:
    never = Schedule(at=time(7), monthdays=frozenset({31}), months=frozenset({2}))
    now = datetime(2026, 11, 22, tzinfo=UTC)
    with pytest.raises(ScheduleError):
        next_due(never, "UTC", now)
    with pytest.raises(ScheduleError):
        previous_due(never, "UTC", now)


def test_the_end_of_the_calendar_is_an_end() -> None:
    with pytest.raises(ScheduleError):
        next_due(parse_schedule("every day at 07:00"), "UTC", datetime(9999, 12, 30, tzinfo=UTC))


def test_a_due_value_is_composed_the_cutoff_before_it_is_sent() -> None:
    digest = Digest(
        slug="daily",
        title="Daily",
        sender="a@example.org",
        schedule="weekdays at 07:00",
        zone="Europe/Berlin",
        cutoff=timedelta(hours=1),
    )
    after = datetime(2026, 11, 20, 12, tzinfo=UTC)
    monday, tuesday = islice(dues(digest, parse_schedule(digest.schedule), after=after), 2)
    assert (monday.local_date, tuesday.local_date) == (date(2026, 11, 23), date(2026, 11, 24))
    assert monday.send_at == datetime(2026, 11, 23, 6, tzinfo=UTC)
    assert monday.cutoff_at == datetime(2026, 11, 23, 5, tzinfo=UTC)


zones = st.sampled_from(ZONES)
wall_times = st.times(min_value=time(0), max_value=time(23, 59)).map(
    lambda at: at.replace(second=0, microsecond=0)
)
days = st.dates(min_value=date(2000, 1, 1), max_value=date(2030, 12, 31)) | st.sampled_from(
    [
        date(2026, 3, 29),
        date(2026, 10, 25),
        date(2026, 4, 24),
        date(2026, 9, 6),
        date(2024, 3, 30),
        date(2011, 12, 30),
    ]
)


@settings(deadline=None)
@given(zone=zones, day=days, at=wall_times)
def test_an_instant_is_the_first_at_which_the_clock_shows_that_time_or_later(
    zone: str, day: date, at: time
) -> None:
    assert instant_of(day, at, zone) == _first_minute_showing(datetime.combine(day, at), zone)


@settings(deadline=None)
@given(zone=zones, day=days, at=wall_times, weekdays=st.frozensets(st.integers(0, 6), min_size=1))
def test_occurrences_follow_each_other_without_hole_or_repeat(
    zone: str, day: date, at: time, weekdays: frozenset[int]
) -> None:
    schedule = Schedule(at=at, weekdays=weekdays)
    start = datetime.combine(day, time(12), tzinfo=UTC) - timedelta(days=5)
    walked = []
    after = start
    while after < start + timedelta(days=15):
        occurrence = next_due(schedule, zone, after)
        assert previous_due(schedule, zone, occurrence[1]) == occurrence
        after = occurrence[1]
        walked.append(occurrence)
    listed = [start.date() + timedelta(days=offset) for offset in range(-2, 30)]
    expected = [
        (each, _first_minute_showing(datetime.combine(each, at), zone))
        for each in listed
        if each.weekday() in weekdays and not (zone == "Pacific/Apia" and each == date(2011, 12, 30))
    ]
    assert walked == [occurrence for occurrence in expected if start < occurrence[1] <= after]


def _first_minute_showing(wall: datetime, zone: str) -> datetime:
    place = ZoneInfo(zone)
    moment = wall.replace(tzinfo=UTC, minute=0) - timedelta(hours=26)  # whole hours: no gap is stepped over
    while moment.astimezone(place).replace(tzinfo=None) < wall - timedelta(hours=3):
        moment += timedelta(hours=1)
    while moment.astimezone(place).replace(tzinfo=None) < wall:
        moment += timedelta(minutes=1)
    return moment
