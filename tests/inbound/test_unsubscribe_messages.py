"""Decide which messages to the unsubscribe address are unsubscribe requests, and find their tokens."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.inbound.unsubscribe_messages import Mark, Meaning, meaning_of, read_unsubscribe
from subscribers.tokens import reader_token

TOKEN = reader_token(b"a secret of the tests", 12, "u:daily")
OTHER = reader_token(b"a secret of the tests", 13, "u:daily")
HEXADECIMAL = urlsafe_b64decode(TOKEN).hex()
PIECES = (
    b"Subject: ", b"To: ", b"Return-Path: <>", b"Auto-Submitted: ", b"Content-Type: multipart/report",
    b"From a\n", b"=?utf-8?q?", b"=?utf-8?b?", b"=?x\0?b?QUI?=", b"=?idna?b?//8?=", b"=?punycode?q?=FF?=",
    b"=?rot13?q?a?=", b"=?utf-8?b?a?=", b"\r\n", b"\n ", b"%FF", b"\xff\xfe", b"+", b"@", b"?=",
    TOKEN.encode(), HEXADECIMAL.encode(),
)  # fmt: skip


def message(subject: str, *more: str, to: str = "leave@example.org") -> bytes:
    fields = ("From: Ada <ada@example.org>", f"To: {to}", f"Subject: {subject}", *more)
    return "\r\n".join([*fields, "", "Goodbye!", ""]).encode("utf-8", "surrogateescape")


def tokens(subject: str, *more: str, to: str = "leave@example.org") -> tuple[str, ...]:
    said = read_unsubscribe(message(subject, *more, to=to))
    return said.in_subject + said.in_recipient


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


def test_the_tokens_of_the_recipients_are_found_too() -> None:
    assert tokens("bye", to=f"Leave <leave+{TOKEN}@example.org>") == (TOKEN,)
    assert tokens("bye", f"Delivered-To: leave+{TOKEN}@example.org") == (TOKEN,)
    assert tokens(f"unsubscribe {OTHER}", to=f"leave+{TOKEN}@example.org") == (OTHER, TOKEN)


@pytest.mark.parametrize(
    "local", ["leave+{}", "leave-{}", "LEAVE+{}", "desk+leave+{}", "{}", "leave={}", "leave{}"]
)
@pytest.mark.parametrize("field", ["To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To"])
@pytest.mark.parametrize("spelling", [str, str.upper, str.title])
def test_a_token_in_hexadecimal_is_found_in_any_case(
    local: str, field: str, spelling: Callable[[str], str]
) -> None:
    """Mail servers may change the case of the letters before the @ (RFC 5321, 2.4)."""
    recipient = f"{local.format(spelling(HEXADECIMAL))}@example.org"
    assert tokens("bye", f"{field}: Leave <{recipient}>") == (TOKEN,)


@pytest.mark.parametrize("local", [HEXADECIMAL[1:], f"{HEXADECIMAL}a", HEXADECIMAL[::2]])
def test_a_shorter_or_longer_number_is_not_our_token(local: str) -> None:
    assert TOKEN not in tokens("bye", to=f"leave+{local}@example.org")


def test_a_token_in_the_text_or_from_the_sender_does_not_count() -> None:
    said = read_unsubscribe(message("bye", f"Reply-To: ada+{TOKEN}@example.org") + TOKEN.encode())
    assert said.meaning is Meaning.NO_TOKEN
    assert (said.in_subject, said.in_recipient) == ((), ())


def test_a_message_piped_by_postfix_is_read() -> None:
    piped = b"From ada@example.org Sun Nov 22 07:00:00 2026\nX-Original-To: leave@example.org\n"
    assert read_unsubscribe(piped + message(f"unsubscribe {TOKEN}")).in_subject == (TOKEN,)


REQUEST, REPORT, AUTOMATIC, REPLY, NO_TOKEN = Meaning
ASKED = f"unsubscribe {TOKEN}"
TAGGED = f"To: leave+{TOKEN}@example.org"
EDITION = "In-Reply-To: <daily-2026-11-23.0123@digest.example.org>"
REFERENCES = "References: <daily-2026-11-23.0123@digest.example.org>"
REPLIED = "Auto-Submitted: auto-replied"
BULK = "Precedence: bulk"
APPLE = "X-Apple-Unsubscribe: true"

# Invented messages in the manner of each program: its name, the fields besides the subject, the subject.
MESSAGES: list[tuple[Meaning, str, str, tuple[str, ...]]] = [
    (REQUEST, "Mail on a phone of Apple", ASKED, (TAGGED, REPLIED, APPLE)),
    (REQUEST, "Mail on a Mac", ASKED, (REPLIED, APPLE, "X-Mailer: Apple Mail")),
    (REQUEST, "Mail on a Mac, without our subject", "Unsubscribe", (TAGGED, REPLIED, APPLE)),
    (REQUEST, "Mail of Apple, as an answer", ASKED, (TAGGED, REPLIED, APPLE, EDITION, REFERENCES)),
    (REQUEST, "Mail of Apple, replying", "Re: Harbour news", (TAGGED, "auto-submitted: AUTO-REPLIED", APPLE)),
    (REQUEST, "Mail of Apple, other letters", ASKED, (REPLIED, "x-apple-unsubscribe:   TRUE ")),
    (REQUEST, "Gmail's servers", ASKED, (TAGGED, "X-Mailer: Gmail")),
    (REQUEST, "Gmail's servers, without our subject", "Unsubscribe", (TAGGED,)),
    (REQUEST, "Yahoo's servers", ASKED, (TAGGED, "Auto-Submitted: auto-generated")),
    (REQUEST, "Yahoo's servers, without our subject", "", (TAGGED, "Auto-Submitted: auto-generated")),
    (REQUEST, "a provider's server, in bulk", ASKED, (TAGGED, BULK, "Auto-Submitted: auto-generated")),
    (REQUEST, "a provider's server, for a thread", ASKED, (TAGGED, EDITION, REFERENCES)),
    (REQUEST, "Outlook", ASKED, (TAGGED, "X-Auto-Response-Suppress: All", "Thread-Index: AdpB")),
    (REQUEST, "Outlook on the web", ASKED, ("X-Auto-Response-Suppress: OOF, AutoReply",)),
    (REQUEST, "Thunderbird", ASKED, (TAGGED, "User-Agent: Thunderbird")),
    (REQUEST, "Thunderbird, to an address without a token", ASKED, ("Auto-Submitted: no",)),
    (REQUEST, "a person who follows the link", ASKED, ("Return-Path: <ada@example.org>",)),
    (REQUEST, "a person who adds words", f"please unsubscribe {TOKEN}, thank you", ()),
    (REQUEST, "a person who forwards the link", f"Fwd: unsubscribe {TOKEN}", ("X-Autoreply: no",)),
    (REQUEST, "a person who writes to the address", "bye", (TAGGED,)),
    (AUTOMATIC, "Exchange, away", f"Automatic reply: {ASKED}", ("Auto-Submitted: auto-generated",)),
    (REPLY, "Exchange, away, in a thread", f"Automatic reply: {ASKED}", (EDITION, REFERENCES)),
    (AUTOMATIC, "Gmail, away", f"Away Re: {ASKED}", (REPLIED, BULK, "X-Autoreply: yes", EDITION)),
    (AUTOMATIC, "Dovecot's sieve, away", f"Auto: {ASKED}", (f"{REPLIED} (vacation)", EDITION, BULK)),
    (AUTOMATIC, "Cyrus, away", f"Re: {ASKED}", (f"{REPLIED} (vacation)", EDITION)),
    (AUTOMATIC, "Cyrus, away, to the address", ASKED, (TAGGED, REPLIED, "Return-Path: <>")),
    (AUTOMATIC, "vacation(1)", f"away from my mail: {ASKED}", (BULK,)),
    (AUTOMATIC, "a responder with its own field", ASKED, (TAGGED, "X-Autorespond: away")),
    (AUTOMATIC, "a responder with its own precedence", ASKED, (TAGGED, "Precedence: auto_reply")),
    (AUTOMATIC, "a responder of a hosting panel", ASKED, (TAGGED, "X-Autoreply-From: ada@example.org")),
    (REPLY, "a responder without any mark", f"Re: {ASKED}", (EDITION,)),
    (AUTOMATIC, "a ticket system", f"[#12] {ASKED}", ("Auto-Submitted: auto-notified; owner-email=a@b",)),
    (AUTOMATIC, "a challenge", f"Please confirm: {ASKED}", (REPLIED, EDITION)),
    (AUTOMATIC, "a challenge, in bulk", f"Confirm [9a1]: {ASKED}", ("Precedence: junk",)),
    (AUTOMATIC, "a list that holds a message", f"Your message waits: {ASKED}", ("Precedence: list",)),
    (AUTOMATIC, "a list's answer to a command", f"Re: {ASKED}", (BULK, REPLIED)),
    (REPLY, "a reader who has changed their mind", f"Re: Re: {ASKED}: no, keep me", (EDITION, REFERENCES)),
    (REPLY, "a reader who answers everybody", f"Re: {ASKED}", (TAGGED, EDITION)),
    (NO_TOKEN, "a reader who answers an edition", "Re: Harbour news", (EDITION,)),
    (NO_TOKEN, "away, to an edition", "Re: Harbour news", (REPLIED, EDITION, BULK)),
    (NO_TOKEN, "Mail of Apple, without a token", "unsubscribe", (REPLIED, APPLE)),
    (NO_TOKEN, "an edition", "Harbour news", (BULK, "List-Unsubscribe-Post: List-Unsubscribe=One-Click")),
    (REPORT, "a bounce", ASKED, (TAGGED, "Content-Type: multipart/report; report-type=delivery-status")),
    (REPORT, "a bounce with the mark of Apple", ASKED, (APPLE, "Content-Type: Multipart/Report; boundary=b")),
    (REPORT, "a complaint", ASKED, (TAGGED, "Content-Type: message/feedback-report")),
    (REPORT, "a note that it was read", ASKED, ("Content-Type: multipart/report; boundary=b",)),
    (AUTOMATIC, "a bounce in plain words", ASKED, (TAGGED, "Return-Path: <>", "From: MAILER-DAEMON@a.test")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("meaning", "program", "subject", "more"), MESSAGES, ids=[each[1] for each in MESSAGES]
)
def test_a_message_is_a_request_if_a_reader_or_their_program_wrote_it(
    meaning: Meaning, program: str, subject: str, more: tuple[str, ...]
) -> None:
    said = read_unsubscribe(message(subject, f"X-Program: {program}", *more))
    assert said.meaning is meaning, said.marks


marks = st.frozensets(st.sampled_from(Mark))


@given(marks)
def test_a_report_or_a_message_without_a_token_is_never_a_request(found: frozenset[Mark]) -> None:
    assert meaning_of(found | {Mark.REPORT}) is REPORT
    assert meaning_of(found - {Mark.IN_SUBJECT, Mark.IN_RECIPIENT}) is not REQUEST


@given(marks)
def test_a_vacation_notice_is_never_a_request(found: frozenset[Mark]) -> None:
    """A notice does not come from Apple's mail program; it is marked, or quotes the subject of a message."""
    notice = found - {Mark.APPLE}
    assert meaning_of(notice | {Mark.ANSWERED}) is not REQUEST
    assert meaning_of((notice | {Mark.REPLY}) - {Mark.OUR_SUBJECT}) is not REQUEST
    assert meaning_of((notice | {Mark.GENERATED}) - {Mark.OUR_SUBJECT, Mark.IN_RECIPIENT}) is not REQUEST


