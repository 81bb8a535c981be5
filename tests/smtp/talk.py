"""Provide short functions for a conversation without a socket: feed replies, and read commands."""

from __future__ import annotations

import dataclasses

from digest.model.messages import Message
from digest.smtp.conversation import Conversation, Event, State
from digest.smtp.terms import Pace, SessionTerms

EHLO = ("PIPELINING", "CHUNKING", "SIZE 4096", "8BITMIME", "ENHANCEDSTATUSCODES")
TERMS = SessionTerms(ehlo_name="sender.example.org", in_flight=3)
PIPELINING = dataclasses.replace(TERMS, pace=Pace.PIPELINING)
TEXT = b"Subject: Tide\r\n\r\nHigh at noon.\r\n"


def message(key: int, recipient: str = "", data: bytes = TEXT) -> Message:
    return Message.whole(key, "daily@example.org", recipient or f"reader{key}@example.org", data)


def ehlo(*offers: str) -> str:
    lines = ["mail.example.org", *offers]
    return "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])


def hear(conversation: Conversation, *replies: str) -> list[Event]:
    return conversation.receive_data("".join(f"{reply}\r\n" for reply in replies).encode())


def said(conversation: Conversation) -> list[str]:
    return conversation.data_to_send().decode().splitlines()


def ready(terms: SessionTerms = TERMS, offers: tuple[str, ...] = EHLO) -> Conversation:
    conversation = Conversation(terms)
    hear(conversation, "220 hello", ehlo(*offers))
    assert conversation.state is State.READY
    said(conversation)
    return conversation


def proven(terms: SessionTerms = TERMS, offers: tuple[str, ...] = EHLO) -> Conversation:
    """Return a chunking conversation that has sent a first message, and so may run ahead."""
    conversation = ready(terms, offers)
    conversation.send(message(100))
    hear(conversation, "250 ok", "250 ok", "250 ok")
    said(conversation)
    assert conversation.room == terms.in_flight
    return conversation


def verbs(conversation: Conversation) -> list[str]:
    known = ("RSET", "MAIL", "RCPT", "DATA", "BDAT")
    return [line.split()[0] for line in said(conversation) if line.startswith(known)]
