"""Hold conversations with servers that refuse, make false offers, fall out of step, or go away."""

from __future__ import annotations

import dataclasses

import pytest

from digest.model.messages import Outcome, Receipt
from digest.smtp.conversation import Closed
from digest.smtp.pipeline import Returned, Verdict
from digest.smtp.terms import Pace
from subscribers.rules.answers import Answered, Cause
from tests.smtp.talk import PIPELINING, TERMS, TEXT, hear, message, proven, ready, said, verbs

# ── refusals ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("code", "outcome"), [("450", Outcome.DEFERRED), ("550", Outcome.REJECTED)])
@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize("pace", Pace)
def test_a_refusal_of_any_command_belongs_to_its_message(
    pace: Pace, position: int, code: str, outcome: Outcome
) -> None:
    conversation = ready(dataclasses.replace(TERMS, pace=pace))
    conversation.send(message(1))
    replies = ["250 ok", "250 ok", "250 ok" if pace is Pace.CHUNKING else "354 go"]
    replies[position:] = [f"{code} 4.0.0 no", "503 echo", "554 echo"][: 3 - position]
    if pace is Pace.LOCKSTEP:
        del replies[position + 1 :]
    receipt, *_ = hear(conversation, *replies)
    if code == "450" and position == 0:  # before the recipient is known, the answer is about the session
        assert isinstance(receipt, Returned)
        assert receipt.cause is Cause.RATE
        return
    assert isinstance(receipt, Receipt)
    assert (receipt.key, receipt.outcome, receipt.code) == (1, outcome, int(code))
    assert receipt.answered is list(Answered)[position]
    said(conversation)
    conversation.send(message(2))
    assert verbs(conversation)[0] == "RSET"


def test_a_refusal_after_the_text_is_not_about_the_recipient() -> None:
    conversation = ready(PIPELINING)
    conversation.send(message(1))
    said(conversation)
    hear(conversation, "250 ok", "250 ok", "354 go")
    said(conversation)
    assert hear(conversation, "550 5.1.1 nobody") == [
        Receipt(1, Outcome.REJECTED, 550, "5.1.1", "5.1.1 nobody", Answered.TEXT)
    ]


def test_after_a_refused_recipient_a_server_that_still_wants_the_text_gets_a_lone_dot() -> None:
    conversation = ready(PIPELINING)
    conversation.send(message(1))
    said(conversation)
    assert hear(conversation, "250 ok", "550 5.1.1 nobody", "354 go") == []
    assert conversation.data_to_send() == b".\r\n"
    assert conversation.room == 0
    assert hear(conversation, "554 no valid recipients") == [
        Receipt(1, Outcome.REJECTED, 550, "5.1.1", "5.1.1 nobody", Answered.RECIPIENT)
    ]


def test_a_refused_recipient_does_not_affect_the_messages_behind_it() -> None:
    conversation = proven()
    for key in (1, 2):
        conversation.send(message(key))
    events = hear(conversation, "250 ok", "550 no", "554 no valid", "250 reset", "250 ok", "250 ok", "250 ok")
    assert [(event.key, event.outcome) for event in events if isinstance(event, Receipt)] == [
        (1, Outcome.REJECTED),
        (2, Outcome.ACCEPTED),
    ]


def test_when_a_session_is_over_quit_is_said_and_the_messages_behind_are_returned() -> None:
    conversation = proven()
    for key in (1, 2):
        conversation.send(message(key))
    over = "452 4.5.3 too many messages sent"
    events = hear(conversation, over, "503 no sender", "503 no", "250 reset", over, "503 no", "503 no")
    assert [event.cause for event in events if isinstance(event, Returned)] == [Cause.SESSION] * 2
    assert said(conversation)[-1] == "QUIT"
    (closed,) = hear(conversation, "221 bye")
    assert isinstance(closed, Closed)
    assert closed.verdict
    assert closed.verdict.cause is Cause.SESSION


