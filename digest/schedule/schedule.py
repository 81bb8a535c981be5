"""Find the times at which a digest is due, from its schedule and its time zone.

A digest is due at most once on a local date, at one wall time. If a change of the clocks skips this wall
time, the first instant after the gap counts. If the wall time occurs twice, the first one counts. A date that
a zone skips altogether has no occurrence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from digest.model.editions import Due, Every
from digest.model.publication import Digest

ALL_WEEKDAYS = frozenset(range(7))  # Monday is 0
ALL_MONTHDAYS = frozenset(range(1, 32))
ALL_MONTHS = frozenset(range(1, 13))
LAST_DAY = frozenset({-1})
SKIP_REASON = "skip in config.toml"
FIRST_WEEK = date(1970, 1, 5)  # a Monday; without a date of their own, every other week is counted from it

_WORK = frozenset(range(5))
_DAY = timedelta(days=1)
_LENGTHS = {2: 28, 4: 30, 6: 30, 9: 30, 11: 30}  # of months with fewer than 31 days, without the leap day
_HORIZON = timedelta(days=366 * 40)  # a 29 February that is a Monday comes once in 28 years, or in 40


class ScheduleError(ValueError):
    """A schedule cannot be read, or is never due; the text says what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The local dates and the wall time at which a digest goes out."""

    at: time
    weekdays: frozenset[int] = ALL_WEEKDAYS
    monthdays: frozenset[int] = ALL_MONTHDAYS  # or LAST_DAY alone
    months: frozenset[int] = ALL_MONTHS
    # Cron's rule: if both a weekday and a day of the month are given, one of the two is enough.
    either: bool = False
    weeks: frozenset[int] = frozenset()  # 1: the first such weekday of the month … -1: the last; empty: all
    other_week_of: date | None = None  # every other week: the week of this date, and each second week from it

    @property
    def skips_months(self) -> bool:
        """Tell whether some of its months have no occurrence, because they are too short."""
        if self.either or min(self.monthdays) < 1:
            return False
        return any(min(self.monthdays) > _LENGTHS.get(month, 31) for month in self.months)

    @property
    def every(self) -> Every | None:
        """Return how often it is due; None if one word cannot say it: "mondays and thursdays"."""
        if self.months != ALL_MONTHS or self.other_week_of or self.either:
            return None
        if self.monthdays == ALL_MONTHDAYS and not self.weeks:
            found = {ALL_WEEKDAYS: Every.DAY, _WORK: Every.WEEKDAY}
            return Every.WEEK if len(self.weekdays) == 1 else found.get(self.weekdays)
        days = self.weeks if self.weeks else self.monthdays
        once = len(self.weekdays) == 1 if self.weeks else self.weekdays == ALL_WEEKDAYS
        return Every.MONTH if once and len(days) == 1 and not self.skips_months else None

    def falls_on(self, day: date) -> bool:
        """Return whether the schedule has an occurrence on this local date."""
        if day.month not in self.months:
            return False
        by_weekday = day.weekday() in self.weekdays and self._in_week(day)
        by_monthday = day.day in self.monthdays or (self.monthdays == LAST_DAY and _ends_month(day))
        return (by_weekday or by_monthday) if self.either else (by_weekday and by_monthday)

    def _in_week(self, day: date) -> bool:
        if self.other_week_of is not None and (_week(day) - _week(self.other_week_of)) % 2:
            return False
        if not self.weeks:
            return True
        last = (day + 7 * _DAY).month != day.month
        return (day.day - 1) // 7 + 1 in self.weeks or (last and -1 in self.weeks)


def _ends_month(day: date) -> bool:
    return (day + _DAY).month != day.month


def _week(day: date) -> int:
    """Return the number of a week from Monday to Sunday; it grows by one each week, in all years."""
    return (day - FIRST_WEEK).days // 7


def next_due(schedule: Schedule, zone: str, after: datetime) -> tuple[date, datetime]:
    """Return the local date and the UTC time of the first occurrence strictly after an instant.

    Raises ScheduleError if there is none within forty years.
    """
    start = after.astimezone(ZoneInfo(zone)).date() - _DAY
    for day in _days(start, _DAY):
        instant = _occurrence(schedule, zone, day)
        if instant is not None and instant > after:
            return day, instant
    raise ScheduleError("this day never comes")


def previous_due(schedule: Schedule, zone: str, at: datetime) -> tuple[date, datetime]:
    """Return the last occurrence at or before an instant; raises ScheduleError if there was none."""
    start = at.astimezone(ZoneInfo(zone)).date() + _DAY
    for day in _days(start, -_DAY):
        instant = _occurrence(schedule, zone, day)
        if instant is not None and instant <= at:
            return day, instant
    raise ScheduleError("this day never came")


def dues(digest: Digest, schedule: Schedule, *, after: datetime, with_skipped: bool = False) -> Iterator[Due]:
    """Yield all occurrences of a digest whose send time is strictly after an instant; there is no end.

    The dates that the digest skips are left out, unless `with_skipped` is set.
    """
    while True:
        day, after = next_due(schedule, digest.zone, after)
        if with_skipped or day not in digest.skip:
            yield due_at(digest, day, after)


def skipped_dates(digest: Digest, schedule: Schedule, *, after: datetime) -> tuple[date, ...]:
    """Return the dates of a schedule that the digest skips and that are due after an instant."""
    found = ((day, _occurrence(schedule, digest.zone, day)) for day in digest.skip)
    return tuple(day for day, instant in found if instant is not None and instant > after)


def due_at(digest: Digest, local_date: date, send_at: datetime) -> Due:
    """Return one occurrence; its cutoff is before the send time, as far as the digest's `cutoff` says."""
    return Due(local_date=local_date, cutoff_at=send_at - digest.cutoff, send_at=send_at)


def instant_of(day: date, at: time, zone: str) -> datetime:
    """Return the UTC time of a wall time: the end of the gap if skipped, the first if it occurs twice."""
    place = ZoneInfo(zone)
    wall = datetime.combine(day, at)
    first = wall.replace(tzinfo=place, fold=0).astimezone(UTC)
    if first.astimezone(place).replace(tzinfo=None) == wall:
        return first
    return _end_of_gap(wall.replace(tzinfo=place, fold=1).astimezone(UTC), first, place)


def _end_of_gap(before: datetime, after: datetime, place: ZoneInfo) -> datetime:
    """Return the time, to the second, at which the clocks changed between two instants."""
    offset = after.astimezone(place).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(place).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def _occurrence(schedule: Schedule, zone: str, day: date) -> datetime | None:
    if not schedule.falls_on(day):
        return None
    if instant_of(day, time.min, zone) == instant_of(day + _DAY, time.min, zone):
        return None  # the zone crossed the date line and skipped this date
    return instant_of(day, schedule.at, zone)


def _days(start: date, step: timedelta) -> Iterator[date]:
    first, last = date.min + 3 * _DAY, date.max - 3 * _DAY
    for count in range(_HORIZON // _DAY):
        if not first <= start + count * step <= last:
            return
        yield start + count * step