@given(marks)
def test_no_mark_of_a_machine_makes_a_request_and_no_mark_of_a_reader_unmakes_one(
    found: frozenset[Mark],
) -> None:
    machine = {Mark.REPORT, Mark.ANSWERED, Mark.GENERATED, Mark.REPLY}
    if meaning_of(found) is not REQUEST:
        assert all(meaning_of(found | {mark}) is not REQUEST for mark in machine)
    else:
        assert all(meaning_of(found | {mark}) is REQUEST for mark in set(Mark) - machine)


@given(st.sampled_from(MESSAGES), st.permutations(range(5)))
def test_the_order_of_the_fields_does_not_matter(
    case: tuple[Meaning, str, str, tuple[str, ...]], order: list[int]
) -> None:
    meaning, _, subject, more = case
    fields = [more[number] for number in order if number < len(more)]
    assert read_unsubscribe(message(subject, *fields)).meaning is meaning


def test_a_message_made_to_keep_us_busy_is_read_in_part() -> None:
    assert read_unsubscribe(b"Subject: " + b"=?a?q?" * 160_000).in_subject == ()
    assert read_unsubscribe(b"Subject: =?a?q?\n" * 60_000).in_subject == ()
    assert len(tokens(" ".join(f"{number:028}" for number in range(1_000)))) == 10


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=30).map(b"".join) | st.binary())
def test_reading_never_fails_on_any_bytes(data: bytes) -> None:
    said = read_unsubscribe(data)
    assert max(len(said.in_subject), len(said.in_recipient)) <= 10
    assert (said.meaning is NO_TOKEN) <= (said.in_subject + said.in_recipient == ())
