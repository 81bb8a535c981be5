"""Make mails as bytes: once for each choice of topics, then filled for each reader by one join."""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import NamedTuple

from digest.model import Mail
from digest.send.headers import mailbox_field, text_field, wire_address
from digest.send.quoted import quoted_printable

_WORD_LENGTH = 28  # as long as a reader's token, so that lines are as long in a preview as in a mail
_LONGEST_VALUE = 75
_HARD_LINE = 998
_FIELD = re.compile(r"[A-Za-z0-9-]+:(?: [\x20-\x7e]+(?:\r\n[ \t][\x20-\x7e]*)*)?")
_MESSAGE_ID = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+(?:@[\w.-]+)?", re.ASCII)


class Addressee(NamedTuple):
    """Whom a letter is for. Subscriber 0 is nobody: a test mail, whose links change nothing."""

    subscriber_id: int
    address: str
    variant: str = ""  # the choice of topics, as `str(Choice)`
    format: str = "html"  # or "text": no html part
    tries: int = 0  # on the wire before


class Fields(NamedTuple):
    """What differs between two readers' mails of one choice of topics."""

    recipient: str
    message_id: str  # without <>
    unsubscribe: str  # a token of URL-safe characters
    preferences: str  # likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What stands on a mail besides its content. `more` are whole header lines, ASCII and folded."""

    sender: str  # "Name <address>"
    recipient: str  # an address alone
    message_id: str  # without <>
    date: datetime
    reply_to: str | None = None
    more: tuple[str, ...] = ()


class Compiled(NamedTuple):
    """A mail cut at its placeholders: parts and gaps in turn, `order` says which field fills each gap."""

    parts: tuple[bytes, ...]
    order: tuple[int, ...]

    @property
    def size(self) -> int:
        """Return the bytes it takes in memory, about."""
        return sum(map(len, self.parts))


def placeholders(content_hash: str) -> Fields:
    """Return words to stand for the fields while an edition is rendered.

    They are made from the hash of the edition itself, so nothing in the edition can contain them.
    """
    digest = sha256(content_hash.encode()).hexdigest()
    return Fields(*(f"{name}_{digest}"[:_WORD_LENGTH] for name in Fields._fields))


def compile_message(mail: Mail, envelope: Envelope, words: Fields) -> Compiled:
    """Build the mail of one choice of topics, in which `words` stand for the reader's fields.

    A mail with no html has only its text part. Raises ValueError for a header that cannot be written.
    """
    whole = _message(mail, envelope, words)
    cut = re.compile(b"(%s)" % b"|".join(word.encode("ascii") for word in words))
    pieces = cut.split(whole)
    index = {word.encode("ascii"): position for position, word in enumerate(words)}
    return Compiled(tuple(pieces), tuple(index[word] for word in pieces[1::2]))


def fill(compiled: Compiled, fields: Fields) -> bytes:
    """Return one reader's mail.

    `fields.recipient` must have passed `wire_address`, and the others must be ASCII without line ends:
    they are written as they are. Raises ValueError for what would break a line.
    """
    line = " ".join(fields)
    if not (line.isascii() and line.isprintable()) or max(map(len, fields[2:])) > _LONGEST_VALUE:
        raise ValueError("a field of a reader's mail has characters that may not stand there")
    values = [value.encode("ascii") for value in fields]
    parts = list(compiled.parts)
    parts[1::2] = [values[position] for position in compiled.order]
    return b"".join(parts)


def plain_message(mail: Mail, envelope: Envelope) -> bytes:
    """Return a single mail, such as a confirmation, built as an edition's are.

    It says that it was generated, so that no machine answers (RFC 3834). Raises ValueError, without
    the address, for a recipient that cannot be written.
    """
    more = ("Auto-Submitted: auto-generated", *envelope.more)
    return _message(mail, replace(envelope, more=more), ())


def _message(mail: Mail, envelope: Envelope, words: Sequence[str]) -> bytes:
    recipient = envelope.recipient if envelope.recipient in words else wire_address(envelope.recipient)
    if not _MESSAGE_ID.fullmatch(envelope.message_id):
        raise ValueError("the Message-ID has characters that may not stand there")
    fields = [
        mailbox_field("From", envelope.sender),
        f"To: {recipient}",
        *([mailbox_field("Reply-To", envelope.reply_to)] if envelope.reply_to else []),
        text_field("Subject", mail.subject),
        f"Date: {format_datetime(envelope.date)}",
        f"Message-ID: <{envelope.message_id}>",
        *envelope.more,
        "MIME-Version: 1.0",
    ]
    for field in fields:
        _check(field)
    return b"\r\n".join([*(field.encode("ascii") for field in fields), _body(mail, words)])


def _check(field: str) -> None:
    name = field.partition(":")[0]
    if not _FIELD.fullmatch(field):
        raise ValueError(f"the header {name!r} has characters that may not stand there")
    if max(map(len, field.split("\r\n"))) > _HARD_LINE:
        raise ValueError(f"the header {name!r} has a line of more than {_HARD_LINE} characters")


def _body(mail: Mail, words: Sequence[str]) -> bytes:
    """Return the fields on the content, an empty line and the content; the text stands first."""
    text = _part("plain", mail.text, words)
    if not mail.html:
        return text if text.endswith(b"\r\n") else text + b"\r\n"
    html = _part("html", mail.html, words)
    # "=_" occurs in no quoted-printable text (RFC 2045, 6.7), so no body holds the boundary.
    boundary = b"=_" + b32encode(sha256(text + html).digest()[:15]).lower()
    return b"\r\n".join(
        [
            b'Content-Type: multipart/alternative; boundary="%s"' % boundary,
            b"",
            b"--" + boundary,
            text,
            b"--" + boundary,
            html,
            b"--" + boundary + b"--",
            b"",
        ]
    )


def _part(subtype: str, text: str, words: Sequence[str]) -> bytes:
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable"
    return head.encode("ascii") + b"\r\n\r\n" + quoted_printable(text, words)
