from __future__ import annotations

import pytest

from digest.compose.sections.names import heading, singulars
from digest.compose.sections.names import key_of as tag_key


@pytest.mark.parametrize(
    ("tag", "key"),
    [
        ("Climate-Change", "climate change"),
        ("#Trams", "trams"),
        ("The harbour", "harbour"),
        ("AI", "ai"),
        ("covid-19", "covid 19"),
        ("Türkiye", "turkiye"),
        ("灯台", "灯台"),
    ],
)
def test_a_tag_that_names_something_has_a_key(tag: str, key: str) -> None:
    assert tag_key(tag) == key


@pytest.mark.parametrize(
    "tag",
    [
        "author_name|Ada Finch",
        "region=US",
        "series:harbour-walks",
        "https://tags.example.org/sea",
        "5.9",
        "2026",
        "Uncategorized",
        "News",
        "  ",
        "🔥",
        "how the old harbour found its voice again",
        "x" * 41,
    ],
)
def test_a_tag_that_no_reader_would_understand_as_a_heading_has_none(tag: str) -> None:
    assert tag_key(tag) is None


def test_a_plural_meets_its_singular_where_both_are_written() -> None:
    keys = ["tram line", "tram lines", "city", "cities", "coach", "coaches", "boats", "new", "news"]
    assert singulars(keys) == {"tram lines": "tram line", "cities": "city", "coaches": "coach"}


@pytest.mark.parametrize(
    "pair", [("glas", "glass"), ("window", "windows"), ("cris", "crisis"), ("mar", "mars")]
)
def test_words_that_only_look_like_plurals_stay_apart(pair: tuple[str, str]) -> None:
    assert singulars(pair) == {}


@pytest.mark.parametrize(
    ("spellings", "expected"),
    [
        (["climate-change"], "Climate change"),
        (["climate_change", "Climate Change", "climate-change"], "Climate change"),
        (["Trams", "trams", "TRAMS"], "Trams"),
        (["AI"], "AI"),
        (["uk-news"], "UK news"),
        (["us"], "US"),
        (["NASA"], "NASA"),
        (["WordPress"], "WordPress"),
        (["iPhone"], "iPhone"),
        (["covid-19"], "Covid-19"),
        (["e-mail"], "E-mail"),
        (["Champions-League"], "Champions-League"),
        (["#harbour"], "Harbour"),
        (["arts & crafts"], "Arts & crafts"),
        (["élections"], "Élections"),
    ],
)
def test_a_heading_is_written_as_most_write_it(spellings: list[str], expected: str) -> None:
    assert heading(spellings) == expected


@pytest.mark.parametrize(
    ("spelling", "titles", "expected"),
    [
        ("wp-briefing", ["WP Briefing: Episode 27", "The WP Briefing is back"], "WP briefing"),
        ("the month in wordpress", ["The Month in WordPress – March"], "The month in WordPress"),
        ("cve", ["Two CVEs and CVE-2026-14 explained"], "CVE"),
        ("ai", ["AI at sea", "How AI reads tides"], "AI"),
        ("harbour", ["HARBOUR CLOSED"], "Harbour"),
        ("self-driving", ["Self-driving ferries arrive"], "Self-driving"),
    ],
)
def test_titles_show_how_the_words_of_a_tag_are_written(
    spelling: str, titles: list[str], expected: str
) -> None:
    assert heading([spelling], titles) == expected