def test_a_connection_ends_after_as_many_messages_as_the_server_takes() -> None:
    conversation = ready(dataclasses.replace(TERMS, most=2))
    conversation.send(message(1))
    hear(conversation, "250 ok", "250 ok", "250 ok")
    assert conversation.room == 1
    conversation.send(message(2))
    assert conversation.room == 0
    hear(conversation, "250 ok", "250 ok", "250 ok")
    assert said(conversation)[-1] == "QUIT"
    assert hear(conversation, "221 bye") == [Closed(None)]


def test_a_server_that_takes_recipient_and_text_has_not_refused_the_sender() -> None:
    conversation = ready()
    conversation.send(message(1))
    events = hear(conversation, "451 4.7.1 slowly", "250 ok", "250 2.0.0 queued")
    assert events == [Receipt(1, Outcome.ACCEPTED, 250, "2.0.0", "2.0.0 queued")]


def test_after_a_few_refusals_the_connection_is_closed_properly() -> None:
    conversation = ready(PIPELINING)
    for key in range(6):
        assert conversation.room
        conversation.send(message(key))
        reset = ("250 reset",) if key else ()
        hear(conversation, *reset, "250 ok", "550 no such user", "554 no recipient")
    assert conversation.room == 0
    assert said(conversation)[-1] == "QUIT"
    assert hear(conversation, "221 bye") == [Closed(None)]


def test_a_connection_is_closed_only_when_the_messages_in_flight_are_answered() -> None:
    conversation = proven(dataclasses.replace(TERMS, in_flight=8))
    for key in range(8):
        conversation.send(message(key))
    refused = ("250 ok", "550 no such user", "503 no recipient", "250 reset")
    hear(conversation, *(refused * 6))
    assert "QUIT" not in said(conversation)
    hear(conversation, "250 ok", "250 ok", "250 taken", "250 reset", "250 ok", "250 ok", "250 taken")
    assert said(conversation)[-1] == "QUIT"


@pytest.mark.parametrize("code", ["530", "535"])
def test_a_server_that_wants_a_login_first_refuses_us_and_not_the_message(code: str) -> None:
    conversation = ready(PIPELINING)
    conversation.send(message(1))
    events = hear(conversation, f"{code} 5.7.0 authenticate", "503 no", "503 no")
    reason = f"{code} 5.7.0 authenticate"
    returned, closed = events
    assert isinstance(returned, Returned)
    assert (returned.message, returned.reason, returned.cause) == (message(1), reason, Cause.LOGIN)
    assert closed == Closed(Verdict(reason=reason, lasting=True, cause=Cause.LOGIN, code=int(code)))


# ── servers that do not keep what they offer ────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("pace", "replies"),
    [
        (Pace.PIPELINING, ("250 ok", "503 one at a time", "503 one at a time")),
        (Pace.CHUNKING, ("250 ok", "250 ok", "502 no such command")),
        (Pace.CHUNKING, ("250 ok", "250 ok", "503 what")),
    ],
)
def test_a_server_with_a_false_offer_gets_a_slower_pace(pace: Pace, replies: tuple[str, ...]) -> None:
    conversation = ready(dataclasses.replace(TERMS, pace=pace))
    conversation.send(message(1))
    returned, closed = hear(conversation, *replies)
    assert isinstance(returned, Returned)
    assert isinstance(closed, Closed)
    assert closed.verdict
    assert closed.verdict.slower == pace - 1


def test_silence_before_the_first_answer_makes_us_slower_and_later_silence_does_not() -> None:
    conversation = ready(PIPELINING)
    conversation.send(message(1))
    said(conversation)
    *_, closed = conversation.abandon("silence")
    assert closed == Closed(Verdict(reason="silence", slower=Pace.LOCKSTEP))
    later = proven()
    later.send(message(1))
    said(later)
    *_, closed = later.abandon("silence")
    assert closed == Closed(Verdict(reason="silence"))


@pytest.mark.parametrize(
    "nonsense",
    ["hello", "99 ok", "199 early", "600 late", "250_ok", "2500 ok", "250-ok\r\n251 mixed", "x" * 3000],
)
def test_nonsense_ends_the_conversation_and_makes_written_messages_uncertain(nonsense: str) -> None:
    conversation = proven()
    conversation.send(message(1))
    said(conversation)
    uncertain, closed = hear(conversation, "250 ok", nonsense)
    assert isinstance(uncertain, Receipt)
    assert uncertain.outcome is Outcome.UNCERTAIN
    assert isinstance(closed, Closed)
    assert hear(conversation, "250 ok") == []


