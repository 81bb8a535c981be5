"""Compile emails to bytes, once for each choice of topics, and fill in each reader's fields."""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from digest.message.headers import mailbox_field, text_field, wire_address
from digest.message.quoted_printable import quoted_printable
from digest.model.messages import Email

_WORD_LENGTH = 28  # as long as a reader's token, so that lines have the same length in a preview
_LONGEST = 75  # characters of a token
_PRINTABLE = bytes(range(0x20, 0x7F))
_HARD_LINE = 998
_FIELD = re.compile(r"[A-Za-z0-9-]+:(?: [\x20-\x7e]+(?:\r\n[ \t][\x20-\x7e]*)*)?")
_MESSAGE_ID = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+(?:@[\w.-]+)?", re.ASCII)


class Fields(NamedTuple):
    """The fields that differ between readers with the same choice of topics."""

    recipient: str
    message_id: str  # without <>
    unsubscribe: str  # a token of URL-safe characters
    preferences: str  # also a token
    date: str  # in the form of RFC 5322
    mailbox_token: str  # the unsubscribe token in hexadecimal; it is part of a mail address


Values = tuple[
    bytes, bytes, bytes, bytes, bytes, bytes
]  # one reader's fields as bytes, in the order of Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The header fields of an email besides its subject. `more` are whole fields, ASCII and folded."""

    sender: str  # "Name <address>"
    recipient: str  # only the address
    message_id: str  # without <>
    date: datetime | str  # a str is a placeholder
    reply_to: str | None = None
    more: tuple[str, ...] = ()


class Compiled(NamedTuple):
    """An email cut at its placeholders. `parts` is empty at each of the `gaps`: (index of a part, field).

    The parts are `length` bytes together. A `whole` email has as few parts as possible and shares none of
    them; other emails share their parts. `pieces` are the texts that the parts were made from. `plain` has
    the meaning of `Message.plain`, and stays true for all values that `fill` accepts.
    """

    parts: tuple[bytes, ...]
    gaps: tuple[tuple[int, int], ...]
    length: int
    pieces: tuple[str, ...] = ()
    whole: bool = False
    plain: bool = False

    @property
    def size(self) -> int:
        """Return roughly how many bytes of memory it takes, without the parts that it shares."""
        return 500 + 8 * (len(self.parts) + len(self.pieces)) + self.length * self.whole


def placeholders(content_hash: str) -> Fields:
    """Return placeholders for the fields while an edition is rendered."""
    # They are made from the hash of the edition, so nothing in the edition can contain them.
    digest = sha256(content_hash.encode()).hexdigest()
    return Fields(*(f"{name}_{digest}"[:_WORD_LENGTH] for name in Fields._fields))


def compile_message(email: Email, envelope: Envelope, words: Fields) -> Compiled:
    """Compile one email in which `words` stand for the reader's fields; for several, use a MessageCompiler.

    An email without HTML has only a text part. Raises ValueError if a header cannot be written.
    """
    return MessageCompiler(envelope, words).compile(email)


def fill(compiled: Compiled, values: Values) -> tuple[tuple[bytes, ...], int]:
    """Return one reader's message as parts, and the number of bytes in all of them.

    The recipient must have passed `wire_address`; all values are written as they are. Raises ValueError if a
    value is not printable ASCII, or if a token is too long for its line or begins with a dot.
    """
    _, _, unsubscribe, preferences, _, _ = values
    if (
        b"".join(values).translate(None, _PRINTABLE)
        or not 0 < len(unsubscribe) <= _LONGEST
        or not 0 < len(preferences) <= _LONGEST
        or b"." in (unsubscribe[:1], preferences[:1])
    ):
        raise ValueError("a field of a reader's message has characters that are not allowed there")
    parts, size = list(compiled.parts), compiled.length
    for gap, field in compiled.gaps:
        value = parts[gap] = values[field]
        size += len(value)
    return tuple(parts), size


def plain_message(email: Email, envelope: Envelope) -> bytes:
    """Return a single message, such as a confirmation, compiled in the same way as an edition's messages.

    The message is marked as generated, so that no machine answers it (RFC 3834). Raises ValueError, without
    the address in its text, if the recipient cannot be written.
    """
    more = ("Auto-Submitted: auto-generated", *envelope.more)
    return b"".join(MessageCompiler(replace(envelope, more=more), ()).compile(email).parts)


