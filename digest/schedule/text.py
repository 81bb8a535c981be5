"""Read a schedule: a sentence ("weekdays at 07:00") or a cron line."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

from digest.model.errors import hint
from digest.schedule.schedule import ALL_WEEKDAYS, FIRST_WEEK, LAST_DAY, Schedule, ScheduleError, next_due

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
EXAMPLES = '"weekdays at 07:00", "saturdays at 9am", "first monday of the month at 08:00", "0 7 * * mon-fri"'

_EVERY_OTHER = '"every other monday from 2026-11-30 at 07:00"'
_WORK, _FREE = frozenset(range(5)), frozenset({5, 6})
_WEEKS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_TIMES = {"noon": time(12), "midday": time(12), "midnight": time(0)}
_TIME = re.compile(r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2}))?\s*(?P<half>am|pm|a\.m\.|p\.m\.)?")
_OF_MONTH = re.compile(r"(?:the |every )?(?P<which>.+?) of (?:the|every|each) month")
_OTHER = re.compile(
    r"every (?:(?:other|second)(?: week on)?|(?:two|2) weeks on) (?P<days>.+?)"
    r"(?: from (?P<first>\d{4}-\d\d-\d\d))?"
)
_MONTHLY = re.compile(r"(?:monthly on )?the (?P<day>\d{1,2})(?:st|nd|rd|th)?")


def parse_schedule(text: str) -> Schedule:
    """Return the schedule that a text describes.

    In cron lines 0 and 7 are Sunday, and if a day of the month and a weekday are given, one of them is
    enough. Raises ScheduleError, with examples, if the text cannot be read, gives more than one time a day,
    or names a day that never comes.
    """
    words = " ".join(text.casefold().split())
    schedule = _cron(words.split()) if re.match(r"[\d*]\S* \S+ \S+ \S+ \S+$", words) else _sentence(words)
    try:
        next_due(schedule, "UTC", datetime(2000, 1, 1, tzinfo=UTC))
    except ScheduleError:
        raise ScheduleError(f"{text!r} names a day that never comes") from None
    return schedule


# ── as a sentence ───────────────────────────────────────────────────────────────────────────


def _sentence(words: str) -> Schedule:
    days, found, clock = words.rpartition(" at ")
    if not found:
        raise ScheduleError(f"{words!r} is not a valid schedule. Examples: {EXAMPLES}")
    at = _time(clock.strip())
    days = days.removeprefix("on ").strip()
    if match := _OF_MONTH.fullmatch(days):
        return _monthly(match["which"], at)
    if match := _MONTHLY.fullmatch(days):
        return Schedule(at=at, monthdays=frozenset({_monthday(match["day"])}))
    if match := _OTHER.fullmatch(days):
        return _other_week(match["days"], match["first"], at)
    return Schedule(at=at, weekdays=_days(days))


def _time(text: str) -> time:
    if text in _TIMES:
        return _TIMES[text]
    match = _TIME.fullmatch(text)
    if not match:
        raise ScheduleError(f'{text!r} is not a valid time. Examples: "07:00", "7:30 pm", "noon"')
    hour, minute, half = int(match["hour"]), int(match["minute"] or 0), match["half"]
    if half and not 1 <= hour <= 12:
        raise ScheduleError(f"{text!r} is not a valid time: with am or pm, the hour is from 1 to 12")
    if half:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    if hour > 23 or minute > 59:
        raise ScheduleError(f"{text!r} is not a valid time: times are from 00:00 to 23:59")
    return time(hour, minute)


def _monthly(which: str, at: time) -> Schedule:
    ordinal, _, day = which.partition(" ")
    if match := re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)?", which.removeprefix("the ")):
        return Schedule(at=at, monthdays=frozenset({_monthday(match[1])}))
    if (ordinal, day) == ("first", "day"):
        return Schedule(at=at, monthdays=frozenset({1}))
    if (ordinal, day) == ("last", "day"):
        return Schedule(at=at, monthdays=LAST_DAY)
    if ordinal not in _WEEKS:
        raise ScheduleError(f"{ordinal!r} is not one of {', '.join(_WEEKS)}")
    return Schedule(at=at, weekdays=frozenset({_weekday(day)}), weeks=frozenset({_WEEKS[ordinal]}))


def _other_week(days: str, first: str | None, at: time) -> Schedule:
    weekdays = _days(days)
    if weekdays >= _WORK:
        raise ScheduleError(f"every other {days!r}: name one or more weekdays, as in {_EVERY_OTHER}")
    if first is None:
        return Schedule(at=at, weekdays=weekdays, other_week_of=FIRST_WEEK)
    try:
        start = date.fromisoformat(first)
    except ValueError:
        raise ScheduleError(f"{first!r} is not a date. Example: {_EVERY_OTHER}") from None
    if start.weekday() not in weekdays:
        day = WEEKDAYS[start.weekday()].capitalize()
        raise ScheduleError(f"{first} is a {day}: after 'from', write a date on which the digest is due")
    return Schedule(at=at, weekdays=weekdays, other_week_of=start)


def _monthday(text: str) -> int:
    if not 1 <= int(text) <= 31:
        raise ScheduleError(f"no month has a day {text}")
    return int(text)


def _days(text: str) -> frozenset[int]:
    plain = text.removeprefix("every ").removeprefix("the ")
    groups = {
        "daily": ALL_WEEKDAYS, "day": ALL_WEEKDAYS, "days": ALL_WEEKDAYS,
        "weekday": _WORK, "weekdays": _WORK, "working day": _WORK,
        "weekend": _FREE, "weekends": _FREE,
    }  # fmt: skip
    if plain in groups:
        return groups[plain]
    chosen: set[int] = set()
    for part in re.split(r"\s*(?:,|&|\band\b)\s*", plain):
        first, dash, last = (
            word.strip() for word in re.sub(r"\b(?:to|till|until)\b", "-", part).partition("-")
        )
        if part:
            chosen |= _span(_weekday(first), _weekday(last)) if dash else {_weekday(first)}
    if not chosen:
        raise ScheduleError(f"the schedule names no day. Examples: {EXAMPLES}")
    return frozenset(chosen)


def _span(first: int, last: int) -> set[int]:
    return {(first + step) % 7 for step in range((last - first) % 7 + 1)}


def _weekday(word: str) -> int:
    plain = (
        word.removeprefix("every ").removesuffix("s")
        if word.endswith("days")
        else word.removeprefix("every ")
    )
    for number, name in enumerate(WEEKDAYS):
        if plain == name or (3 <= len(plain) <= 5 and name.startswith(plain)):
            return number
    known = [f"{name}s" for name in WEEKDAYS] + ["weekdays", "weekends", "every day", "daily"]
    raise ScheduleError(f"{word!r} is not a day{hint(word, known)}. Examples: {EXAMPLES}")


# ── as a cron line ──────────────────────────────────────────────────────────────────────────


def _cron(fields: list[str]) -> Schedule:
    minute, hour, monthday, month, weekday = fields
    weekdays = _field(weekday, "weekday", 0, 7, {name[:3]: (n + 1) % 7 for n, name in enumerate(WEEKDAYS)})
    return Schedule(
        at=time(_single(hour, "hour", 23), _single(minute, "minute", 59)),
        monthdays=_field(monthday, "day of the month", 1, 31, {}),
        months=_field(month, "month", 1, 12, {name: n for n, name in enumerate(MONTHS, 1)}),
        weekdays=frozenset((day - 1) % 7 for day in weekdays),  # cron's Sunday is 0, ours is 6
        either=not monthday.startswith("*") and not weekday.startswith("*"),
    )


def _single(text: str, name: str, top: int) -> int:
    if not text.isascii() or not text.isdigit():
        raise ScheduleError(f"cron {name} {text!r}: a digest goes out at most once a day, so give one number")
    if int(text) > top:
        raise ScheduleError(f"cron {name} {text!r}: the number must be from 0 to {top}")
    return int(text)


def _field(text: str, name: str, low: int, top: int, names: dict[str, int]) -> frozenset[int]:
    chosen: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if slash and (not step.isascii() or not step.isdigit() or int(step) == 0):
            raise ScheduleError(f"cron {name} {part!r}: the step must be a number of at least 1")
        values = range(low, top + 1) if span == "*" else _cron_span(span, name, (low, top), names)
        chosen.update(values[:: int(step or 1)])
    return frozenset(chosen)


def _cron_span(span: str, name: str, bounds: tuple[int, int], names: dict[str, int]) -> range | list[int]:
    first, dash, last = span.partition("-")
    start = _cron_value(first, name, bounds, names)
    if not dash:
        return range(start, start + 1)
    end = _cron_value(last, name, bounds, names)
    if end >= start:
        return range(start, end + 1)
    if name == "weekday":  # cron refuses "fri-mon", but its meaning is clear
        return [day % 7 for day in range(start, end + 8)]
    raise ScheduleError(f"cron {name} {span!r}: the end is before the beginning")


def _cron_value(text: str, name: str, bounds: tuple[int, int], names: dict[str, int]) -> int:
    if text.isascii() and text.isdigit():
        if not bounds[0] <= int(text) <= bounds[1]:
            raise ScheduleError(f"cron {name} {text!r}: the number must be from {bounds[0]} to {bounds[1]}")
        return int(text)
    if text[:3] in names and (len(text) == 3 or text in WEEKDAYS):
        return names[text[:3]]
    raise ScheduleError(f"cron {name} {text!r} cannot be read{hint(text, names)}")
