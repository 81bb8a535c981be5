from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from digest.render.languages.dates import appointment, direction, long_date, moment, tag

DAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "Sunday, November 22, 2026"),
        ("en-GB", "Sunday, 22 November 2026"),
        ("de", "Sonntag, 22. November 2026"),
        ("es", "domingo, 22 de noviembre de 2026"),
        ("pt-BR", "domingo, 22 de novembro de 2026"),
        ("ja", "2026年11月22日日曜日"),
        ("xx", "Sunday, November 22, 2026"),
        ("", "Sunday, November 22, 2026"),
    ],
)
def test_a_date_is_written_out_in_the_language(language: str, expected: str) -> None:
    assert long_date(DAY, language) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 11, 22, 6, 5, tzinfo=UTC), "07:05"),
        (datetime(2026, 11, 21, 23, 30, tzinfo=UTC), "00:30"),
        (datetime(2026, 11, 21, 6, 5, tzinfo=UTC), "21 Nov"),
        (datetime(2025, 11, 21, 6, 5, tzinfo=UTC), "21 Nov 2025"),
        (datetime(2026, 11, 22, tzinfo=UTC), "22 Nov"),
        (datetime(2025, 11, 22, tzinfo=UTC), "22 Nov 2025"),
    ],
)
def test_a_time_is_written_as_shortly_as_the_day_allows(at: datetime, expected: str) -> None:
    text = moment(at, day=DAY, zone="Europe/Berlin", language="en-GB")
    assert text.replace("\u00a0", " ") == expected
    assert " " not in text, "it would break at the end of a line"


def test_a_date_without_a_time_is_the_same_day_everywhere() -> None:
    for zone in ("America/New_York", "Asia/Tokyo", "UTC"):
        shown = moment(datetime(2026, 11, 22, tzinfo=UTC), day=DAY, zone=zone, language="en-GB")
        assert shown.replace("\u00a0", " ") == "22 Nov"


def test_a_time_in_american_english_has_no_narrow_space() -> None:
    at = datetime(2026, 11, 22, 6, 5, tzinfo=UTC)
    assert moment(at, day=DAY, zone="UTC", language="en") == "6:05\u00a0AM"


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "Tuesday 07:00, Berlin"),
        ("de", "Dienstag 07:00, Berlin"),
        ("es", "martes 07:00, Berlín"),
        ("ar", "الثلاثاء 07:00، برلين"),
    ],
)
def test_an_appointment_has_the_comma_of_its_language(language: str, expected: str) -> None:
    at, now = datetime(2026, 11, 24, 6, 0, tzinfo=UTC), datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
    assert appointment(at, now=now, zone="Europe/Berlin", language=language) == expected


@pytest.mark.parametrize(
    ("language", "expected"), [("ar", "rtl"), ("he", "rtl"), ("fa-IR", "rtl"), ("de", "ltr")]
)
def test_the_direction_follows_the_language(language: str, expected: str) -> None:
    assert direction(language) == expected


def test_a_bad_language_tag_never_reaches_the_page() -> None:
    assert tag('en" onload="x') == "en"
    assert tag("pt_BR") == "pt-BR"
    assert tag("zh-Hant") == "zh-Hant"
