"""Unsubscribe readers by email: a message to the `mailto:` link of a digest does the same as one click."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from urllib.parse import unquote

from digest.config import Config
from digest.readers.parts import ReaderParts
from digest.readers.unsubscribe import check_unsubscribe_link, unsubscribe_by_link
from subscribers.errors import TokenError
from subscribers.model import Origin

_ORIGIN = Origin(source="mail")


def answer_unsubscribe(parts: ReaderParts, message: bytes, *, now: datetime) -> str:
    """Unsubscribe the reader whose token is in a message from the token's digest; a second call does nothing.

    Returns a phrase that says what was done, without any address. A message without a valid token, or an
    automatic reply, changes nothing.
    """
    # No confirmation is sent, because anybody can send an email in another person's name.
    said = read_unsubscribe(message)
    if said.automatic:
        return "nothing done: this is an automatic reply"
    if not said.tokens:
        return "nothing done: there is no token in the subject or the recipient"
    meant = [
        (slug, token) for token in said.tokens for slug in _digests_of(parts.config, parts.secret, token)
    ]
    if not meant:
        return "nothing done: the token is damaged, or its digest does not exist"
    requests = [
        unsubscribe_by_link(parts.database, parts.secret, slug, token, origin=_ORIGIN, now=now)
        for slug, token in meant
    ]
    if any(request.digests for request in requests):
        return f"unsubscribed from {', '.join(slug for slug, _ in meant)}"
    return "nothing to do: already unsubscribed"


def _digests_of(config: Config, secret: bytes, token: str) -> Iterator[str]:
    for digest in config.digests:
        with suppress(TokenError):
            check_unsubscribe_link(secret, digest.slug, token)
            yield digest.slug


_ALPHABET = "[A-Za-z0-9_-]"
_TOKEN = re.compile(f"(?<!{_ALPHABET}){_ALPHABET}{{28}}(?!{_ALPHABET})")
_TAGGED = re.compile(rf"\+({_ALPHABET}{{28}})@")
_RECIPIENTS = ("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To")
_HEAD = 100_000  # bytes of a message that are read; Postfix keeps no longer headers either
_FIELD = 4_000  # characters of a field, because the time to decode encoded words grows with the square
_AT_MOST = 10  # fields of one name, and tokens of one message
_ANSWERS = ("auto-replied", "auto-notified")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsubscribeMessage:
    """The content of a message. `tokens` look like our tokens; the caller must check them.

    `automatic` marks a bounce or an automatic reply (RFC 3834), which does not say what a reader wants.
    """

    tokens: tuple[str, ...]
    automatic: bool


def read_unsubscribe(message: bytes) -> UnsubscribeMessage:
    """Read the headers of a message of any bytes; return the tokens of the subject, else of the recipients.

    The subject is the subject of our `List-Unsubscribe` link, "unsubscribe TOKEN", or contains it: after
    "Re:", folded, in encoded words (RFC 2047), or with %20 for a space. A recipient has the token in the form
    "leave+TOKEN@…". Never raises.
    """
    head = BytesHeaderParser().parsebytes(message[:_HEAD])
    subjects = "\n".join(unquote(_decoded(text)) for text in _fields(head, "Subject"))
    found = _TOKEN.findall(subjects)
    if not found:
        recipients = "\n".join(text for name in _RECIPIENTS for text in _fields(head, name))
        found = _TAGGED.findall(recipients)
    return UnsubscribeMessage(tokens=tuple(dict.fromkeys(found))[:_AT_MOST], automatic=_is_automatic(head))


def _is_automatic(head: Message) -> bool:
    """Tell whether a message is a bounce or an automatic reply."""
    # "auto-generated" does not count, because a mail program may mark the unsubscribe request that it sends
    # at one click in this way.
    marks = [text.partition(";")[0].strip().casefold() for text in _fields(head, "Auto-Submitted")]
    kinds = [text.partition(";")[0].strip().casefold() for text in _fields(head, "Content-Type")]
    paths = [text.strip() for text in _fields(head, "Return-Path")]
    return any(mark in _ANSWERS for mark in marks) or "multipart/report" in kinds or "<>" in paths


def _fields(head: Message, name: str) -> list[str]:
    return [str(value)[:_FIELD] for value in head.get_all(name, [])[:_AT_MOST]]


def _decoded(text: str) -> str:
    """Return a field unfolded and with its encoded words decoded, or only unfolded if they are invalid."""
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", text)
    try:
        return str(make_header(decode_header(unfolded)))
    except (MessageError, ValueError, LookupError):  # UnicodeError and binascii.Error are ValueErrors
        return unfolded