class _Row(NamedTuple):
    """Encoded text, cut at the placeholders: `parts` is empty at the `gaps`."""

    parts: tuple[bytes, ...]
    gaps: tuple[tuple[int, int], ...]  # index of the part, and number of the field
    length: int  # of all parts together


class MessageCompiler:
    """Compiles the emails of one envelope; each header and each piece of text is encoded only once.

    A piece is kept as long as an email that contains it. Everything kept takes roughly `size` bytes. The
    first emails, up to `whole` bytes together, are whole, so they are filled and written faster. In each
    email, `words` stand for the reader's fields. Raises ValueError if a header cannot be written.
    """

    def __init__(self, envelope: Envelope, words: Sequence[str], *, whole: int = 0) -> None:
        before, after = _fields(envelope, words)
        self._words = words
        self._positions = {word.encode("ascii"): position for position, word in enumerate(words)}
        self._cut = re.compile(b"(%s)" % b"|".join(self._positions)) if words else None
        # "=_" never occurs in quoted-printable text (RFC 2045, 6.7), so no body contains the boundary.
        boundary = b"=_" + b32encode(sha256(before + after).digest()[:15]).lower()
        self._before = self._row(before + b"\r\n")
        self._alone = self._row(b"\r\n%s\r\n%s" % (after, _head("plain")))
        start = b'\r\n%s\r\nContent-Type: multipart/alternative; boundary="%s"\r\n\r\n--%s\r\n%s'
        self._start = self._row(start % (after, boundary, boundary, _head("plain")))
        self._between = self._row(b"\r\n--%s\r\n%s" % (boundary, _head("html")))
        self._end = self._row(b"\r\n--%s--\r\n" % boundary)
        # The email's own fields need not be checked: they are ASCII, and their lines begin with a name or a
        # space.
        self._plain = _is_plain(self._before, self._alone, self._start, self._between, self._end)
        self._kept: dict[str, _Piece] = {}
        self.size = 0
        self._room_for_whole = whole

    def compile(self, email: Email) -> Compiled:
        """Compile an email; without HTML it has only a text part. Raises ValueError like the constructor."""
        texts = email.text_pieces + email.html_pieces
        own = self._row(_own_fields(email.subject, email.languages))
        pieces = [self._kept.get(each) or self._piece(each) for each in texts]
        for piece in pieces:
            piece.uses += 1
        rows = [piece.row for piece in pieces]
        cut = len(email.text_pieces)
        parts, gaps, length = _together(self._rows(own, rows[:cut], rows[cut:]))
        if not parts[-1].endswith(b"\r\n"):  # the text of a message must end with a line end
            parts.append(b"\r\n")
            length += 2
        whole = length <= self._room_for_whole
        if whole:
            parts, gaps = _joined(parts, gaps)
        compiled = Compiled(
            tuple(parts),
            _shared(tuple(gaps)),
            length,
            texts,
            whole,
            self._plain and all(piece.plain for piece in pieces),
        )
        self._account(compiled, 1)
        return compiled

    def evict(self, compiled: Compiled) -> None:
        """Forget an email that was compiled here, and the pieces that no other email has."""
        self._account(compiled, -1)
        for text in compiled.pieces:
            piece = self._kept[text]
            piece.uses -= 1
            if not piece.uses:
                del self._kept[text]
                self.size -= piece.size

    def _account(self, compiled: Compiled, sign: int) -> None:
        self._room_for_whole -= sign * compiled.length * compiled.whole
        self.size += sign * compiled.size

    def _rows(self, own: _Row, text: Sequence[_Row], html: Sequence[_Row]) -> Sequence[_Row]:
        if html:
            return [self._before, own, self._start, *text, self._between, *html, self._end]
        return [self._before, own, self._alone, *text]

    def _piece(self, text: str) -> _Piece:
        row = self._row(quoted_printable(text, self._words))
        size = 200 + 2 * len(text) + row.length
        piece = self._kept[text] = _Piece(row, 0, size, _is_plain(row))
        self.size += piece.size
        return piece

    def _row(self, encoded: bytes) -> _Row:
        if self._cut is None:
            return _Row((encoded,), (), len(encoded))
        found = [each for each in self._cut.split(encoded) if each]
        parts = tuple([b"" if each in self._positions else each for each in found])
        gaps = [(place, self._positions[each]) for place, each in enumerate(found) if not parts[place]]
        return _Row(parts, tuple(gaps), sum(map(len, parts)))


