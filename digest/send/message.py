"""Make mails as bytes: once for each choice of topics, then filled for each reader by one join."""

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
        value = parts[gap] = values[field]
        size += len(value)
    return tuple(parts), size


def plain_message(mail: Mail, envelope: Envelope) -> bytes:
    """Return a single mail, such as a confirmation, built as an edition's are.

    It says that it was generated, so that no machine answers (RFC 3834). Raises ValueError, without
    the address, for a recipient that cannot be written.
    """
    more = ("Auto-Submitted: auto-generated", *envelope.more)
    return b"".join(Mould(replace(envelope, more=more), ()).cast(mail).parts)


class _Row(NamedTuple):
    """Text as it stands in mails, cut at the words: `parts` are empty at the `gaps`."""

    parts: tuple[bytes, ...]
    gaps: tuple[tuple[int, int], ...]  # the place of each, and the position of its word
    length: int  # of all parts together


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
        self._between = self._row(b"\r\n--%s\r\n%s" % (boundary, _head("html")))
        self._end = self._row(b"\r\n--%s--\r\n" % boundary)
        # A Subject is ASCII, and its lines begin with its name or a space.
        self._plain = _is_plain(self._before, self._alone, self._start, self._between, self._end)
        self._kept: dict[str, _Piece] = {}
        self.size = 0
        self._room_for_whole = whole

    def cast(self, mail: Mail) -> Compiled:
        """Return a mail; one with no html has only its text part. ValueError as above."""
        texts = mail.text_pieces + mail.html_pieces
        subject = self._row(_subject(mail.subject))
        pieces = [self._kept.get(each) or self._piece(each) for each in texts]
        for piece in pieces:
            piece.uses += 1
        rows = [piece.row for piece in pieces]
        cut = len(mail.text_pieces)
        parts, gaps, length = _together(self._mail(subject, rows[:cut], rows[cut:]))
        if not parts[-1].endswith(b"\r\n"):
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

    def _mail(self, subject: _Row, text: Sequence[_Row], html: Sequence[_Row]) -> Sequence[_Row]:
        if html:
            return [self._before, subject, self._start, *text, self._between, *html, self._end]
        return [self._before, subject, self._alone, *text]

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
    """A text as it stands in mails, and in how many of those kept."""

    row: _Row
    uses: int
    size: int
    plain: bool


def _together(rows: Iterable[_Row]) -> tuple[list[bytes], list[tuple[int, int]], int]:
    """Return rows as one: its parts, its gaps, and how many bytes it has."""
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
    """Return a row with all that stands between two gaps made one."""
    joined: list[bytes] = []
    start = 0
    for place, _ in gaps:
        joined += [b"".join(parts[start:place]), b""]
        start = place + 1
    joined.append(b"".join(parts[start:]))
    return joined, [(2 * number + 1, field) for number, (_, field) in enumerate(gaps)]


@lru_cache(maxsize=1_000)
def _shared(gaps: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Return one for all mails: what every letter looks at had better be in the processor's cache."""
    return gaps


def _is_plain(*rows: _Row) -> bool:
    """Tell whether no line can begin with a dot, whoever it is filled for, and all is ASCII.

    So can none in rows that stand one behind the other, if it is true of each. A token may stand at the
    beginning of a line, because `fill` refuses one with a dot there.
    """
    tokens = (Fields._fields.index("unsubscribe"), Fields._fields.index("preferences"))
    parts, gaps, _ = _together(rows)
    for place, field in gaps:
        parts[place] = b"x" if field in tokens else b"."
    data = b"\r\n" + b"".join(parts)
    return data.isascii() and b"\r\n." not in data and not data.startswith(b"\n", 2)


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
