"""Describe a schedule in a reader's language: "weekdays at 07:00"."""

from __future__ import annotations

from digest.render.languages.dates import listed, month_name, weekday_name
from digest.render.languages.languages import Words, words_for
from digest.schedule.schedule import ALL_MONTHDAYS, ALL_MONTHS, ALL_WEEKDAYS, LAST_DAY, Schedule

ENGLISH = words_for("en")

_WEEKDAYS, _WEEKEND = frozenset(range(5)), frozenset({5, 6})


def describe(schedule: Schedule, say: Words = ENGLISH) -> str:
    """Return a schedule in words; of every other week, it does not say which.

    If a schedule has only weekdays, the English text can be parsed as a schedule again.
    """
    days = _days(schedule, say)
    if schedule.months != ALL_MONTHS:
        months = [month_name(month, say.language) for month in sorted(schedule.months)]
        days = say("{days} in {months}", days=days, months=listed(months, say.language))
    return say("{days} at {time}", days=days, time=f"{schedule.at:%H:%M}")


def as_sentence(text: str) -> str:
    """Return `text` with its first letter capitalised, if its script has capitals."""
    return f"{text[:1].upper()}{text[1:]}"


def _days(schedule: Schedule, say: Words) -> str:
    by_weekday = _weekdays(schedule, say) if schedule.weekdays != ALL_WEEKDAYS else ""
    if schedule.monthdays == LAST_DAY:
        return say("on the last day of the month")
    if schedule.monthdays == ALL_MONTHDAYS:
        return by_weekday or say("every day")
    numbers = [str(day) for day in sorted(schedule.monthdays)]
    by_monthday = say("on day {days} of the month", days=listed(numbers, say.language))
    if schedule.skips_months:
        by_monthday = say("{days}, if the month has it,", days=by_monthday)
    if not by_weekday:
        return by_monthday
    if schedule.either:
        return say("{some} or {others}", some=by_weekday, others=by_monthday)
    return say("{some}, but only {others}", some=by_weekday, others=by_monthday)


def _weekdays(schedule: Schedule, say: Words) -> str:
    if schedule.weeks:
        weeks = sorted(schedule.weeks, key=lambda week: week % 9)  # sorts the last week, -1, after the fourth
        which = listed([_ordinals(say)[week] for week in weeks], say.language)
        day = weekday_name(min(schedule.weekdays), say.language)
        return say("{which} {day} of the month", which=which, day=day)
    if schedule.other_week_of:
        days = [weekday_name(day, say.language) for day in sorted(schedule.weekdays)]
        return say("every other {day}", day=listed(days, say.language))
    if schedule.weekdays == _WEEKDAYS:
        return say("weekdays")
    if schedule.weekdays == _WEEKEND:
        return say("weekends")
    names = _every(say)
    return listed([names[day] for day in sorted(schedule.weekdays)], say.language)


def _every(say: Words) -> tuple[str, ...]:
    return (
        say("Mondays"),
        say("Tuesdays"),
        say("Wednesdays"),
        say("Thursdays"),
        say("Fridays"),
        say("Saturdays"),
        say("Sundays"),
    )


def _ordinals(say: Words) -> dict[int, str]:
    return {
        1: say("first"),
        2: say("second"),
        3: say("third"),
        4: say("fourth"),
        -1: say("last"),
    }
