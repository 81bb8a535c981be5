"""Read reports as servers and providers write them, other messages, and malicious ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.inbound.bounce_reports import read_bounce
from subscribers.rules.bounces import BounceKind

SEAL = "0123456789abcdef0123456789abcdef0123456789"
ANOTHER = "f" * 42
HARD, SOFT, OTHER, COMPLAINT = BounceKind

ORIGINAL = f"""\
From: Harbour <daily@digest.example.org>
To: ada@example.org
Subject: Low tide =?utf-8?q?=E2=80=93?= and what it left
Message-ID: <daily-2026-11-23.{SEAL}@digest.example.org>

Status: 5.1.1
Action: failed
"""
BY_POSTFIX = """\
Return-Path: <>
From: MAILER-DAEMON@mail.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/{kind};{report}
	boundary="D2B1.1795400000/mail.example.org"

This is a MIME-encapsulated message.

--D2B1.1795400000/mail.example.org
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--D2B1.1795400000/mail.example.org
Content-Description: Delivery report
Content-Type: {type}

Reporting-MTA: dns; mail.example.org
X-Postfix-Queue-ID: D2B1
Arrival-Date: Mon, 23 Nov 2026 07:00:00 +0000 (UTC)

Final-Recipient: rfc822; ada@example.org
Original-Recipient: rfc822;ada@example.org
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.org
Diagnostic-Code: {said}

--D2B1.1795400000/mail.example.org
Content-Description: Undelivered Message
Content-Type: {returned}

{original}
--D2B1.1795400000/mail.example.org--
"""


def report(said: str = "smtp; 550 5.1.1 <ada@example.org>: no such user", **words: str) -> bytes:
    values = {
        "to": f"bounces+{SEAL}@digest.example.org",
        "kind": "report",
        "report": " report-type=delivery-status;",
        "type": "message/delivery-status",
        "action": "failed",
        "status": "5.0.0",
        "returned": "message/rfc822",
        "original": ORIGINAL,
    }
    return BY_POSTFIX.format(**{**values, "said": said, **words}).encode()


def test_a_report_has_the_reader_the_edition_and_the_reason() -> None:
    said = read_bounce(report())
    assert said is not None
    assert (said.kind, said.seals, said.edition) == (HARD, (SEAL,), "daily-2026-11-23")
    assert said.reason == "550 5.1.1 … no such user"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ({"kind": "mixed", "report": ""}, HARD),  # OpenSMTPD
        ({"type": "message/global-delivery-status"}, HARD),  # RFC 6533
        ({"returned": "text/rfc822-headers"}, HARD),
        ({"said": "smtp; 550 mailbox is full"}, SOFT),  # Exim, whose status is 5.0.0
        ({"said": "smtp;\n 552-5.2.2 The account is over\n 552 5.2.2 its quota"}, SOFT),
        ({"said": "X-Postfix; host or domain name not found", "status": "5.4.4"}, HARD),
        ({"said": "", "status": "5.1.1 (bad destination mailbox address)"}, HARD),
        ({"said": "smtp; 554 5.7.1 blocked, see our policy"}, OTHER),
        ({"said": "smtp; 450 4.2.0 try later", "status": "4.2.0"}, OTHER),  # tried for days, and given up
        ({"action": "FAILED (bounced)"}, HARD),
        ({"action": "expired", "status": "4.4.7", "said": ""}, OTHER),
        ({"said": "550 5.1.1 no such user; see https://example.org/1"}, HARD),
        ({"said": 'x-postfix; unknown user: "ada450"', "status": "5.1.1"}, HARD),
        (
            {"said": "smtp; host [2001:db8:400::1a] said: 550-5.1.1 <ada450@example.org>: no such user"},
            HARD,
        ),
        ({"action": "delayed", "status": "4.4.1"}, None),
        ({"action": "relayed"}, None),
        ({"action": "delivered", "status": "2.0.0"}, None),
    ],
)
def test_the_parts_of_a_report_are_found_at_any_level(words: dict[str, str], kind: BounceKind | None) -> None:
    said = read_bounce(report(**words))
    assert said is not None
    assert said.kind is kind
    assert said.seals == (SEAL,)
    assert "@" not in said.reason


def test_the_recipient_of_a_report_counts_before_the_message_it_returns() -> None:
    said = read_bounce(report(to=f"bounces+{ANOTHER.upper()}@digest.example.org"))
    assert said is not None
    assert said.seals == (ANOTHER,)
    assert said.edition == ""
    returned = read_bounce(report(to="daily@digest.example.org"))
    assert returned is not None
    assert (returned.seals, returned.edition) == ((SEAL,), "daily-2026-11-23")
    nobody = read_bounce(report(to="daily@digest.example.org", original="Subject: x\n"))
    assert nobody is not None
    assert nobody.seals == ()


def test_of_several_recipients_the_failed_one_counts() -> None:
    more = "smtp; 250 ok\n\nFinal-Recipient: rfc822; b@example.org\nAction: failed\nStatus: 5.1.1"
    said = read_bounce(report(said=more, action="delivered", status="2.0.0"))
    assert said is not None
    assert said.kind is HARD


def test_if_the_status_says_nothing_the_text_for_people_counts() -> None:
    """Exim reports a local mailbox that does not exist like this."""
    message = report(said="", status="5.0.0").replace(b"Diagnostic-Code: \n", b"")
    words = b"The following address(es) failed:\n\n  ada@example.org\n    Unrouteable address\n"
    with_text = read_bounce(message.replace(b"I'm sorry to have to inform you", words))
    without = read_bounce(message)
    assert with_text is not None
    assert without is not None
    assert (with_text.kind, without.kind) == (HARD, OTHER)
    assert with_text.reason == "5.0.0 Unrouteable address"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (b"said: 550 5.1.1 no such user (in reply to RCPT TO command)", HARD),
        (b"SMTP error from remote mail server after RCPT TO:<ada@example.org>", HARD),
        (b"said: 550 5.1.1 no such user (in reply to end of DATA\n    command)", OTHER),
        (b"said: 550 5.1.1 no such user (in reply to DATA command)", OTHER),
        (b"SMTP error from remote mail server after end of data", OTHER),
        (b"SMTP error from remote mail server after pipelined end of data", OTHER),
    ],
)
def test_a_report_that_the_text_was_refused_is_not_about_the_mailbox(words: bytes, kind: BounceKind) -> None:
    said = read_bounce(report().replace(b"I'm sorry to have to inform you", words))
    assert said is not None
    assert said.kind is kind


BY_QMAIL = f"""\
Return-Path: <>
From: MAILER-DAEMON@mail.example.org
To: bounces+{SEAL}@digest.example.org
Subject: failure notice

