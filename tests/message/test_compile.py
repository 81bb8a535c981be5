from __future__ import annotations

import re
from dataclasses import replace
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.message.compile import (
    Compiled,
    Envelope,
    Values,
    compile_message,
    fill,
    placeholders,
    plain_message,
)
from digest.message.headers import mailbox_field, text_field, wire_address
from digest.message.quoted_printable import quoted_printable
from digest.model.deliveries import Recipient
from digest.model.messages import Email
from subscribers.text import one_line
from tests.send.world import NOW, read

WORDS = placeholders("the hash of an edition")
ENVELOPE = Envelope(
    sender="The Daily <daily@news.example.org>",
    recipient="reader@example.org",
    message_id="one@news.example.org",
    date=NOW,
    reply_to="Desk <desk@news.example.org>",
)
DATE = b"Sun, 22 Nov 2026 07:00:00 +0000"
VALUES = b"reader@example.org", b"one", b"u" * 28, b"p" * 28, DATE, b"a" * 42

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
TITLES = TEXT | st.sampled_from(
    [
        "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich",
        "🚢" * 250,
        "أخبار الميناء اليوم",
        "a" * 500,
        "word " * 100,
        "Bcc: someone@example.org\r\nX-Evil: 1",
        "=?utf-8?q?not_encoded?=",
        "two  spaces   and 'quotes' \\ \"here\"",
        "x" * 1200,
    ]
)


def email_with(subject: str = "Ships", text: str = "Hello\n", html: str = "<p>Hello</p>\n") -> Email:
    return Email.whole(subject=subject, html=html, text=text)


def content(message: EmailMessage) -> str:
    text = message.get_content()
    assert isinstance(text, str)
    return text.replace("\r\n", "\n")


