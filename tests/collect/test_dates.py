"""Dates are read as publishers write them; a wrong date is worse than none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.reading.dates import parse_date


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sat, 22 Nov 2025 09:05:00 GMT", "2025-11-22 09:05"),
        ("22 Nov 25 09:05 GMT", "2025-11-22 09:05"),
        ("Saturday, November 22nd, 2025 at 9:05 PM", "2025-11-22 21:05"),
        ("Sat Nov 22 09:05:00 CET 2025", "2025-11-22 08:05"),
        ("Sat Nov 22 2025 09:05:00 GMT+0100 (Central European Standard Time)", "2025-11-22 08:05"),
        ("22 Sept 2025 09:05 CEST", "2025-09-22 07:05"),
        ("Mon, 22 Sep 2025 09:05:00 EDT", "2025-09-22 13:05"),
        ("Mon, 22 Sep 2025 09:05:00 +5:30", "2025-09-22 03:35"),
        ("Mon, 22 Sep 2025 09:05:00 Europe/Lisbon", "2025-09-22 08:05"),
        ("Sat, 22 Nov 2025 09:05:00 (MEZ)", "2025-11-22 08:05"),
        ("Sa, 22 Nov 2025 24:00:00 +0000", "2025-11-23 00:00"),
        ("1763802300", "2025-11-22 09:05"),
        ("1763802300000", "2025-11-22 09:05"),
        ("2025-11-22", "2025-11-22 00:00"),
        ("2025-11-22T09:05Z", "2025-11-22 09:05"),
        ("2025-11-22T09:05:07,123456789+01", "2025-11-22 08:05:07"),
        ("2025-11-22 09:05:00 -0300", "2025-11-22 12:05"),
        ("2025/11/22 9:05", "2025-11-22 09:05"),
        ("20251122T090500Z", "2025-11-22 09:05"),
        ("202511220905", "2025-11-22 09:05"),
        ("22.11.2025, 09:05 Uhr", "2025-11-22 09:05"),
        ("22-11-2025 09:05", "2025-11-22 09:05"),
        ("11/22/2025 9:05:00 AM", "2025-11-22 09:05"),
        ("2025年11月22日(土) 午後9時05分", "2025-11-22 21:05"),
        ("令和7年11月22日", "2025-11-22 00:00"),
        ("2025년 11월 22일 오전 9:05", "2025-11-22 09:05"),
        ("sam. 22 nov. 2025 à 09h05", "2025-11-22 09:05"),
        ("22 février 2025 09:05", "2025-02-22 09:05"),
        ("22. März 2025 09:05", "2025-03-22 09:05"),
        ("22 de marzo de 2025, 9:05", "2025-03-22 09:05"),
        ("mar, 11 mar 2025 09:05:00 +0100", "2025-03-11 08:05"),
        ("الأحد، ٢٢ فبراير ٢٠٢٦ ٩:٠٥ م", "2026-02-22 21:05"),
        ("22 كانون الأول 2025 09:05", "2025-12-22 09:05"),
        ("22 ноября 2025 г. 09:05 MSK", "2025-11-22 06:05"),
        ("22 października 2025", "2025-10-22 00:00"),
        ("22 Νοεμβρίου 2025 09:05", "2025-11-22 09:05"),
        ("22 בנובמבר 2025", None),
        ("2025 Nov 22 09:05", "2025-11-22 09:05"),
    ],
)
def test_a_date_is_read_as_it_is_written(text: str, expected: str | None) -> None:
    assert parse_date(text) == (at(expected) if expected else None)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("03/05/2025 09:05", "en-US", "2025-03-05 09:05"),
        ("03/05/2025 09:05", "en-GB", "2025-05-03 09:05"),
        ("03/05/2025 9:05 AM", "en-AU", "2025-05-03 09:05"),
        ("03/05/2025 9:05 AM", "en", "2025-03-05 09:05"),
        ("03-05-2025 09:05", "nl", "2025-05-03 09:05"),
        ("03/05/2025", "en", None),
        ("03/05/2025", "", None),
        ("22 lis 2025", "pl", "2025-11-22 00:00"),
        ("22 lis 2025", "hr", "2025-10-22 00:00"),
        ("22 lis 2025", "", None),
        ("22 Nov 2025 09:05 CST", "zh-CN", "2025-11-22 01:05"),
        ("22 Nov 2025 09:05 CST", "en", "2025-11-22 15:05"),
        ("22 Nov 2025 09:05 IST", "en-IN", "2025-11-22 03:35"),
        ("22 Nov 2025 09:05 IST", "en", None),
    ],
)
def test_the_language_decides_what_a_date_in_itself_does_not_say(
    text: str, language: str, expected: str | None
) -> None:
    assert parse_date(text, language) == (at(expected) if expected else None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2025",
        "2025-11",
        "31 Feb 2025 09:05",
        "22 Nov 2025 25:05",
        "22 Nov 2025 09:05 XYZT",
        "22 Foo 2025 09:05",
        "22 Nov 2025 9",
        "Nov 2025",
        "1763802300 x",
        "2025-11-22T09:05:00+99:00",
        "2025-13-22",
        "22 Nov 2025 and 23 Dec 2025",
        "0000-00-00 00:00:00",
        "9" * 500,
    ],
)
def test_a_date_that_is_not_understood_is_no_date(text: str) -> None:
    assert parse_date(text) is None


moments = st.integers(0, 40 * 365 * 86_400).map(lambda seconds: at("1991-01-01") + timedelta(seconds=seconds))
zones = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))


@given(moments, zones)
def test_every_time_comes_back_from_the_common_forms(moment: datetime, zone: timezone) -> None:
    local = moment.replace(tzinfo=zone)
    for text in (
        format_datetime(local),
        local.isoformat(),
        f"{local:%A, %B %d, %Y %I:%M:%S %p %z}",
        f"{local:%d.%m.%Y %H:%M:%S %z}",
        f"{local:%a %b %d %H:%M:%S %z %Y}",
        f"{local:%a %b %d %Y %H:%M:%S} GMT{local:%z}",
        f"{local:%Y年%m月%d日 %H:%M:%S %z}",
    ):
        assert parse_date(text) == local
    assert parse_date(str(int(local.timestamp()))) in (local, None)


@given(st.text(max_size=60) | st.from_regex(r"[0-9a-z年/:. +-]{1,40}", fullmatch=True))
def test_any_text_gives_a_date_or_none(text: str) -> None:
    found = parse_date(text)
    assert found is None or found.tzinfo is not None
