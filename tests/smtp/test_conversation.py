"""Hold conversations without a socket: check the commands that follow each reply."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.messages import Outcome, Receipt
from digest.smtp.conversation import Closed, Conversation, Event, Ready, StartTls, State
from digest.smtp.extensions import Extensions, Login
from digest.smtp.pipeline import Returned, Verdict
from digest.smtp.terms import Pace
from subscribers.rules.answers import Cause
from tests.smtp.talk import EHLO, PIPELINING, TERMS, TEXT, ehlo, hear, message, ready, said, verbs

# ── before the messages ──────────────────────────────────────────────────────────────────────


def test_a_greeting_is_answered_with_ehlo_and_the_offers_are_read() -> None:
    conversation = Conversation(TERMS)
    assert hear(conversation, "220-mail.example.org", "220 ESMTP") == []
    assert said(conversation) == ["EHLO sender.example.org"]
    offered = Extensions(
        pipelining=True, chunking=True, size=4096, takes_size=True, eight_bit=True, enhanced_codes=True
    )
    assert hear(conversation, ehlo(*EHLO)) == [Ready(offered, Pace.CHUNKING)]


def test_a_server_that_does_not_know_ehlo_is_greeted_with_helo() -> None:
    conversation = Conversation(TERMS)
    hear(conversation, "220 hello", "500 what?")
    assert said(conversation) == ["EHLO sender.example.org", "HELO sender.example.org"]
    assert hear(conversation, "250 hello") == [Ready(Extensions(), Pace.LOCKSTEP)]


@pytest.mark.parametrize(
    ("greeting", "cause"),
    [
        ("554 no service here", Cause.US),
        ("421 too many connections", Cause.CONNECTIONS),
        ("421 4.7.0 try again later", Cause.RATE),
    ],
)
def test_a_server_that_refuses_us_is_given_up(greeting: str, cause: Cause) -> None:
    reason = f"the greeting was answered with {greeting}"
    assert hear(Conversation(TERMS), greeting) == [
        Closed(Verdict(reason=reason, cause=cause, code=int(greeting[:3])))
    ]


def test_after_starttls_the_offers_made_before_are_forgotten() -> None:
    conversation = Conversation(dataclasses.replace(TERMS, starttls=True))
    assert hear(conversation, "220 hello", ehlo("STARTTLS", "PIPELINING", "AUTH PLAIN")) == []
    assert said(conversation)[-1] == "STARTTLS"
    assert hear(conversation, "220 go") == [StartTls()]
    conversation.tls_started()
    assert conversation.extensions == Extensions()
    assert said(conversation) == ["EHLO sender.example.org"]
    assert hear(conversation, ehlo("8BITMIME")) == [Ready(Extensions(eight_bit=True), Pace.LOCKSTEP)]


@pytest.mark.parametrize("injected", ["250 evil", "not even a reply", "250-half"])
def test_bytes_injected_before_the_handshake_end_the_conversation(injected: str) -> None:
    conversation = Conversation(dataclasses.replace(TERMS, starttls=True))
    hear(conversation, "220 hello", ehlo("STARTTLS"))
    events = hear(conversation, "220 go", injected)
    assert events == [StartTls(), Closed(Verdict(reason="bytes came between STARTTLS and TLS"))]


def test_if_starttls_is_not_offered_nothing_more_is_sent() -> None:
    conversation = Conversation(dataclasses.replace(TERMS, starttls=True, login=Login("u", "p")))
    (closed,) = hear(conversation, "220 hello", ehlo("PIPELINING", "AUTH PLAIN"))
    assert isinstance(closed, Closed)
    assert closed.verdict
    assert closed.verdict.lasting
    assert said(conversation) == []


@pytest.mark.parametrize(
    ("offered", "exchange"),
    [
        ("AUTH XOAUTH2 LOGIN PLAIN", [("AUTH PLAIN AGFubmEAdGlkZQ==", "235 ok")]),
        (
            "AUTH=LOGIN XOAUTH2",
            [("AUTH LOGIN", "334 VXNlcm5hbWU6"), ("YW5uYQ==", "334 UGFzc3dvcmQ6"), ("dGlkZQ==", "235 ok")],
        ),
        ("AUTH XOAUTH2", [("AUTH XOAUTH2 dXNlcj1hbm5hAWF1dGg9QmVhcmVyIHRpZGUBAQ==", "235 ok")]),
    ],
    ids=["PLAIN", "LOGIN", "XOAUTH2"],
)
def test_the_best_login_that_is_offered_is_used(offered: str, exchange: list[tuple[str, str]]) -> None:
    conversation = Conversation(dataclasses.replace(TERMS, protected=True, login=Login("anna", "tide")))
    hear(conversation, "220 hello")
    said(conversation)
    events = hear(conversation, ehlo(offered))
    for line, reply in exchange:
        assert said(conversation) == [line]
        events = hear(conversation, reply)
    assert [type(event) for event in events] == [Ready]


@pytest.mark.parametrize("refusal", ["504 5.5.4 mechanism", "534 5.7.9 too weak", "535 5.7.8 no"])
def test_after_a_refused_login_the_next_that_is_offered_is_tried(refusal: str) -> None:
    conversation = Conversation(dataclasses.replace(TERMS, protected=True, login=Login("anna", "tide")))
    hear(conversation, "220 hello", ehlo("AUTH LOGIN PLAIN"), refusal)
    assert [line[:10] for line in said(conversation)[1:]] == ["AUTH PLAIN", "AUTH LOGIN"]
    events = hear(conversation, "334 user", "334 password", "235 ok")
    assert [type(event) for event in events] == [Ready]
    assert conversation.mechanism == "LOGIN"


def test_a_login_that_worked_before_is_tried_first() -> None:
    terms = dataclasses.replace(TERMS, protected=True, login=Login("anna", "tide"), mechanism="LOGIN")
    conversation = Conversation(terms)
    hear(conversation, "220 hello", ehlo("AUTH LOGIN PLAIN"))
    assert said(conversation)[-1] == "AUTH LOGIN"


@pytest.mark.parametrize("last", [["535 5.7.8 wrong"], ["421 4.7.0 too many errors"], []])
def test_a_wrong_password_is_one_clear_error_after_each_login_was_tried_once(last: list[str]) -> None:
    conversation = Conversation(dataclasses.replace(TERMS, protected=True, login=Login("anna", "tide")))
    events = hear(conversation, "220 hello", ehlo("AUTH LOGIN PLAIN"), "535 5.7.8 wrong", *last)
    events += conversation.receive_eof() if not last else []
    (closed,) = events
    assert isinstance(closed, Closed)
    assert closed.verdict
    assert closed.verdict.lasting
    assert "AUTH was answered with 535 5.7.8 wrong; are user and password right" in closed.verdict.reason


def test_an_oauth_error_is_answered_with_an_empty_line_and_is_then_final() -> None:
    conversation = Conversation(dataclasses.replace(TERMS, protected=True, login=Login("anna", "old")))
    hear(conversation, "220 hello", ehlo("AUTH XOAUTH2"), "334 eyJzdGF0dXMiOiI0MDEifQ==")
    assert said(conversation)[-1] == ""
    (closed,) = hear(conversation, "535 5.7.8 not accepted")
    assert isinstance(closed, Closed)
    assert closed.verdict
    assert closed.verdict.lasting
    assert "AUTH was answered with 535 5.7.8 not accepted" in closed.verdict.reason


def test_one_question_too_many_is_cancelled() -> None:
    conversation = Conversation(dataclasses.replace(TERMS, protected=True, login=Login("anna", "tide")))
    hear(conversation, "220 hello", ehlo("AUTH PLAIN"), "334 more?")
    assert said(conversation)[-1] == "*"


def test_a_password_never_goes_over_a_connection_without_tls_unless_it_may() -> None:
    terms = dataclasses.replace(TERMS, login=Login("anna", "tide"))
    conversation = Conversation(terms)
    hear(conversation, "220 hello", ehlo("AUTH PLAIN"))
    assert conversation.state is State.CLOSED
    assert said(conversation) == []
    allowed = Conversation(dataclasses.replace(terms, login_in_clear=True))
    hear(allowed, "220 hello", ehlo("AUTH PLAIN"), "235 ok")
    assert allowed.state is State.READY


def test_a_password_shows_in_no_representation() -> None:
    assert "tide" not in repr(dataclasses.replace(TERMS, login=Login("anna", "tide")))


def test_requiretls_is_requested_for_each_message_or_nothing_is_sent() -> None:
    terms = dataclasses.replace(TERMS, protected=True, require_tls=True)
    conversation = ready(terms, (*EHLO, "REQUIRETLS"))
    conversation.send(message(1))
    assert "REQUIRETLS" in said(conversation)[0].split()
    without = Conversation(terms)
    hear(without, "220 hello", ehlo(*EHLO))
    assert without.state is State.CLOSED


def test_noop_and_quit_are_answered() -> None:
    conversation = ready()
    conversation.noop()
    assert [type(event) for event in hear(conversation, "250 ok")] == [Ready]
    conversation.quit()
    assert said(conversation) == ["NOOP", "QUIT"]
    assert hear(conversation, "221 bye") == [Closed(None)]


# ── messages ─────────────────────────────────────────────────────────────────────────────────


def test_chunking_writes_messages_back_to_back_once_the_first_is_accepted() -> None:
    conversation = ready()
    assert conversation.room == 1
    conversation.send(message(1))
    assert conversation.room == 0
    assert conversation.data_to_send() == (
        b"MAIL FROM:<daily@example.org> SIZE=32\r\nRCPT TO:<reader1@example.org>\r\nBDAT 32 LAST\r\n" + TEXT
    )
    assert hear(conversation, "250 ok", "250 ok", "250 2.0.0 queued as 1") == [
        Receipt(1, Outcome.ACCEPTED, 250, "2.0.0", "2.0.0 queued as 1")
    ]
    for key in (2, 3, 4):
        conversation.send(message(key))
    assert conversation.room == 0
    assert " ".join(verbs(conversation)) == "MAIL RCPT BDAT RSET MAIL RCPT BDAT RSET MAIL RCPT BDAT"


def test_pipelining_writes_the_next_envelope_with_the_text_before_it() -> None:
    conversation = ready(PIPELINING)
    conversation.send(message(1))
    assert verbs(conversation) == ["MAIL", "RCPT", "DATA"]
    assert conversation.room == 0
    hear(conversation, "250 ok", "250 ok", "354 go")
    assert conversation.room == 1
    conversation.send(message(2))
    assert conversation.room == 0
    written = conversation.data_to_send()
    assert written.startswith(TEXT + b".\r\nMAIL FROM:")
    assert written.endswith(b"DATA\r\n")
    events = hear(conversation, "250 taken", "250 ok", "250 ok", "354 go")
    assert events == [Receipt(1, Outcome.ACCEPTED, 250, None, "taken")]
    assert conversation.data_to_send() == TEXT + b".\r\n"


def test_lockstep_sends_one_command_at_a_time() -> None:
    conversation = ready(offers=())
    conversation.send(message(1))
    words = [conversation.data_to_send()]
    for reply in ("250 ok", "250 ok", "354 go"):
        assert conversation.room == 0
        assert hear(conversation, reply) == []
        words.append(conversation.data_to_send())
    assert words == [
        b"MAIL FROM:<daily@example.org>\r\n",
        b"RCPT TO:<reader1@example.org>\r\n",
        b"DATA\r\n",
        TEXT + b".\r\n",
    ]
    assert hear(conversation, "250 ok") == [Receipt(1, Outcome.ACCEPTED, 250, None, "ok")]
    assert conversation.room == 1


def test_dots_are_doubled_with_data_and_left_alone_with_bdat() -> None:
    dotted = b".one\r\n..two\r\nthree.\r\n.\r\n"
    conversation = ready(PIPELINING)
    conversation.send(message(1, data=dotted))
    hear(conversation, "250 ok", "250 ok", "354 go")
    assert conversation.data_to_send().endswith(b"\r\n..one\r\n...two\r\nthree.\r\n..\r\n.\r\n")
    chunking = ready()
    chunking.send(message(1, data=dotted))
    assert chunking.data_to_send().endswith(b"BDAT 24 LAST\r\n" + dotted)


@pytest.mark.parametrize(
    ("recipient", "data", "code"),
    [
        ("a@example.org>\r\nRCPT TO:<b@example.org", TEXT, 553),
        ("a b@example.org", TEXT, 553),
        ("Å@example.org", TEXT, 553),
        ("a@example.org", b"x" * 4097 + b"\r\n", 552),
        ("a@example.org", "ø\r\n".encode(), 554),
    ],
    ids=["injection", "space", "SMTPUTF8", "SIZE", "8BITMIME"],
)
def test_a_message_that_the_server_can_never_take_is_refused_before_a_byte_is_written(
    recipient: str, data: bytes, code: int
) -> None:
    conversation = ready(offers=("PIPELINING", "SIZE 4096"))
    receipt = conversation.send(message(1, recipient, data))
    assert receipt
    assert (receipt.outcome, receipt.code) == (Outcome.REJECTED, code)
    assert conversation.data_to_send() == b""
    assert conversation.room == 1


def test_extensions_that_a_message_needs_are_requested_if_they_are_offered() -> None:
    conversation = ready(offers=("8BITMIME", "SMTPUTF8", "DSN"))
    conversation.send(message(1, "Å@example.org", "ø\r\n".encode()))
    assert said(conversation) == ["MAIL FROM:<daily@example.org> RET=HDRS BODY=8BITMIME SMTPUTF8"]


# ── how bytes are cut makes no difference ───────────────────────────────────────────────────

WORDS = (
    *("250 2.0.0 ok", "250-many\r\n250 lines", "250", "354 go", "250 ok\r\n250 ok\r\n250 ok\r\n250 ok"),
    *("450 4.2.0 later", "550 5.1.1 never", "503 what", "421 closing", "530 login", "garbage", "x" * 2100),
)
TURNS = st.lists(st.lists(st.sampled_from(WORDS), max_size=6), max_size=12)


@given(TURNS, st.lists(st.integers(1, 3000), max_size=12), st.sampled_from(Pace))
def test_a_stream_cut_anywhere_gives_the_same_events_and_commands(
    turns: list[list[str]], cuts: list[int], pace: Pace
) -> None:
    whole = listen(turns, pace, [])
    assert listen(turns, pace, cuts) == whole
    assert listen(turns, pace, range(1, 3000)) == whole


@given(TURNS, st.sampled_from(Pace))
def test_each_message_comes_back_exactly_once_whatever_is_received(
    turns: list[list[str]], pace: Pace
) -> None:
    events, sent, _ = listen(turns, pace, [])
    back = [event.key for event in events if isinstance(event, Receipt)]
    back += [event.message.key for event in events if isinstance(event, Returned)]
    assert sorted(back) == list(range(sent))
    assert [event for event in events if isinstance(event, Closed)] == [events[-1]]


def listen(turns: list[list[str]], pace: Pace, cuts: Sequence[int]) -> tuple[list[Event], int, bytes]:
    """Hold a conversation as its owner does: hear the server's turn, send while there is room, write.

    Each turn comes cut at `cuts`; in the end the server hangs up.
    """
    conversation = Conversation(dataclasses.replace(TERMS, pace=pace))
    events: list[Event] = []
    sent, written = 0, b""
    for turn in [["220 hello"], [ehlo(*EHLO)], *turns]:
        stream = "".join(f"{reply}\r\n" for reply in turn).encode()
        places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
        for start, end in itertools.pairwise(places):
            events += conversation.receive_data(stream[start:end])
        while conversation.room:
            conversation.send(message(sent))
            sent += 1
        written += conversation.data_to_send()
    return events + conversation.receive_eof(), sent, written
