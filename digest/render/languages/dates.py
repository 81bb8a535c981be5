"""Format dates, times and lists in a reader's language, and know its writing direction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, get_timezone_location
from babel.lists import format_list

FALLBACK = "en"
_UNBROKEN = "\u00a0"
_COMMAS = dict.fromkeys(("ar", "fa", "ur"), "\u060c")


def long_date(day: date, language: str) -> str:
    """Return "Sunday, November 22, 2026" in `language` (BCP 47; English if it is unknown)."""
    return _plain(format_date(day, "full", locale=_locale(language)))


def moment(at: datetime, *, day: date, zone: str, language: str) -> str:
    """Return when something was published, as short as possible in an edition dated `day`.

    That is the time if it was on that day in `zone`, day and month if in that year, otherwise the date.
    Midnight in UTC stands for a whole day, because publishers who write only a date are read so.
    """
    is_whole_day = at.astimezone(UTC).time() == time(0)
    local = at.astimezone(UTC if is_whole_day else ZoneInfo(zone))
    locale = _locale(language)
    if local.date() == day and not is_whole_day:
        text = format_time(local.time(), "short", locale=locale)
    elif local.year == day.year:
        text = format_skeleton("MMMd", local, locale=locale)
    else:
        text = format_date(local.date(), "medium", locale=locale)
    return _plain(text).replace(" ", _UNBROKEN)


def appointment(at: datetime, *, now: datetime, zone: str, language: str) -> str:
    """Return a future time: "Tuesday 07:00, Berlin"; with a date if it is a week or more away."""
    local, locale = at.astimezone(ZoneInfo(zone)), _locale(language)
    comma = _COMMAS.get(locale.language, ",")
    day, _ = day_and_time(at, now=now, zone=zone, language=language)
    return _plain(f"{day} {local:%H:%M}{comma} {place(zone, language)}")


def day_and_time(at: datetime, *, now: datetime, zone: str, language: str) -> tuple[str, str]:
    """Return a future day, "Tuesday" or, if it is a week or more away, "Tue, Dec 1", and its time."""
    local, locale = at.astimezone(ZoneInfo(zone)), _locale(language)
    soon = local.date() - now.astimezone(ZoneInfo(zone)).date() < timedelta(days=7)
    day = (
        format_date(local, "EEEE", locale=locale) if soon else format_skeleton("MMMEd", local, locale=locale)
    )
    return _plain(day), _plain(format_time(local.time(), "short", locale=locale))


def place(zone: str, language: str) -> str:
    """Return the name of a time zone in `language`: its city, or the zone's own name."""
    if "/" not in zone:
        return zone
    return get_timezone_location(zone, locale=_locale(language), return_city=True)


def weekday_name(weekday: int, language: str) -> str:
    """Return the stand-alone name of a weekday; Monday is 0."""
    return str(_locale(language).days["stand-alone"]["wide"][weekday])


def month_name(month: int, language: str) -> str:
    """Return the stand-alone name of a month; January is 1."""
    return str(_locale(language).months["stand-alone"]["wide"][month])


def listed(texts: Sequence[str], language: str) -> str:
    """Return texts as a list in a sentence: "a, b, and c"."""
    return format_list(texts, locale=_locale(language))


def direction(language: str) -> str:
    """Return "rtl" for a language written from right to left, otherwise "ltr"."""
    return "rtl" if _locale(language).character_order == "right-to-left" else "ltr"


def tag(language: str) -> str:
    """Return `language` as a tag for HTML's lang if Babel knows it, otherwise "en"."""
    return str(_locale(language)).replace("_", "-")


def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language.replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale.parse(FALLBACK)


def _plain(text: str) -> str:
    # CLDR puts narrow spaces before AM and PM, which many mail fonts lack.
    return text.replace("\u202f", _UNBROKEN)
