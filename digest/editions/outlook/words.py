"""Write times, durations and numbers in the words of the desk."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

_BETWEEN = re.compile(r"(, | and )")  # names in a list
_SOON = timedelta(seconds=90)
_HOURS = timedelta(minutes=90)
_DAYS = timedelta(hours=36)
_WEEK = 7  # days
_NEAR = ("yesterday", "", "tomorrow")


def local(at: datetime, zone: str) -> datetime:
    """Return an instant as the time of a zone."""
    return at.astimezone(ZoneInfo(zone))


def clock_words(at: datetime, zone: str, now: datetime) -> str:
    """Return a time as the clocks of a zone show it: "07:00", "yesterday 18:20", "Friday 07:00"."""
    return f"{_day(at, zone, now)} {local(at, zone):%H:%M}".strip()


def at_words(at: datetime, zone: str, now: datetime) -> str:
    """Return a time within a sentence: "at 06:41", "tomorrow at 07:00", "on Friday at 07:00"."""
    day = _day(at, zone, now)
    on = "on " if day and day not in _NEAR else ""
    return f"{on}{day} at {local(at, zone):%H:%M}".strip()


def date_words(day: date) -> str:
    """Return a date in words: "Monday 30 November"."""
    return f"{day:%A} {day.day} {day:%B}"


def _day(at: datetime, zone: str, now: datetime) -> str:
    """Return as much of a date as is needed; nothing for today."""
    then, today = local(at, zone).date(), local(now, zone).date()
    days = (then - today).days
    if abs(days) <= 1:
        return _NEAR[days + 1]
    if abs(days) < _WEEK:
        return f"{then:%A}"
    year = "" if then.year == today.year else f" {then.year}"
    return f"{then.day} {then:%B}{year}"


def span_words(span: timedelta) -> str:
    """Return a duration in words: "45 seconds", "24 minutes", "5 hours", "3 days"."""
    if span < _SOON:
        return counted(max(round(span.total_seconds()), 1), "second")
    if span < _HOURS:
        return counted(round(span / timedelta(minutes=1)), "minute")
    if span < _DAYS:
        return counted(round(span / timedelta(hours=1)), "hour")
    return counted(round(span / timedelta(days=1)), "day")


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: "1 reader", "2,312 readers"."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def first_name(name: str) -> str:
    """Return the name by which pages speak of a person."""
    return name.split()[0] if name.split() else name


def first_names(names: str) -> str:
    """Return a list of persons in a sentence with their first names alone: "Maren and Ines"."""
    parts = _BETWEEN.split(names)
    return "".join(part if at % 2 else first_name(part) for at, part in enumerate(parts))


def ended(text: str) -> str:
    """Return a text as a whole sentence, with a full stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def begun(text: str) -> str:
    """Return a text as the beginning of a sentence, with a capital letter."""
    return text[:1].upper() + text[1:]


def curled(text: str) -> str:
    """Return a text with its first pair of straight quotes curled: of a headline in an error."""
    return text.replace('"', "“", 1).replace('"', "”", 1)
