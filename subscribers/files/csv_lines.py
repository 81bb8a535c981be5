"""Split a CSV file into records; a bad line is left out, and the lines after it are still read."""

from __future__ import annotations

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

MAX_LINE = 65_536  # bytes
MAX_RECORD_LINES = 20  # so that a quote that is never closed does not swallow the rest of the file
_DELIMITERS = (",", ";", "\t")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_NAMED_DELIMITER = re.compile(r"\s*\"?sep=([,;|\t])\"?\s*\Z", re.IGNORECASE)  # Excel's own first line
# White space, and characters without any width that a copied cell may begin or end with.
_AROUND = " \t\r\n\f\v\u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_UTF_8_BOM = b"\xef\xbb\xbf"


class ByteFile(Protocol):
    """A file opened in binary mode, or anything else that returns lines of bytes."""

    def readline(self, size: int, /) -> bytes:
        """Return the next line, or its first `size` bytes; empty at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one record, and the number of the line on which it begins."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """The reason why a line was left out; it never quotes the line, because that may contain an address."""

    line: int
    field: str  # the column at fault, or empty
    reason: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that the operator should know about a line or file that is used all the same."""

    line: int
    text: str


_Line = tuple[int, str]


def read_records(file: ByteFile) -> Iterator[Record | Fault | Remark]:
    """Yield the records of a file in UTF-8, UTF-16 with a BOM, or Windows-1252, the latter with a remark.

    The delimiter is the comma, semicolon or tab: the one that is most frequent in the first line, or the one
    that a first line such as "sep=;" names. Empty lines are skipped.
    """
    lines = _Lines(file)
    delimiter = None
    for line in lines:
        if not isinstance(line, tuple):
            yield line
        elif line[1].strip(_AROUND):
            if delimiter is None and (named := _NAMED_DELIMITER.match(line[1])):
                delimiter = named[1]
                continue
            delimiter = delimiter or max(_DELIMITERS, key=line[1].count)
            yield from _record(line, lines, delimiter)


def _record(first: _Line, lines: _Lines, delimiter: str) -> Iterator[Record | Fault]:
    number, text = first
    if '"' not in text:
        yield Record(number, tuple(cell.strip(_AROUND) for cell in text.rstrip("\r\n").split(delimiter)))
        return
    following = _Following(text, lines)
    try:
        cells = next(csv.reader(following, delimiter=delimiter, strict=True))
    except (csv.Error, _TooLongError):
        lines.give_back(following.taken)
        yield Fault(number, "", "a quote is not closed or is in the wrong place")
    else:
        yield Record(number, tuple(cell.strip(_AROUND) for cell in cells))


class _TooLongError(Exception):
    """A record has more lines than any real record."""


class _Following:
    """The lines of one record; `taken` has the lines after the first that were read."""

    def __init__(self, first: str, lines: _Lines) -> None:
        self._first: str | None = first
        self._lines = lines
        self.taken: list[_Line | Fault | Remark] = []

    def __iter__(self) -> _Following:
        return self

    def __next__(self) -> str:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        line = next(self._lines)
        self.taken.append(line)
        if not isinstance(line, tuple) or len(self.taken) >= MAX_RECORD_LINES:
            raise _TooLongError
        return line[1]


class _Utf16:
    """A file in UTF-16, as lines of UTF-8; `first` are the bytes that were read already, with the BOM."""

    def __init__(self, first: bytes, file: ByteFile) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")
        self._ready = self._encoded(first)

    def readline(self, size: int, /) -> bytes:
        while b"\n" not in self._ready and len(self._ready) < size:
            raw = self._file.readline(size)
            self._ready += self._encoded(raw)
            if not raw:
                break
        newline = self._ready.find(b"\n")
        end = size if newline < 0 else min(newline + 1, size)
        line, self._ready = self._ready[:end], self._ready[end:]
        return line

    def _encoded(self, raw: bytes) -> bytes:
        return self._decoder.decode(raw, final=not raw).encode()


class _Lines:
    """The numbered lines of a file as text; lines can be given back, and are then read again."""

    def __init__(self, file: ByteFile) -> None:
        self._file = file
        self._number = 0
        self._back: deque[_Line | Fault | Remark] = deque()
        self._noticed = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> _Line | Fault | Remark:
        if self._back:
            return self._back.popleft()
        raw = self._file.readline(MAX_LINE)
        if not raw:
            raise StopIteration
        self._number += 1
        if self._number == 1:
            if raw.startswith(_UTF_16):
                self._file = _Utf16(raw, self._file)
                raw = self._file.readline(MAX_LINE)
            if b"\n" not in raw and b"\r" in raw.rstrip(b"\r"):
                reason = "the lines end as on old Macs; save the file with Unix or Windows line ends"
                return self._end(Fault(1, "", reason))
            raw = raw.removeprefix(_UTF_8_BOM)
        if len(raw) >= MAX_LINE - len(_UTF_8_BOM) and not raw.endswith(b"\n"):
            return self._skip_rest()
        return self._text(raw)

    def give_back(self, lines: list[_Line | Fault | Remark]) -> None:
        """Take back lines that turned out not to belong to one record."""
        self._back.extendleft(reversed(lines))

    def _text(self, raw: bytes) -> _Line | Fault | Remark:
        if b"\0" in raw:
            return Fault(self._number, "", "the line contains NUL bytes")
        try:
            return self._number, raw.decode("utf-8")
        except UnicodeDecodeError:
            pass
        try:
            line = self._number, raw.decode("cp1252")
        except UnicodeDecodeError:
            return Fault(
                self._number, "", "the line is neither UTF-8 nor Windows-1252; save the file as UTF-8"
            )
        if self._noticed:
            return line
        self._noticed = True
        self._back.append(line)
        return Remark(self._number, "from here on, lines that are not UTF-8 are read as Windows-1252")

    def _skip_rest(self) -> Fault:
        rest = self._file.readline(MAX_LINE)
        while rest and not rest.endswith(b"\n"):
            rest = self._file.readline(MAX_LINE)
        return Fault(self._number, "", f"the line is longer than {MAX_LINE:,} bytes")

    def _end(self, fault: Fault) -> Fault:
        while self._file.readline(MAX_LINE):
            pass
        return fault