@dataclass(slots=True)
class _Piece:
    """An encoded piece of text, and the number of compiled emails that use it."""

    row: _Row
    uses: int
    size: int
    plain: bool


def _together(rows: Iterable[_Row]) -> tuple[list[bytes], list[tuple[int, int]], int]:
    """Join rows; return the parts, the gaps, and the number of bytes."""
    parts: list[bytes] = []
    gaps: list[tuple[int, int]] = []
    length = 0
    for row in rows:
        if row.gaps:
            gaps += [(len(parts) + place, field) for place, field in row.gaps]
        parts += row.parts
        length += row.length
    return parts, gaps, length


def _joined(
    parts: Sequence[bytes], gaps: Sequence[tuple[int, int]]
) -> tuple[list[bytes], list[tuple[int, int]]]:
    """Return parts and gaps with the parts between two gaps joined into one part."""
    joined: list[bytes] = []
    start = 0
    for place, _ in gaps:
        joined += [b"".join(parts[start:place]), b""]
        start = place + 1
    joined.append(b"".join(parts[start:]))
    return joined, [(2 * number + 1, field) for number, (_, field) in enumerate(gaps)]


@lru_cache(maxsize=1_000)
def _shared(gaps: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Return one tuple for all emails with equal gaps, so that it stays in the processor's cache."""
    return gaps


def _is_plain(*rows: _Row) -> bool:
    """Tell whether all bytes are ASCII and no line can begin with a dot, for any reader.

    If this is true of each row, it is also true of the rows joined. A token may be at the beginning of a
    line, because `fill` refuses tokens that begin with a dot.
    """
    tokens = (Fields._fields.index("unsubscribe"), Fields._fields.index("preferences"))
    parts, gaps, _ = _together(rows)
    for place, field in gaps:
        parts[place] = b"x" if field in tokens else b"."
    data = b"\r\n" + b"".join(parts)
    return data.isascii() and b"\r\n." not in data and not data.startswith(b"\n", 2)


@lru_cache(maxsize=256)
def _own_fields(subject: str, languages: tuple[str, ...]) -> bytes:
    """Return the fields that differ between the emails of an edition (RFC 5322, RFC 3282)."""
    spoken = [f"Content-Language: {', '.join(languages)}"] if languages else []
    fields = [text_field("Subject", subject), *spoken]
    for field in fields:
        _check(field)
    return "\r\n".join(fields).encode("ascii")


def _fields(envelope: Envelope, words: Sequence[str]) -> tuple[bytes, bytes]:
    """Return the fields before the Subject, and the fields after it."""
    recipient = envelope.recipient if envelope.recipient in words else wire_address(envelope.recipient)
    if not _MESSAGE_ID.fullmatch(envelope.message_id):
        raise ValueError("the Message-ID has characters that are not allowed there")
    date = envelope.date if isinstance(envelope.date, str) else format_datetime(envelope.date)
    before = [
        mailbox_field("From", envelope.sender),
        f"To: {recipient}",
        *([mailbox_field("Reply-To", envelope.reply_to)] if envelope.reply_to else []),
    ]
    after = [
        f"Date: {date}",
        f"Message-ID: <{envelope.message_id}>",
        *envelope.more,
        "MIME-Version: 1.0",
    ]
    for field in (*before, *after):
        _check(field)
    return "\r\n".join(before).encode("ascii"), "\r\n".join(after).encode("ascii")


def _check(field: str) -> None:
    name = field.partition(":")[0]
    if not _FIELD.fullmatch(field):
        raise ValueError(f"the header {name!r} has characters that are not allowed there")
    if max(map(len, field.split("\r\n"))) > _HARD_LINE:
        raise ValueError(f"the header {name!r} has a line of more than {_HARD_LINE} characters")


def _head(subtype: str) -> bytes:
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable"
    return head.encode("ascii") + b"\r\n\r\n"
