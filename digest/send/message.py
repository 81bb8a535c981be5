"""Make mails as bytes: once for each choice of topics, then filled for each reader by one join."""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from itertools import chain
from typing import NamedTuple

from digest.model import Mail
from digest.send.headers import mailbox_field, text_field, wire_address
from digest.send.quoted import quoted_printable

_WORD_LENGTH = 28  # as long as a reader's token, so that lines are as long in a preview as in a mail
_LONGEST = 75  # a token
_PRINTABLE = bytes(range(0x20, 0x7F))
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
    language: str = ""  # the reader's (BCP 47); empty: the edition's
    hour: str | None = None  # the reader's own, "07:30"; None: when the edition goes out
    zone: str | None = None  # of that hour; None: the edition's


class Fields(NamedTuple):
    """What differs between two readers' mails of one choice of topics."""

    recipient: str
    message_id: str  # without <>
    unsubscribe: str  # a token of URL-safe characters
    preferences: str  # likewise
    date: str  # as RFC 5322 writes it


Values = tuple[bytes, bytes, bytes, bytes, bytes]  # one reader's, in the order of Fields, as they are written


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What stands on a mail besides its content. `more` are whole header lines, ASCII and folded."""

    sender: str  # "Name <address>"
    recipient: str  # an address alone
    message_id: str  # without <>
    date: datetime | str  # or the word that stands for it
    reply_to: str | None = None
    more: tuple[str, ...] = ()


class Compiled(NamedTuple):
    """A mail cut at its placeholders: `parts` are empty at the `gaps`, pairs of a part and its field.

    The parts are `length` bytes in all. A `whole` mail has as few as can be, all its own; others share
    theirs. `pieces` are the texts they were made from. `plain`: see Letter; it holds for whatever `fill`
    lets pass.
    """

    parts: tuple[bytes, ...]
    gaps: tuple[tuple[int, int], ...]
    length: int
    pieces: tuple[str, ...] = ()
    whole: bool = False
    plain: bool = False

    @property
    def size(self) -> int:
        """Return the bytes it takes in memory besides what it shares, about."""
        return 500 + 8 * (len(self.parts) + len(self.pieces)) + self.length * self.whole


def placeholders(content_hash: str) -> Fields:
    """Return words to stand for the fields while an edition is rendered.

    They are made from the hash of the edition itself, so nothing in the edition can contain them.
    """
    digest = sha256(content_hash.encode()).hexdigest()
    return Fields(*(f"{name}_{digest}"[:_WORD_LENGTH] for name in Fields._fields))


def compile_message(mail: Mail, envelope: Envelope, words: Fields) -> Compiled:
    """Build one mail, in which `words` stand for the reader's fields; many, with a Mould.

    A mail with no html has only its text part. Raises ValueError for a header that cannot be written.
    """
    return Mould(envelope, words).cast(mail)


def fill(compiled: Compiled, values: Values) -> tuple[tuple[bytes, ...], int]:
    """Return one reader's mail in parts, and how many bytes they are together.

    The recipient must have passed `wire_address`; all are written as they are. Raises ValueError for what
    is not printable ASCII, and for a token that is too long for its line or begins with a dot.
    """
    _, _, leaving, choosing, _ = values
    if (
        b"".join(values).translate(None, _PRINTABLE)
        or not 0 < len(leaving) <= _LONGEST
        or not 0 < len(choosing) <= _LONGEST
        or b"." in (leaving[:1], choosing[:1])
    ):
        raise ValueError("a field of a reader's mail has characters that may not stand there")
    parts, size = list(compiled.parts), compiled.length
    for gap, field in compiled.gaps:
        parts[gap] = values[field]
        size += len(values[field])
    return tuple(parts), size


def plain_message(mail: Mail, envelope: Envelope) -> bytes:
    """Return a single mail, such as a confirmation, built as an edition's are.

    It says that it was generated, so that no machine answers (RFC 3834). Raises ValueError, without
    the address, for a recipient that cannot be written.
    """
    more = ("Auto-Submitted: auto-generated", *envelope.more)
    return b"".join(Mould(replace(envelope, more=more), ()).cast(mail).parts)


_Row = tuple[bytes | int, ...]  # bytes as they stand in mails, and in place of each word its position


class Mould:
    """Cast the mails of one envelope: its fields are written once, and each piece of text encoded once.

    A piece is kept as long as a mail is that has it; what is kept takes about `size` bytes. The first mails,
    of up to `whole` bytes together, are whole, and so are filled and written faster. In each mail `words`
    stand for the reader's fields. Raises ValueError for a header that cannot be written.
    """

    def __init__(self, envelope: Envelope, words: Sequence[str], *, whole: int = 0) -> None:
        before, after = _fields(envelope, words)
        self._words = words
        self._positions = {word.encode("ascii"): position for position, word in enumerate(words)}
        self._cut = re.compile(b"(%s)" % b"|".join(self._positions)) if words else None
        # "=_" occurs in no quoted-printable text (RFC 2045, 6.7), so no body holds the boundary.
        boundary = b"=_" + b32encode(sha256(before + after).digest()[:15]).lower()
        self._before = self._row(before + b"\r\n")
        self._alone = self._row(b"\r\n%s\r\n%s" % (after, _head("plain")))
        start = b'\r\n%s\r\nContent-Type: multipart/alternative; boundary="%s"\r\n\r\n--%s\r\n%s'
        self._start = self._row(start % (after, boundary, boundary, _head("plain")))
        self._between = (b"\r\n--%s\r\n%s" % (boundary, _head("html")),)
        self._end = (b"\r\n--%s--\r\n" % boundary,)
        # A Subject is ASCII, and its lines begin with its name or a space.
        self._plain = _is_plain((*self._before, *self._alone, *self._start, *self._between, *self._end))
        self._kept: dict[str, _Piece] = {}
        self.size = 0
        self._room_for_whole = whole

    def cast(self, mail: Mail) -> Compiled:
        """Return a mail; one with no html has only its text part. ValueError as above."""
        text = mail.text_pieces or (mail.text,)
        html = (mail.html_pieces or (mail.html,)) if mail.html else ()
        subject = self._row(_subject(mail.subject))
        pieces = [self._kept.get(each) or self._piece(each) for each in (*text, *html)]
        for piece in pieces:
            piece.uses += 1
        rows = [piece.row for piece in pieces]
        row = self._mail(subject, rows[: len(text)], rows[len(text) :])
        length = sum([len(each) for each in row if isinstance(each, bytes)])
        whole = length <= self._room_for_whole
        if whole:
            row = _joined(row)
        compiled = Compiled(
            tuple([each if isinstance(each, bytes) else b"" for each in row]),
            tuple([_gap(place, each) for place, each in enumerate(row) if isinstance(each, int)]),
            length,
            (*text, *html),
            whole,
            self._plain and all(piece.plain for piece in pieces),
        )
        self._account(compiled, 1)
        return compiled

    def melt(self, compiled: Compiled) -> None:
        """Forget a mail that was cast here, and the pieces that no other has."""
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

    def _mail(self, subject: _Row, text: Sequence[_Row], html: Sequence[_Row]) -> list[bytes | int]:
        if html:
            rows = chain(self._before, subject, self._start, *text, self._between, *html, self._end)
            return list(rows)
        row = list(chain(self._before, subject, self._alone, *text))
        ends = isinstance(row[-1], bytes) and row[-1].endswith(b"\r\n")
        return row if ends else [*row, b"\r\n"]

    def _piece(self, text: str) -> _Piece:
        row = self._row(quoted_printable(text, self._words))
        piece = self._kept[text] = _Piece(row, 0, _size(text, row), _is_plain(row))
        self.size += piece.size
        return piece

    def _row(self, encoded: bytes) -> _Row:
        """Return bytes cut at the words, with each word's position in its place."""
        if self._cut is None:
            return (encoded,)
        return tuple(self._positions.get(part, part) for part in self._cut.split(encoded) if part)


