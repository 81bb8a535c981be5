from __future__ import annotations

from contextlib import suppress
from datetime import date, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.render.languages.cadences import describe
from digest.schedule.schedule import Schedule, ScheduleError
from digest.schedule.text import parse_schedule

YEAR = [date(2026, 1, 1) + timedelta(days=offset) for offset in range(365)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("weekdays at 07:00", "weekdays at 07:00"),
        ("every weekday at 7", "weekdays at 07:00"),
        ("Monday to Friday at 7am", "weekdays at 07:00"),
        ("mon-fri at 7.00", "weekdays at 07:00"),
        ("weekends at 9", "weekends at 09:00"),
        ("every day at 6:30", "every day at 06:30"),
        ("daily at noon", "every day at 12:00"),
        ("every day at 12am", "every day at 00:00"),
        ("daily at midnight", "every day at 00:00"),
        ("  Saturdays   at 9:15 PM ", "Saturdays at 21:15"),
        ("mondays and thursdays at 18:00", "Mondays and Thursdays at 18:00"),
        ("on mondays, wed and fri at 18:00", "Mondays, Wednesdays, and Fridays at 18:00"),
        ("first monday of the month at 08:00", "first Monday of the month at 08:00"),
        ("the last Fri of every month at 16:00", "last Friday of the month at 16:00"),
        ("the 15th of the month at 8", "on day 15 of the month at 08:00"),
        ("first day of the month at 8", "on day 1 of the month at 08:00"),
        ("monthly on the 2nd at 8", "on day 2 of the month at 08:00"),
        ("0 7 * * mon-fri", "weekdays at 07:00"),
        ("0 7 * * 1-5", "weekdays at 07:00"),
        ("30 6 * * sat,sun", "weekends at 06:30"),
        ("0 7 * * 0", "Sundays at 07:00"),
        ("0 7 * * 7", "Sundays at 07:00"),
        ("0 7 * * friday-mon", "Mondays, Fridays, Saturdays, and Sundays at 07:00"),
        ("0 7 * * *", "every day at 07:00"),
        ("0 7 1 jan,jul *", "on day 1 of the month in January and July at 07:00"),
        ("the 31st of the month at 8", "on day 31 of the month, if the month has it, at 08:00"),
        ("0 8 30 * *", "on day 30 of the month, if the month has it, at 08:00"),
        ("0 8 31 jan,jul *", "on day 31 of the month in January and July at 08:00"),
        ("last day of the month at 8", "on the last day of the month at 08:00"),
        ("every other monday at 7", "every other Monday at 07:00"),
        ("every second tue and fri from 2026-12-01 at 7", "every other Tuesday and Friday at 07:00"),
        ("every two weeks on mondays at 7", "every other Monday at 07:00"),
        ("every other week on monday at 7", "every other Monday at 07:00"),
    ],
)
def test_a_schedule_reads_like_a_person_writes_it(text: str, said: str) -> None:
    assert describe(parse_schedule(text)) == said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("weekdyas at 07:00", "'weekdyas' is not a day; did you mean 'weekdays'?"),
        ("weekdays 07:00", "is not a valid schedule. Examples:"),
        ("", "is not a valid schedule"),
        (" at 7", "is not a valid schedule"),
        ("and at 7", "the schedule names no day"),
        ("weekdays at 25:00", "from 00:00 to 23:59"),
        ("weekdays at 7:60", "from 00:00 to 23:59"),
        ("weekdays at seven", "'seven' is not a valid time"),
        ("mondays at 13pm", "the hour is from 1 to 12"),
        ("m at 7", "'m' is not a day"),
        ("fifth monday of the month at 7", "'fifth' is not one of first, second"),
        ("the 32nd of the month at 7", "no month has a day 32"),
        ("every other day at 7", "name one or more weekdays"),
        ("every other weekday at 7", "name one or more weekdays"),
        ("every other monday from 2026-12-01 at 7", "2026-12-01 is a Tuesday: after 'from'"),
        ("every other monday from 2026-13-01 at 7", "'2026-13-01' is not a date"),
        ("0 7,19 * * *", "at most once a day"),
        ("*/5 * * * *", "at most once a day"),
        ("0 24 * * *", "from 0 to 23"),
        ("60 7 * * *", "from 0 to 59"),
        ("0 7 0 * *", "from 1 to 31"),
        ("0 7 * 13 *", "from 1 to 12"),
        ("0 7 * * 8", "from 0 to 7"),
        ("0 7 5-1 * *", "the end is before the beginning"),
        ("0 7 */0 * *", "the step must be a number of at least 1"),
        ("0 7 * * funday", "available: mon, tue"),
        ("0 7 31 2 *", "a day that never comes"),
        ("0 7 31 feb,jun *", "a day that never comes"),
    ],
)
def test_the_error_for_a_bad_schedule_says_what_to_write(text: str, reason: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse_schedule(text)
    assert reason in str(caught.value)


def test_a_leap_day_does_come() -> None:
    assert parse_schedule("0 7 29 feb *").falls_on(date(2028, 2, 29))


def test_cron_takes_either_the_weekday_or_the_day_of_the_month() -> None:
    schedule = parse_schedule("0 7 1,15 * mon")
    assert [day for day in YEAR if schedule.falls_on(day)] == [
        day for day in YEAR if day.day in (1, 15) or day.weekday() == 0
    ]
    assert describe(schedule) == "Mondays or on day 1 and 15 of the month at 07:00"


def test_cron_takes_both_when_one_begins_with_a_star() -> None:
    schedule = parse_schedule("0 7 */2 * mon")
    assert [day for day in YEAR if schedule.falls_on(day)] == [
        day for day in YEAR if day.day % 2 == 1 and day.weekday() == 0
    ]


@pytest.mark.parametrize(
    ("word", "week"), [("first", 0), ("second", 1), ("third", 2), ("fourth", 3), ("last", -1)]
)
def test_a_weekday_of_the_month_is_counted_within_its_month(word: str, week: int) -> None:
    schedule = parse_schedule(f"{word} tuesday of the month at 07:00")
    for month in range(1, 13):
        tuesdays = [day for day in YEAR if day.month == month and day.weekday() == 1]
        assert [day for day in tuesdays if schedule.falls_on(day)] == [tuesdays[week]]


def test_the_last_day_of_the_month_comes_every_month() -> None:
    schedule = parse_schedule("the last day of the month at 07:00")
    days = [day for day in YEAR if schedule.falls_on(day)]
    assert [day.month for day in days] == list(range(1, 13))
    assert all((day + timedelta(days=1)).day == 1 for day in days)


def test_every_other_monday_is_counted_across_years_from_the_first_monday_of_1970() -> None:
    schedule = parse_schedule("every other monday at 07:00")
    days = [date(1970, 1, 5) + timedelta(weeks=week) for week in range(4000)]
    assert [day for day in days if schedule.falls_on(day)] == days[::2]
    assert not schedule.falls_on(date(1970, 1, 6))


def test_a_date_sets_the_weeks_of_every_other_monday() -> None:
    for first in (date(2026, 11, 30), date(2026, 12, 7)):
        schedule = parse_schedule(f"every other monday from {first} at 07:00")
        days = [first + timedelta(weeks=week) for week in range(-60, 60)]
        assert [day for day in days if schedule.falls_on(day)] == days[::2]


@settings(deadline=None)
@given(
    st.builds(
        Schedule,
        at=st.times().map(lambda at: time(at.hour, at.minute)),
        weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    )
)
def test_a_description_of_weekdays_can_be_read_again(schedule: Schedule) -> None:
    assert parse_schedule(describe(schedule)) == schedule


@settings(deadline=None)
@given(st.text(max_size=40) | st.from_regex(r"[\d*,/a-z-]{1,4}( [\d*,/a-z-]{1,6}){4}", fullmatch=True))
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    with suppress(ScheduleError):
        assert parse_schedule(text).at < time(23, 59, 1)
