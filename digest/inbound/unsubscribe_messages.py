"""Read messages to the unsubscribe address, and decide which of them are unsubscribe requests. Pure.

    the first rule that matches                                                           the meaning
    it is a report: multipart/report (RFC 3464, 5965, 8098) or such a part alone          report
    there is no token in the subject or the recipient                                     no token
    X-Apple-Unsubscribe: true                                                             request
    Auto-Submitted: auto-replied, auto-notified; Return-Path: <>; Precedence: auto_reply;
      X-Autoreply and similar fields                                                      automatic
    In-Reply-To or References, unless the subject is exactly that of our link             reply
    Auto-Submitted: auto-generated; Precedence: bulk, junk, list; unless the subject is
      exactly that of our link, or the token is in the recipient                          automatic
    anything else                                                                         request

Apple's mail programs mark the request that they send at one click as an automatic answer, so their own
field counts first. A vacation notice answers an edition: it quotes the edition's subject and goes to the
edition's sender, and neither contains the token. A reply belongs to a conversation, in which a reader may
also have written "no, please keep me".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from enum import StrEnum
from urllib.parse import unquote

from subscribers.tokens import SEAL_DIGITS, spelled

_ALPHABET = "[A-Za-z0-9_-]"
_TOKEN = re.compile(f"(?<!{_ALPHABET}){_ALPHABET}{{28}}(?!{_ALPHABET})")
_TAGGED = re.compile(rf"\+({_ALPHABET}{{28}})@")  # in emails that were sent before tokens were hexadecimal
_SEAL = re.compile(rf"[0-9a-f]{{{SEAL_DIGITS}}}(?![0-9a-f])", re.IGNORECASE)
_OUR_SUBJECT = re.compile(rf"\s*unsubscribe\s+{_ALPHABET}{{28}}\s*", re.IGNORECASE)
_RECIPIENTS = ("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To")
_HEAD = 100_000  # bytes of a message that are read; Postfix keeps no longer headers either
_FIELD = 4_000  # characters of a field, because the time to decode encoded words grows with the square
_AT_MOST = 10  # fields of one name, and tokens of one place

# X-Auto-Response-Suppress is missing here, because a program that asks for no answer is not itself one.
_AUTOMATIC = (
    "X-Autoreply", "X-Auto-Reply", "X-Autoreply-From", "X-Mail-Autoreply", "X-Autorespond", "X-Autoresponder",
)  # fmt: skip
_REPORTS = ("multipart/report", "message/delivery-status", "message/feedback-report")


class Meaning(StrEnum):
    """The meaning of a message to the unsubscribe address."""

    REQUEST = "request"  # of a reader who wants to unsubscribe, if one of its tokens is valid
    REPORT = "report"
    AUTOMATIC = "automatic"  # an answer that no reader wrote: a vacation notice, a challenge
    REPLY = "reply"
    NO_TOKEN = "no token"


class Mark(StrEnum):
    """A property of a message's headers that the decision depends on."""

    REPORT = "report"
    IN_SUBJECT = "a token in the subject"
    IN_RECIPIENT = "a token in the recipient"
    OUR_SUBJECT = "exactly the subject of our link"
    APPLE = "sent by a mail program of Apple for its reader"
    ANSWERED = "marked as an automatic answer"
    GENERATED = "marked as generated or sent in bulk"
    REPLY = "an answer to another message"


def meaning_of(marks: frozenset[Mark]) -> Meaning:
    """Decide what a message means; the table at the top shows the rules."""
    if Mark.REPORT in marks:
        return Meaning.REPORT
    if not marks & {Mark.IN_SUBJECT, Mark.IN_RECIPIENT}:
        return Meaning.NO_TOKEN
    if Mark.APPLE in marks:
        return Meaning.REQUEST
    if Mark.ANSWERED in marks:
        return Meaning.AUTOMATIC
    if Mark.OUR_SUBJECT in marks:
        return Meaning.REQUEST
    if Mark.REPLY in marks:
        return Meaning.REPLY
    if Mark.GENERATED in marks and Mark.IN_RECIPIENT not in marks:
        return Meaning.AUTOMATIC
    return Meaning.REQUEST


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsubscribeMessage:
    """The content of a message. The tokens look like our tokens; the caller must check them."""

    in_subject: tuple[str, ...]
    in_recipient: tuple[str, ...]
    marks: frozenset[Mark]

    @property
    def meaning(self) -> Meaning:
        """Return what the message means."""
        return meaning_of(self.marks)


def read_unsubscribe(message: bytes) -> UnsubscribeMessage:
    """Read the headers of a message of any bytes. Never raises.

    The subject is the subject of our `List-Unsubscribe` link, "unsubscribe TOKEN", or contains it: after
    "Re:", folded, in encoded words (RFC 2047), or with %20 for a space. A recipient has the token in
    hexadecimal, in letters of any case: "leave+TOKEN@…".
    """
    head = BytesHeaderParser().parsebytes(message[:_HEAD])
    subjects = [unquote(_decoded(text)) for text in _fields(head, "Subject")]
    in_subject = _unique(_TOKEN.findall("\n".join(subjects)))
    recipients = "\n".join(text for name in _RECIPIENTS for text in _fields(head, name))
    in_recipient = _unique([*map(_from_hex, _SEAL.findall(recipients)), *_TAGGED.findall(recipients)])
    found = {
        Mark.IN_SUBJECT: bool(in_subject),
        Mark.IN_RECIPIENT: bool(in_recipient),
        Mark.OUR_SUBJECT: any(map(_OUR_SUBJECT.fullmatch, subjects)),
        Mark.REPORT: _has(head, "Content-Type", *_REPORTS),
        Mark.APPLE: _has(head, "X-Apple-Unsubscribe", "true"),
        Mark.ANSWERED: _is_answered(head),
        Mark.GENERATED: _has(head, "Auto-Submitted", "auto-generated")
        or _has(head, "Precedence", "bulk", "junk", "list"),
        Mark.REPLY: "In-Reply-To" in head or "References" in head,
    }
    marks = frozenset(mark for mark, holds in found.items() if holds)
    return UnsubscribeMessage(in_subject=in_subject, in_recipient=in_recipient, marks=marks)


def _is_answered(head: Message) -> bool:
    """Tell whether a message is marked as an automatic answer (RFC 3834), or has no sender."""
    return (
        _has(head, "Auto-Submitted", "auto-replied", "auto-notified")
        or _has(head, "Precedence", "auto_reply")
        or _has(head, "Return-Path", "<>")
        or any(name in head and not _has(head, name, "no", "false") for name in _AUTOMATIC)
    )


def _has(head: Message, name: str, *values: str) -> bool:
    """Tell whether a field has one of these values, whatever its parameters and comments are."""
    found = [text.partition(";")[0].partition("(")[0].strip().casefold() for text in _fields(head, name)]
    return any(value in values for value in found)


def _unique(tokens: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tokens))[:_AT_MOST]


def _from_hex(seal: str) -> str:
    return spelled(bytes.fromhex(seal)).decode("ascii")


def _fields(head: Message, name: str) -> list[str]:
    return [str(value)[:_FIELD] for value in head.get_all(name, [])[:_AT_MOST]]


def _decoded(text: str) -> str:
    """Return a field unfolded and with its encoded words decoded, or only unfolded if they are invalid."""
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", text)
    try:
        return str(make_header(decode_header(unfolded)))
    except (MessageError, ValueError, LookupError):  # UnicodeError and binascii.Error are ValueErrors
        return unfolded
