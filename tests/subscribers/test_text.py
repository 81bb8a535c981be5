"""Untrusted text becomes one line, printable, or free of addresses."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.text import has_controls, one_line, printable, without_addresses

ANY = st.text(st.characters())  # lone surrogates too


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Tide\r\nBcc: all\t\x0b\u2028 and \u00a0 more ", "Tide Bcc: all and more"),
        ("It\x92s\x00 \x1bhere\x9d", "It s here"),
        ("java\x00script", "java script"),
        ("\u202egnp\u2066.exe مكتبة", "gnp.exe مكتبة"),
        ("half \ud800a \ufeffletter", "half a letter"),
        ("👩‍👩‍👧 day", "👩‍👩‍👧 day"),
        ("می‌خواهم", "می‌خواهم"),
        ("10\xa0000\xa0€ en\xa0mai\u202f! «\xa0oui\xa0»", "10\xa0000\xa0€ en mai\u202f! «\xa0oui\xa0»"),
        (" \n", ""),
    ],
)
def test_a_text_becomes_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("550  5.1.1\tno such reader ", "550 5.1.1 no such reader"),
        ("\x1b[31mred\x07 and \ufffd", "[31mred and \ufffd"),
        ("turned \u202e round and\u200djoined", "turned round and joined"),
        ("größe", "größe"),
    ],
)
def test_a_server_s_text_becomes_printable(text: str, line: str) -> None:
    assert printable(text) == line


@given(ANY)
def test_a_line_can_end_no_header_and_stays_as_it_is(text: str) -> None:
    line = one_line(text)
    assert not has_controls(line)
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in line)
    assert line == line.strip()
    assert "  " not in line
    assert one_line(line) == line


@given(ANY)
def test_a_printable_line_is_one_line_of_printable_characters(text: str) -> None:
    line = printable(text)
    assert line.isprintable()
    assert printable(line) == line


@pytest.mark.parametrize("char", ["\n", "\r", "\0", "\x7f", "\x85", "\u2028"])
def test_a_line_end_or_control_character_is_found(char: str) -> None:
    assert has_controls(f"a{char}b")
    assert not has_controls("a b größe 👩‍👩‍👧")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("5.1.1 <ada@example.org>: no such user", "5.1.1 … no such user"),
        ("ada@example.org and\tben@example.org", "… and\t…"),
        ("user @example.org, ada@ and @ alone", "user … … and … alone"),
        ("TO:<a@b@c>", "…"),
        ("no address here", "no address here"),
        ("", ""),
    ],
)
def test_addresses_are_left_out(text: str, left: str) -> None:
    assert without_addresses(text) == left


@given(st.text(st.characters() | st.sampled_from("@ a")))
def test_only_words_with_addresses_are_removed(text: str) -> None:
    words = re.split(r"(\s+)", text)
    left = without_addresses(text)
    assert "@" not in left
    assert left == "".join("…" if "@" in word else word for word in words)
    assert without_addresses(left) == left


def test_a_long_word_is_read_once() -> None:
    begun = time.process_time()
    without_addresses("x" * 200_000 + " @")
    assert time.process_time() - begun < 1
