"""Cut a CSV file into records whatever is wrong with it: a bad line costs itself, never the file."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

MAX_LINE = 65_536  # bytes
MAX_RECORD_LINES = 20  # a quote never closed must not swallow the rest of the file
_DELIMITERS = (",", ";", "\t")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UTF_8_BOM = b"\xef\xbb\xbf"


class ByteFile(Protocol):
    """What is read from: a file opened for bytes, or anything else that gives its lines."""

    def readline(self, size: int, /) -> bytes:
        """Return the next line, or its first `size` bytes; empty at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one record, and the line of the file it begins on."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line was left out. It never holds what stands there, for that may be an address."""

    line: int
    field: str  # the column at fault, or empty
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the operator should know about a file that is taken all the same."""

    line: int
    text: str


_Line = tuple[int, str]


def read_records(file: ByteFile) -> Iterator[Record | Fault | Notice]:
    """Yield the records of a file: UTF-8 with or without a mark, or Windows-1252, which gets a notice.

    The delimiter (comma, semicolon, tab) is the one the first line has most. Empty lines are passed over.
    """
    lines = _Lines(file)
    delimiter = None
    for line in lines:
        if not isinstance(line, tuple):
            yield line
        elif line[1].strip():
            delimiter = delimiter or max(_DELIMITERS, key=line[1].count)
            yield from _record(line, lines, delimiter)


def _record(first: _Line, lines: _Lines, delimiter: str) -> Iterator[Record | Fault]:
    number, text = first
    if '"' not in text:
        yield Record(number, tuple(cell.strip() for cell in text.rstrip("\r\n").split(delimiter)))
        return
    following = _Following(text, lines)
    try:
        cells = next(csv.reader(following, delimiter=delimiter, strict=True))
    except (csv.Error, _TooLongError):
        lines.give_back(following.taken)
        yield Fault(number, "", "a quote is not closed, or stands where none may be")
    else:
        yield Record(number, tuple(cell.strip() for cell in cells))


class _TooLongError(Exception):
    """A record goes on for more lines than any does."""


class _Following:
    """Gives the lines of one record, and remembers which were taken besides the first."""

    def __init__(self, first: str, lines: _Lines) -> None:
        self._first: str | None = first
        self._lines = lines
        self.taken: list[_Line | Fault | Notice] = []

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


class _Lines:
    """Gives the numbered lines of a file as text; lines can be given back to be read again."""

    def __init__(self, file: ByteFile) -> None:
        self._file = file
        self._number = 0
        self._back: deque[_Line | Fault | Notice] = deque()
        self._noticed = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> _Line | Fault | Notice:
        if self._back:
            return self._back.popleft()
        raw = self._file.readline(MAX_LINE)
        if not raw:
            raise StopIteration
        self._number += 1
        if self._number == 1:
            if raw.startswith(_UTF_16):
                return self._end(Fault(1, "", "the file is UTF-16; save it as UTF-8"))
            if b"\n" not in raw and b"\r" in raw.rstrip(b"\r"):
                return self._end(
                    Fault(1, "", "its lines end as on old Macs; save it with Unix or Windows ones")
                )
            raw = raw.removeprefix(_UTF_8_BOM)
        if len(raw) >= MAX_LINE - len(_UTF_8_BOM) and not raw.endswith(b"\n"):
            return self._skip_rest()
        return self._text(raw)

    def give_back(self, lines: list[_Line | Fault | Notice]) -> None:
        """Take back lines that turned out not to belong together."""
        self._back.extendleft(reversed(lines))

    def _text(self, raw: bytes) -> _Line | Fault | Notice:
        if b"\0" in raw:
            return Fault(self._number, "", "the line has NUL bytes in it")
        try:
            return self._number, raw.decode("utf-8")
        except UnicodeDecodeError:
            pass
        try:
            line = self._number, raw.decode("cp1252")
        except UnicodeDecodeError:
            return Fault(self._number, "", "the line is neither UTF-8 nor Windows-1252; save it as UTF-8")
        if self._noticed:
            return line
        self._noticed = True
        self._back.append(line)
        return Notice(self._number, "read as Windows-1252 from here where it is not UTF-8")

    def _skip_rest(self) -> Fault:
        rest = self._file.readline(MAX_LINE)
        while rest and not rest.endswith(b"\n"):
            rest = self._file.readline(MAX_LINE)
        return Fault(self._number, "", f"the line is longer than {MAX_LINE:,} bytes")

    def _end(self, fault: Fault) -> Fault:
        while self._file.readline(MAX_LINE):
            pass
        return fault
