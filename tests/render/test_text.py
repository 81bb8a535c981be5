from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.render.writing.text import COLUMNS, direction_of, shorten, underline, width, wrap
from subscribers.text import one_line

LRM, RLM = "\u200e", "\u200f"

words = st.text(st.characters(codec="utf-8"), max_size=400)


def test_a_short_line_is_not_shortened() -> None:
    assert shorten("Low tide", 8) == "Low tide"


def test_a_long_line_ends_after_a_whole_word() -> None:
    assert shorten("The night ferry returns, at last", 25) == "The night ferry returns…"


def test_a_word_that_just_fits_is_kept() -> None:
    assert shorten("The night ferry", 10) == "The night…"


def test_a_single_endless_word_is_cut() -> None:
    assert shorten("a" * 200, 10) == "a" * 9 + "…"


def test_wide_letters_take_two_columns_and_marks_none() -> None:
    assert width("潮汐") == 4
    assert width("é") == width("e\u0301") == 1


def test_a_heading_is_underlined_as_wide_as_it_is() -> None:
    assert underline("潮汐表") == "潮汐表\n------"
    assert underline("Coast & sea", "=") == "Coast & sea\n==========="


def test_a_long_heading_is_wrapped_and_underlined_as_its_widest_line() -> None:
    lines = underline("low tide " * 12).split("\n")
    assert len(lines) == 3
    assert len(lines[-1]) == max(len(line) for line in lines[:-1]) <= COLUMNS


def test_a_link_has_its_own_line_and_is_not_broken() -> None:
    link = "https://news.example.org/" + "a" * 100
    assert wrap(f"Read {link} at once") == f"Read\n{link}\nat once"


def test_a_family_of_emoji_is_not_torn() -> None:
    family = "👩‍👩‍👧‍👦"
    assert wrap(family * 3, 8) == "\n".join([family] * 3)


@pytest.mark.parametrize("columns", [20, COLUMNS])
@given(text=words)
def test_no_line_is_wider_than_asked_and_no_letter_is_lost(columns: int, text: str) -> None:
    lines = wrap(text, columns).split("\n")
    assert all(width(line) <= columns or "\u200d" in line or "://" in line for line in lines)
    assert unmarked("".join("".join(lines).split())) == unmarked("".join(one_line(text).split()))


def unmarked(text: str) -> str:
    return text.replace(LRM, "").replace(RLM, "")


def test_a_line_that_begins_with_a_name_in_another_script_keeps_the_direction_of_its_text() -> None:
    text = "تصلك هذه الرسالة لأنك اشتركت في Harbour Digest من دار النشر في المرفأ"
    first, *rest = wrap(text, 32).split("\n")
    assert first == "تصلك هذه الرسالة لأنك اشتركت في"
    assert rest == [f"{RLM}Harbour Digest من دار النشر في", "المرفأ"]
    assert wrap("Peace is سلام and مرحبا is hello", 8).split("\n") == [
        *("Peace is", f"{LRM}سلام and", f"{LRM}مرحبا is", "hello")
    ]


def test_a_text_has_the_given_direction_if_it_has_such_letters() -> None:
    assert wrap("Harbour من", direction="rtl") == f"{RLM}Harbour من"
    assert wrap("Harbour من") == wrap("Harbour من", direction="ltr") == "Harbour من"
    assert wrap("Harbour · 7:30", direction="rtl") == "Harbour · 7:30"
    assert wrap("من Harbour", direction="ltr") == f"{LRM}من Harbour"
    assert underline("Harbour من", direction="rtl") == f"{RLM}Harbour من\n----------"


@pytest.mark.parametrize(
    ("text", "base", "direction"),
    [
        ("iPhone 15 وتطبيق Ferry+", "rtl", "rtl"),
        ("The harbour today", "rtl", "ltr"),
        ("The word مرفأ is harbour", "ltr", "ltr"),
        ("مرفأ اليوم", "ltr", "rtl"),
        ("24:00", "rtl", "rtl"),
        ("", "ltr", "ltr"),
    ],
)
def test_a_text_reads_in_the_direction_of_its_edition_if_it_has_such_letters(
    text: str, base: str, direction: str
) -> None:
    assert direction_of(text, base) == direction


def test_a_link_gets_no_mark_because_it_is_copied() -> None:
    link = "https://news.example.org/d/daily/"
    assert wrap(f"اقرأ {link} الآن", direction="rtl") == f"اقرأ\n{link}\nالآن"


ARABIC = st.text(st.sampled_from("ab cd.12،مرحبا "), max_size=120)


@given(text=ARABIC, direction=st.sampled_from(["", "ltr", "rtl"]))
def test_every_line_of_a_text_reads_in_one_direction(text: str, direction: str) -> None:
    found = {first for line in wrap(text, 10, direction).split("\n") if (first := first_direction(line))}
    assert len(found) <= 1


def first_direction(line: str) -> str:
    """Return what a mail program takes for the direction of a line (UAX #9, P2)."""
    kinds = (unicodedata.bidirectional(char) for char in line)
    return next(("ltr" if kind == "L" else "rtl" for kind in kinds if kind in ("L", "R", "AL")), "")


@given(text=words, limit=st.integers(min_value=2, max_value=200))
def test_a_shortened_line_is_a_line_and_short(text: str, limit: int) -> None:
    line = shorten(text, limit)
    assert len(line) <= limit
    assert "\n" not in line
    assert line == one_line(line)
