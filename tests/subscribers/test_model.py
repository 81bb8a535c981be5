"""Texts of forms and files become choices and preferences."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscribers.errors import ChoiceError
from subscribers.model import (
    Choice,
    Format,
    Frequency,
    Preferences,
    Reader,
    make_id,
    parse_format,
    parse_hour,
    parse_language,
    parse_zone,
)

slugs = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True)
choices = st.one_of(
    st.builds(lambda names: Choice(include=names), st.frozensets(slugs, max_size=5)),
    st.builds(lambda names: Choice(exclude=names), st.frozensets(slugs, max_size=5)),
)


@settings(deadline=None)
@given(choices)
def test_a_choice_survives_being_written_and_read(choice: Choice) -> None:
    assert Choice.parse(str(choice)) == choice


@settings(deadline=None)
@given(st.lists(slugs, min_size=1, max_size=5), st.randoms())
def test_equal_choices_are_equal_text(names: list[str], random: object) -> None:
    spoken = " , ".join([*reversed(names), names[0].upper()])
    assert str(Choice.parse(spoken)) == ",".join(sorted(set(names)))


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("", {"climate", "sport"}, set()),
        ("climate,space", {"climate", "space"}, {"sport"}),
        ("-sport", {"climate", "space"}, {"sport"}),
        ("-sport,-space", {"climate"}, {"sport", "space"}),
        ("العلوم,наука", {"العلوم", "наука"}, {"sport"}),
    ],
)
def test_a_choice_says_which_topics_are_wanted(text: str, wanted: set[str], unwanted: set[str]) -> None:
    choice = Choice.parse(text)
    assert {slug for slug in wanted | unwanted if choice.wants(slug)} == wanted


@pytest.mark.parametrize(
    "text",
    [
        "climate,-sport",
        "a b",
        "--sport",
        "-",
        ",",
        "a,,b",
        "a_b",
        "a--b",
        "x" * 101,
        "<b>",
        "a\x00",
        "é!",
        "a\r\nB: c",
    ],
)
def test_a_bad_topic_is_refused_and_the_field_is_named(text: str) -> None:
    with pytest.raises(ChoiceError) as refusal:
        Choice.parse(text)
    assert refusal.value.field == "topics"


def test_a_choice_of_more_than_a_hundred_topics_is_refused() -> None:
    with pytest.raises(ChoiceError, match="at most 100"):
        Choice.parse(",".join(f"t{number}" for number in range(101)))


def test_a_capital_letter_in_a_slug_given_by_a_program_is_refused() -> None:
    with pytest.raises(ChoiceError):
        Choice(include=frozenset({"Climate"}))


def test_empty_preferences_are_the_defaults_of_the_digest() -> None:
    assert Preferences.parse() == Preferences()


def test_preferences_are_read_from_text() -> None:
    assert Preferences.parse(
        topics="-sport", hour="7:30", zone="Europe/Berlin", frequency="Weekly"
    ) == Preferences(
        topics=Choice(exclude=frozenset({"sport"})),
        hour="07:30",
        zone="Europe/Berlin",
        frequency=Frequency.WEEKLY,
    )


@pytest.mark.parametrize("hour", ["24:00", "7", "7.30", "07:60", "seven", "07:30:00", "٠٧:٣٠", "-7:30"])
def test_an_hour_that_is_none_is_refused(hour: str) -> None:
    with pytest.raises(ChoiceError, match="07:30"):
        parse_hour(hour)


@pytest.mark.parametrize(
    "zone", ["Berlin", "europe/berlin", "../../etc/passwd", "+02:00", "Europe/Berlin\n\nX"]
)
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(ChoiceError, match="Europe/Berlin"):
        parse_zone(zone)


@pytest.mark.parametrize(("text", "language"), [("", None), ("en", "en"), (" pt-BR ", "pt-BR"), ("ar", "ar")])
def test_a_language_is_a_short_tag(text: str, language: str | None) -> None:
    assert parse_language(text) == language


@pytest.mark.parametrize("text", ["english", "e", "en_US", "en-" + "abcdefgh-" * 4 + "x", "<x>"])
def test_a_bad_language_tag_is_refused(text: str) -> None:
    with pytest.raises(ChoiceError) as refusal:
        parse_language(text)
    assert refusal.value.field == "language"


def test_a_format_is_html_or_text() -> None:
    assert (parse_format(""), parse_format("TEXT")) == (None, Format.TEXT)
    with pytest.raises(ChoiceError, match="html, text"):
        parse_format("pdf")


@settings(deadline=None)
@given(st.integers(1_577_836_800_000_000, 3_800_000_000_000_000), st.integers(0, 4095))
def test_ids_are_positive_and_ordered_by_time(microseconds: int, entropy: int) -> None:
    first, later = make_id(microseconds, entropy), make_id(microseconds + 1, 0)
    assert 0 <= first < later < 2**63


def test_a_reader_without_a_digest_has_no_subscription_to_it() -> None:
    assert Reader().subscription("daily") is None