@pytest.mark.parametrize("reply", ["354 go", "250 ok"])
def test_an_unexpected_reply_ends_the_conversation(reply: str) -> None:
    assert [type(event) for event in hear(ready(), reply)] == [Closed]


def test_a_reply_out_of_step_is_noticed_before_the_text_is_sent() -> None:
    conversation = ready(PIPELINING)
    conversation.send(message(1))
    said(conversation)
    returned, closed = hear(conversation, "250 ok", "250 ok", "250 twice")
    assert returned == Returned(message(1), "250 is no answer to DATA")
    assert isinstance(closed, Closed)
    assert conversation.data_to_send() == b""


# ── the end of the connection ─────────────────────────────────────────────────────────────────────


def test_a_421_ends_the_conversation_and_what_it_did_not_answer_was_not_read() -> None:
    conversation = proven()
    for key in (1, 2, 3):
        conversation.send(message(key))
    said(conversation)
    events = hear(conversation, "250 ok", "250 ok", "250 ok", "421 4.3.2 closing")
    assert [type(event) for event in events] == [Receipt]
    assert conversation.room == 0
    *returned, closed = conversation.receive_eof()
    assert [event.message.key for event in returned if isinstance(event, Returned)] == [2, 3]
    assert closed == Closed(
        Verdict(reason="421 4.3.2 closing", announced=True, cause=Cause.SESSION, code=421)
    )


def test_replies_after_a_421_still_count() -> None:
    conversation = proven()
    for key in (1, 2):
        conversation.send(message(key))
    events = hear(
        conversation, "250 ok", "250 ok", "421 too fast", "250 ok", "250 ok", "250 ok", "250 queued"
    )
    first, second = events
    assert isinstance(first, Returned)
    assert isinstance(second, Receipt)
    assert (first.cause, first.code, second.outcome) == (Cause.SESSION, 421, Outcome.ACCEPTED)
    assert said(conversation)[-1] == "QUIT"


def test_a_421_to_an_idle_connection_is_normal() -> None:
    assert [type(event) for event in hear(ready(), "421 4.4.2 timeout exceeded")] == [Closed]


def test_only_messages_whose_last_byte_may_have_left_are_uncertain() -> None:
    conversation = proven()
    for key in (1, 2, 3):
        conversation.send(message(key))
    conversation.data_to_send()
    events = conversation.receive_eof(unwritten=len(TEXT) + 60)
    assert [
        (event.key, event.outcome) if isinstance(event, Receipt) else type(event) for event in events
    ] == [(1, Outcome.UNCERTAIN), (2, Outcome.UNCERTAIN), Returned, Closed]


def test_bytes_that_were_not_fetched_were_never_written() -> None:
    conversation = proven()
    conversation.send(message(1))
    assert [type(event) for event in conversation.receive_eof()] == [Returned, Closed]


def test_half_a_reply_is_not_a_reply() -> None:
    conversation = proven()
    conversation.send(message(1))
    said(conversation)
    conversation.receive_data(b"250 ok\r\n250 ok\r\n250 2.0.0 queu")
    uncertain, _ = conversation.receive_eof()
    assert isinstance(uncertain, Receipt)
    assert uncertain.outcome is Outcome.UNCERTAIN


def test_a_message_already_refused_is_not_uncertain() -> None:
    conversation = proven()
    conversation.send(message(1))
    said(conversation)
    hear(conversation, "250 ok", "550 5.1.1 nobody")
    refused, _ = conversation.receive_eof()
    assert refused == Receipt(1, Outcome.REJECTED, 550, "5.1.1", "5.1.1 nobody", Answered.RECIPIENT)


def test_a_verdict_contains_no_address() -> None:
    conversation = ready(PIPELINING)
    conversation.send(message(1))
    *_, closed = [*hear(conversation, "421 too much for <reader1@example.org>"), *conversation.receive_eof()]
    assert "example.org" not in str(closed)
