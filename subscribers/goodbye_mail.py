"""Read what a mail of goodbye says: the reader tokens in it, and whether a machine answers with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from urllib.parse import unquote

_ALPHABET = "[A-Za-z0-9_-]"
_TOKEN = re.compile(f"(?<!{_ALPHABET}){_ALPHABET}{{28}}(?!{_ALPHABET})")
_TAGGED = re.compile(rf"\+({_ALPHABET}{{28}})@")
_RECIPIENTS = ("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To")
_HEAD = 100_000  # bytes of a mail that are looked at; Postfix keeps no longer headers either
_FIELD = 4_000  # characters of a field: reading encoded words that never end takes the square of them
_AT_MOST = 10  # fields of one name, and tokens of one mail
_ANSWERS = ("auto-replied", "auto-notified")


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodbyeMail:
    """What stands in a mail. `tokens` look like reader tokens: whether they are is for the caller to see.

    `automatic` is a bounce or an automatic answer (RFC 3834), which says nothing of what a reader wants.
    """

    tokens: tuple[str, ...]
    automatic: bool


def read_goodbye(mail: bytes) -> GoodbyeMail:
    """Read the headers of a mail, whatever bytes they are: tokens of the subject, else of the recipients.

    The subject is that of our `List-Unsubscribe` link, "unsubscribe TOKEN", or has it somewhere: after
    "Re:", folded, in encoded words (RFC 2047), with %20 left for a space. A recipient has it as
    "leave+TOKEN@…". Never raises.
    """
    head = BytesHeaderParser().parsebytes(mail[:_HEAD])
    subjects = "\n".join(unquote(_decoded(text)) for text in _fields(head, "Subject"))
    found = _TOKEN.findall(subjects)
    if not found:
        recipients = "\n".join(text for name in _RECIPIENTS for text in _fields(head, name))
        found = _TAGGED.findall(recipients)
    return GoodbyeMail(tokens=tuple(dict.fromkeys(found))[:_AT_MOST], automatic=_is_automatic(head))


def _is_automatic(head: Message) -> bool:
    """Tell bounces and automatic answers.

    "auto-generated" is none of them: so may a mail program mark the goodbye that it sends at one click.
    """
    marks = [text.partition(";")[0].strip().casefold() for text in _fields(head, "Auto-Submitted")]
    kinds = [text.partition(";")[0].strip().casefold() for text in _fields(head, "Content-Type")]
    paths = [text.strip() for text in _fields(head, "Return-Path")]
    return any(mark in _ANSWERS for mark in marks) or "multipart/report" in kinds or "<>" in paths


def _fields(head: Message, name: str) -> list[str]:
    return [str(value)[:_FIELD] for value in head.get_all(name, [])[:_AT_MOST]]


def _decoded(text: str) -> str:
    """Return a field without foldings and encoded words; as it stands where those cannot be read."""
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", text)
    try:
        return str(make_header(decode_header(unfolded)))
    except (MessageError, ValueError, LookupError):  # UnicodeError and binascii.Error are ValueErrors
        return unfolded