@dataclass(slots=True)
class _Piece:
    """Text as it stands in mails, cut at the placeholders, and in how many of those kept."""

    row: _Row
    uses: int
    size: int
    plain: bool


@lru_cache(maxsize=10_000)
def _gap(place: int, field: int) -> tuple[int, int]:
    """Return one pair for all mails: what every letter looks at had better be in the processor's cache."""
    return place, field


def _joined(row: Sequence[bytes | int]) -> list[bytes | int]:
    """Return a row with all bytes that stand side by side made one."""
    joined: list[bytes | int] = []
    run: list[bytes] = []
    for each in row:
        if isinstance(each, bytes):
            run.append(each)
        else:
            joined += [b"".join(run), each]
            run = []
    return [*joined, b"".join(run)]


def _is_plain(row: Sequence[bytes | int]) -> bool:
    """Tell whether no line can begin with a dot, whoever it is filled for, and all is ASCII.

    So can none in rows that stand one behind the other, if it is true of each. A token may stand at the
    beginning of a line, because `fill` refuses one with a dot there.
    """
    tokens = (Fields._fields.index("unsubscribe"), Fields._fields.index("preferences"))
    stand_ins = (each if isinstance(each, bytes) else b"x" if each in tokens else b"." for each in row)
    data = b"\r\n" + b"".join(stand_ins)
    return data.isascii() and b"\r\n." not in data and not data.startswith(b"\n", 2)


def _size(text: str, row: _Row) -> int:
    return 200 + 2 * len(text) + sum(len(part) for part in row if isinstance(part, bytes))


@lru_cache(maxsize=256)
def _subject(text: str) -> bytes:
    field = text_field("Subject", text)
    _check(field)
    return field.encode("ascii")


def _fields(envelope: Envelope, words: Sequence[str]) -> tuple[bytes, bytes]:
    """Return the fields that stand before the Subject, and those after it."""
    recipient = envelope.recipient if envelope.recipient in words else wire_address(envelope.recipient)
    if not _MESSAGE_ID.fullmatch(envelope.message_id):
        raise ValueError("the Message-ID has characters that may not stand there")
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
        raise ValueError(f"the header {name!r} has characters that may not stand there")
    if max(map(len, field.split("\r\n"))) > _HARD_LINE:
        raise ValueError(f"the header {name!r} has a line of more than {_HARD_LINE} characters")


def _head(subtype: str) -> bytes:
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable"
    return head.encode("ascii") + b"\r\n\r\n"