Hi. This is the qmail-send program at mail.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.

<ada@example.org>:
192.0.2.25 does not like recipient.
Remote host said: 550 {{}}
Giving up on 192.0.2.25.

--- Below this line is a copy of the message.

{ORIGINAL}"""


@pytest.mark.parametrize(
    ("words", "kind"), [("5.1.1 no such user", HARD), ("mailbox is full", SOFT), ("5.7.1 spam", OTHER)]
)
def test_a_server_that_writes_plain_words_is_understood(words: str, kind: BounceKind) -> None:
    said = read_bounce(BY_QMAIL.format(words).encode())
    assert said is not None
    assert (said.kind, said.seals) == (kind, (SEAL,))


COMPLAINT_MAIL = f"""\
From: <feedback@provider.example.org>
To: abuse@digest.example.org
Subject: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

This is an abuse report for a message from 192.0.2.1.

--b
Content-Type: message/feedback-report

Feedback-Type: {{}}
User-Agent: Provider/1.0
Version: 1
Original-Mail-From: <bounces@digest.example.org>

--b
Content-Type: message/rfc822

{ORIGINAL}
--b--
"""


@pytest.mark.parametrize(
    ("kind", "means"),
    [
        *((kind, COMPLAINT) for kind in ("abuse", "fraud", "", "Abuse")),
        *((kind, None) for kind in ("not-spam", "not-spam (x)", "auth-failure", "virus", "dmarc")),
    ],
)
def test_a_complaint_counts_and_its_opposite_does_not(kind: str, means: BounceKind | None) -> None:
    said = read_bounce(COMPLAINT_MAIL.format(kind).encode())
    assert said is not None
    assert (said.kind, said.seals) == (means, (SEAL,))
    assert said.edition == "daily-2026-11-23"


AWAY = f"""\
Return-Path: <>
From: Ada <ada@example.org>
To: bounces+{SEAL}@digest.example.org
Auto-Submitted: auto-replied
Subject: I am away

I am at the sea until the 24th. In urgent cases call extension 550 5.1.1.
"""
READ = f"""\
From: Postmaster <postmaster@example.org>
To: daily@digest.example.org
Content-Type: multipart/report; report-type=disposition-notification; boundary=b

