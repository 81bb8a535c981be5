from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.inbound.unsubscribe import read_unsubscribe
from subscribers.tokens import reader_token

TOKEN = reader_token(b"a secret of the tests", 12, "u:daily")
OTHER = reader_token(b"a secret of the tests", 13, "u:daily")
PIECES = (
    b"Subject: ", b"To: ", b"Return-Path: <>", b"Auto-Submitted: ", b"Content-Type: multipart/report",
    b"From a\n", b"=?utf-8?q?", b"=?utf-8?b?", b"=?x\0?b?QUI?=", b"=?idna?b?//8?=", b"=?punycode?q?=FF?=",
    b"=?rot13?q?a?=", b"=?utf-8?b?a?=", b"\r\n", b"\n ", b"%FF", b"\xff\xfe", b"+", b"@", b"?=",
    TOKEN.encode(),
)  # fmt: skip


def message(subject: str, *more: str, to: str = "leave@example.org") -> bytes:
    fields = ("From: Ada <ada@example.org>", f"To: {to}", f"Subject: {subject}", *more)
    return "\r\n".join([*fields, "", "Goodbye!", ""]).encode("utf-8", "surrogateescape")


def tokens(subject: str, *more: str, to: str = "leave@example.org") -> tuple[str, ...]:
    return read_unsubscribe(message(subject, *more, to=to)).tokens


@pytest.mark.parametrize(
    "subject",
    [
        f"unsubscribe {TOKEN}",
        f"UNSUBSCRIBE   {TOKEN}  ",
        f"Re: unsubscribe {TOKEN}",
        f"Fwd: [ext] Re: please unsubscribe “{TOKEN}”, thank you",
        f"unsubscribe\r\n {TOKEN}",
        f"unsubscribe\r\n\t{TOKEN}\r\n (sent by phone)",
        f"unsubscribe%20{TOKEN}",
        f"=?utf-8?q?unsubscribe_{TOKEN}?=",
        f"=?utf-8?q?D=C3=A9sinscription?= {TOKEN}",
        f"=?utf-8?q?unsubscribe_{TOKEN[:9]}?=\r\n =?utf-8?q?{TOKEN[9:]}?=",
        f"\udcff unsubscribe {TOKEN}",
    ],
)
def test_the_token_is_found_in_the_subject_however_it_is_written(subject: str) -> None:
    assert "_" not in TOKEN, "it would be a space in these encoded words"
    assert tokens(subject) == (TOKEN,)


@pytest.mark.parametrize("subject", ["", "unsubscribe", f"unsubscribe {TOKEN[:-1]}", f"unsubscribe {TOKEN}x"])
def test_a_shorter_or_longer_text_is_not_a_token(subject: str) -> None:
    assert tokens(subject) == ()


def test_without_a_token_in_the_subject_the_recipients_are_read() -> None:
    assert tokens("bye", to=f"Leave <leave+{TOKEN}@example.org>") == (TOKEN,)
    assert tokens("bye", f"Delivered-To: leave+{TOKEN}@example.org") == (TOKEN,)
    assert tokens(f"unsubscribe {OTHER}", to=f"leave+{TOKEN}@example.org") == (OTHER,)


def test_a_token_in_the_text_or_from_the_sender_does_not_count() -> None:
    assert (
        read_unsubscribe(message("bye", f"Reply-To: ada+{TOKEN}@example.org") + TOKEN.encode()).tokens == ()
    )


def test_a_message_piped_by_postfix_is_read() -> None:
    piped = b"From ada@example.org Sun Nov 22 07:00:00 2026\nX-Original-To: leave@example.org\n"
    assert read_unsubscribe(piped + message(f"unsubscribe {TOKEN}")).tokens == (TOKEN,)


@pytest.mark.parametrize(
    ("field", "automatic"),
    [
        ("Return-Path: <>", True),
        ("Auto-Submitted: auto-replied", True),
        ("Auto-Submitted: Auto-Replied; owner-email=ada@example.org", True),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=a", True),
        ("Return-Path: <ada@example.org>", False),
        ("Auto-Submitted: no", False),
        ("Auto-Submitted: auto-generated", False),  # a mail program may mark its one-click request like this
        ("Content-Type: text/plain", False),
    ],
)
def test_bounces_and_automatic_replies_are_recognised(field: str, automatic: bool) -> None:
    assert read_unsubscribe(message(f"unsubscribe {TOKEN}", field)).automatic is automatic


def test_a_message_made_to_keep_us_busy_is_read_in_part() -> None:
    assert read_unsubscribe(b"Subject: " + b"=?a?q?" * 160_000).tokens == ()
    assert read_unsubscribe(b"Subject: =?a?q?\n" * 60_000).tokens == ()
    assert len(tokens(" ".join(f"{number:028}" for number in range(1_000)))) == 10


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=30).map(b"".join) | st.binary())
def test_reading_never_fails_on_any_bytes(data: bytes) -> None:
    assert len(read_unsubscribe(data).tokens) <= 10