def lines_of(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


@given(title=TITLES)
def test_any_title_is_read_back_as_it_was_and_adds_no_header(title: str) -> None:
    data = plain_message(email_with(title), ENVELOPE)
    message = read(data)
    assert message["Subject"] == one_line(title)
    assert len(message.keys()) == len(read(plain_message(email_with("Ships"), ENVELOPE)).keys())
    assert len(message.get_all("Subject", [])) == 1


def test_a_message_names_the_languages_that_are_in_it() -> None:
    email = replace(email_with(), languages=("en-GB", "ar"))
    assert read(plain_message(email, ENVELOPE))["Content-Language"] == "en-GB, ar"
    assert "Content-Language" not in read(plain_message(email_with(), ENVELOPE))


@given(name=TITLES.filter(lambda name: one_line(name) and not set('<>,@"()\\:;[]') & set(name)))
def test_any_display_name_is_read_back_as_it_was(name: str) -> None:
    data = plain_message(email_with(), replace(ENVELOPE, sender=f"{one_line(name)} <daily@news.example.org>"))
    sender = read(data)["From"].addresses[0]
    assert sender.addr_spec == "daily@news.example.org"
    # The parser of 3.11 puts a space between encoded words of a phrase, against RFC 2047, 6.2.
    assert "".join(sender.display_name.split()) == "".join(one_line(name).split())


@given(text=TEXT, html=TEXT)
def test_both_bodies_are_read_back_exactly(text: str, html: str) -> None:
    text, html = f"{text}\n", f"{html}.\n"
    message = read(plain_message(email_with(text=text, html=html), ENVELOPE))
    plain, rich = message.iter_parts()
    assert isinstance(plain, EmailMessage)
    assert isinstance(rich, EmailMessage)
    assert (plain.get_content_type(), rich.get_content_type()) == ("text/plain", "text/html")
    assert content(plain) == lines_of(text)
    assert content(rich) == lines_of(html)


@given(text=TEXT)
def test_an_email_without_html_is_its_text(text: str) -> None:
    message = read(plain_message(email_with(text=f"{text}\n", html=""), ENVELOPE))
    assert message.get_content_type() == "text/plain"
    assert content(message) == lines_of(f"{text}\n")


@given(title=TITLES, text=TEXT, html=TEXT)
def test_every_server_takes_the_bytes(title: str, text: str, html: str) -> None:
    data = plain_message(email_with(title, f"{text}\n.\nFrom me\n..", f"{html}\n."), ENVELOPE)
    assert data.isascii()
    assert data.endswith(b"\r\n")
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\r" not in data.replace(b"\r\n", b"")
    head, _, body = data.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 998
    lines = body.split(b"\r\n")
    assert max(map(len, lines)) <= 76
    assert not [line for line in lines if line.startswith((b".", b"From "))]
    assert not [line for line in lines if line.endswith((b" ", b"\t"))]


@given(title=TITLES, text=TEXT)
def test_lines_with_encoded_words_have_at_most_76_characters(title: str, text: str) -> None:
    lines = text_field("Subject", title).split("\r\n")
    assert max([len(line) for line in lines if "=?" in line], default=0) <= 76
    assert all(line.strip() for line in lines[1:])


def filled(compiled: Compiled, values: Values) -> bytes:
    parts, size = fill(compiled, values)
    whole = b"".join(parts)
    assert len(whole) == size
    return whole


def test_a_filled_email_is_the_message_written_for_that_reader() -> None:
    text = "Héllo {}\n{} and {}\n"
    html = f'<a href="https://news.example.org/u/daily/{{}}">{"x" * 70}{{}}</a>{{}}\n'
    words = WORDS.unsubscribe, WORDS.preferences, WORDS.unsubscribe
    tokens = "u" * 28, "p" * 28, "u" * 28
    envelope = replace(ENVELOPE, recipient=WORDS.recipient, message_id=WORDS.message_id)
    compiled = compile_message(email_with("Ships", text.format(*words), html.format(*words)), envelope, WORDS)
    message = read(filled(compiled, VALUES))
    plain, rich = message.iter_parts()
    assert isinstance(plain, EmailMessage)
    assert isinstance(rich, EmailMessage)
    assert content(plain) == text.format(*tokens)
    assert content(rich) == html.format(*tokens)
    assert (message["To"], message["Message-ID"]) == ("reader@example.org", "<one>")
    assert not re.search(b"|".join(word.encode() for word in WORDS), filled(compiled, VALUES))


PARTS = st.lists(st.sampled_from([*WORDS, ".", "\n.", "..\n", " ", "ä", "\r\n.\r\n", "quay"]), max_size=9)


@given(
    text=PARTS.map("".join),
    html=PARTS.map("".join),
    recipient=st.sampled_from(["a@b.example", ".a@b.example"]),
)
def test_an_email_marked_plain_is_plain_for_every_reader(text: str, html: str, recipient: str) -> None:
    values = recipient.encode(), b".one", b"u.", b"-", DATE, b"."
    compiled = compile_message(
        email_with(text=text, html=html), replace(ENVELOPE, recipient=WORDS.recipient), WORDS
    )
    whole = filled(compiled, values)
    assert whole.isascii()
    assert not compiled.plain or b"\r\n." not in b"\r\n" + whole


def test_an_ordinary_email_is_plain() -> None:
    text = f"Ships\n.\nLeave: https://news.example.org/u/{WORDS.unsubscribe}\nZwölf\n"
    assert compile_message(email_with(text=text), replace(ENVELOPE, recipient=WORDS.recipient), WORDS).plain


def test_a_placeholder_stands_alone_between_soft_breaks() -> None:
    assert quoted_printable("before WORD after", ["WORD"]) == b"before =\r\nWORD=\r\n after"
    assert quoted_printable("WORD\nWORD", ["WORD"]) == b"WORD\r\nWORD"


def test_words_are_as_long_as_a_token_and_differ_between_editions() -> None:
    assert {len(word) for word in WORDS} == {28}
    assert len({*WORDS, *placeholders("another")}) == 12


@pytest.mark.parametrize("value", ["two\r\nlines", "a\nb", "a\0b", "\x7f", "ünïcode", "x" * 76, ".dot", ""])
@pytest.mark.parametrize("place", [2, 3])
def test_a_token_that_would_break_a_line_is_refused(place: int, value: str) -> None:
    compiled = compile_message(email_with(), ENVELOPE, WORDS)
    values = [*VALUES]
    values[place] = value.encode()
    with pytest.raises(ValueError, match="not allowed there"):
        fill(compiled, (values[0], values[1], values[2], values[3], *VALUES[4:]))


@pytest.mark.parametrize("value", ["two\r\nlines@example.org", "ü@example.org", "a\tb@example.org"])
@pytest.mark.parametrize("place", [0, 1])
def test_an_address_that_would_break_a_header_is_refused(place: int, value: str) -> None:
    compiled = compile_message(email_with(), ENVELOPE, WORDS)
    with pytest.raises(ValueError, match="not allowed there") as refusal:
        fill(
            compiled,
            (value.encode(), *VALUES[1:]) if place == 0 else (VALUES[0], value.encode(), *VALUES[2:]),
        )
    assert value not in str(refusal.value)


@pytest.mark.parametrize(
    "address",
    [
        *("", "nobody", "a@b@c", "a b@example.org", "a@example.org\r\nBcc: b@example.org", "a,b@example.org"),
        *("<a@example.org>", "ünï@example.org", "a@exa mple.org", "a@\udc80.example", "a@-example.org"),
        *("a@har‥bour.example", f"a@{'ü' * 63}.example", "a@-ü.example.", "a@ü_ü.example"),
    ],
)
def test_an_address_that_could_end_a_header_is_refused_without_being_quoted(address: str) -> None:
    with pytest.raises(ValueError, match=r"^the address cannot be written in an email$"):
        wire_address(address)


def test_an_international_domain_is_written_in_ascii() -> None:
    assert wire_address("info@bücher.example") == "info@xn--bcher-kva.example"
    assert wire_address("info@ankerstraße.example") == "info@xn--ankerstrae-e4a.example"


def test_a_header_of_our_own_with_a_line_end_in_it_is_refused() -> None:
    with pytest.raises(ValueError, match="'X-Note'"):
        plain_message(email_with(), replace(ENVELOPE, more=("X-Note: a\r\nBcc: b@example.org",)))


def test_a_single_message_is_marked_as_generated() -> None:
    assert read(plain_message(email_with(), ENVELOPE))["Auto-Submitted"] == "auto-generated"


def test_a_short_name_keeps_its_line_and_a_long_one_is_folded() -> None:
    assert mailbox_field("From", '"Harbour, News" <a@b.example>') == 'From: "Harbour, News" <a@b.example>'
    assert "\r\n <" in mailbox_field("From", f"{'Harbour ' * 8}<a@b.example>")


def test_a_recipient_has_all_topics_by_default() -> None:
    assert Recipient(0, "a@example.org") == (0, "a@example.org", "", "html", 0, "", None, None)
