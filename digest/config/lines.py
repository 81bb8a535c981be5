"""Find the place of each key and value in a TOML text, because tomllib does not keep it.

The text must be valid TOML that tomllib has already read. A path consists of keys and, for arrays,
indices: ("digest", 1, "schedule").
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""{1,3}'
    r"|'''.*?'''{1,3}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}=,.\n]"
    r"|[^\s\[\]{}=,.\"'#]+",
    re.DOTALL,
)


def places(text: str) -> dict[Path, int]:
    """Return the line (from 1) of every table, key and array element of a valid TOML text."""
    return _Reader(text).read().found


def ends(text: str) -> dict[Path, int]:
    """Return the offset after the header of every table, and after every value and array element."""
    return _Reader(text).read().ends


def line_of(found: dict[Path, int], path: Path) -> int | None:
    """Return the line of a path, or of the nearest enclosing table that the text contains."""
    for length in range(len(path), 0, -1):
        if path[:length] in found:
            return found[path[:length]]
    return None


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each token, without comments, with its line and the offset after it."""
    line, counted = 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", counted, match.start())
        counted = match.start()
        if not match[0].startswith("#"):
            yield match[0], line, match.end()


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self.found: dict[Path, int] = {}
        self.ends: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}  # how many tables of each array have been read

    def read(self) -> _Reader:
        table: Path = ()
        while self._at < len(self._tokens):
            if self._peek() == "\n":
                self._at += 1
            elif self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)
        return self

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _take(self) -> tuple[str, int]:
        token, line, _ = self._tokens[self._at]
        self._at += 1
        return token, line

    def _header(self) -> Path:
        line = self._take()[1]
        many = self._peek() == "["
        self._at += many
        names = self._key("]")
        self._at += many
        *parents, last = names
        path = (*self._within(parents), last)
        if many:
            self._tables[path] = self._tables.get(path, 0) + 1
            self.found.setdefault(path, line)
            path = (*path, self._tables[path] - 1)
        self.found.setdefault(path, line)
        self.ends[path] = self._tokens[self._at - 1][2]
        return path

    def _within(self, names: list[str]) -> Path:
        """Return the path of a table by its names; in an array of tables, the last table is meant."""
        path: Path = ()
        for name in names:
            path = (*path, name)
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
        return path

    def _key(self, end: str) -> list[str]:
        names = []
        while (token := self._take()[0]) != end:
            if token != ".":
                quoted = token[0] in "\"'"
                names.append(next(iter(tomllib.loads(f"{token} = 0"))) if quoted else token)
        return names

    def _pair(self, table: Path) -> None:
        line = self._tokens[self._at][1]
        path = (*table, *self._key("="))
        for length in range(len(table) + 1, len(path) + 1):
            self.found.setdefault(path[:length], line)
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._peek() == "[":
            self._array(path)
        elif self._peek() == "{":
            self._inline_table(path)
        else:
            while self._peek() not in ("", "\n", ",", "]", "}"):
                self._at += 1
        self.ends[path] = self._tokens[self._at - 1][2]

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while self._peek() != "]":
            if self._peek() in ("\n", ","):
                self._at += 1
                continue
            element = (*path, index)
            self.found[element] = self._tokens[self._at][1]
            self._value(element)
            index += 1
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while self._peek() != "}":
            if self._peek() in ("\n", ","):
                self._at += 1
            else:
                self._pair(path)
        self._at += 1