--b
Content-Type: text/plain

Your message was displayed.
--b
Content-Type: message/disposition-notification

Disposition: manual-action/MDN-sent-manually; displayed
Original-Message-ID: <daily-2026-11-23.{SEAL}@digest.example.org>
--b--
"""
HELLO = f"From: ada@example.org\nTo: x+{SEAL}@example.org\n\nStatus: 5.1.1\nAction: failed\n550 5.1.1\n"


@pytest.mark.parametrize("message", [READ, HELLO, "", "\n", "no message at all", ORIGINAL], ids=range(6))
def test_a_message_that_is_not_a_report_is_no_bounce(message: str) -> None:
    assert read_bounce(message.encode()) is None


def test_a_reader_who_is_away_has_not_bounced() -> None:
    assert read_bounce(AWAY.encode()) is None


@pytest.mark.parametrize(
    "sender", ["postmaster@corp.example.org", "notpostmaster@example.org", "Ada <ada@example.org>"]
)
def test_a_message_from_a_person_is_not_a_report(sender: str) -> None:
    message = f"From: {sender}\nSubject: Re: unsubscribe\n\n425 Main Street; domain not found\n"
    assert read_bounce(message.encode()) is None


def test_the_text_of_a_returned_message_is_not_the_servers_own() -> None:
    message = BY_QMAIL.replace("Remote host said: 550 {}", "It is looping.")
    message = message.replace("Status: 5.1.1", "Errors 550: the mailbox does not exist")
    assert read_bounce(message.encode()) is None


def test_a_warning_in_plain_words_is_not_a_bounce() -> None:
    said = read_bounce(BY_QMAIL.replace("failure notice", "Warning: delayed").format("5.1.1 x").encode())
    assert said is not None
    assert said.kind is None


def test_a_returned_message_is_found_with_any_line_ends() -> None:
    original = ORIGINAL.replace(SEAL, f"{SEAL[:20]}=\n{SEAL[20:]}")
    message = report(to="daily@digest.example.org", original=original, type="message/global-delivery-status")
    said = read_bounce(message.replace(b"\n", b"\r\n"))
    assert said is not None
    assert (said.kind, said.seals, said.edition) == (HARD, (SEAL,), "daily-2026-11-23")


def test_an_impossible_edition_id_is_left_out() -> None:
    said = read_bounce(report(original=ORIGINAL.replace("daily-2026", "x\x00\x1b daily/2026")))
    assert said is not None
    assert "\x00" not in said.edition + said.reason
    assert "\x1b" not in said.edition


def nested(depth: int) -> bytes:
    wrapped = (f"Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n" for i in range(depth))
    return "".join(wrapped).encode() + b"a\n" * 90_000


@pytest.mark.parametrize(
    "message",
    [
        *(nested(depth) for depth in (9, 15, 300, 5_000)),
        b"Content-Type: message/rfc822\n\n" * 2_000,
        b"Content-Type: message/global-delivery-status\n\n\n" + b"Content-Type: message/rfc822\nx\n" * 5_000,
        b"To: " + f"x+{SEAL}@example.org, ".encode() * 4_000,
        b"From: postmaster@x\n\n550 " + f"a.{SEAL}@".encode() * 4_000,
        b"From: postmaster@x\n\n550 " + b"user " * 40_000,
        b"Content-Type: message/delivery-status\n\n" + b"Action: failed\n\n" * 12_000,
        b"Content-Type: message/delivery-status\n\nAction: failed\nStatus: " + b"5.5." * 40_000,
        b"Content-Type: multipart/report; " + b"a*0*=b;" * 20_000 + b"\n\n",
        b"Content-Type: message/feedback-report\n\n" + b"\xff\n:" * 50_000,
        b"From: =?utf-8?q?" + b"=" * 190_000,
        b"\0" * 300_000,
    ],
    ids=range(15),
)
def test_a_malicious_message_is_read_or_ignored_and_nothing_else(message: bytes) -> None:
    said = read_bounce(message)
    assert said is None or (len(said.seals) <= 10 and len(said.reason) <= 300)


@given(st.binary(max_size=400), st.integers(0, 900), st.integers(0, 300))
def test_no_change_of_bytes_makes_reading_fail(noise: bytes, at: int, cut: int) -> None:
    message = report()
    said = read_bounce(message[:at] + noise + message[at + cut :])
    assert said is None or "@" not in said.reason
