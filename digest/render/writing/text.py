"""Lay out plain text: shorten, wrap and underline it by its width, and mark its direction."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from subscribers.text import one_line

COLUMNS = 72

_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
_JOINER = "\u200d"
_STRONG = {"L": "ltr", "R": "rtl", "AL": "rtl"}
_MARKS = {"ltr": "\u200e", "rtl": "\u200f"}
_FROM_THE_RIGHT = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)


def shorten(text: str, limit: int) -> str:
    """Return `text` as one line of at most `limit` characters; a longer text is cut at a word, with "…"."""
    line = one_line(text)
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    if line[limit - 1] != " " and " " in cut:
        cut = cut.rsplit(" ", 1)[0]
    return cut.rstrip(" ,;:·–—-\u200d") + "…"


def width(text: str) -> int:
    """Return the width of `text` in columns of a fixed-width font (UAX #11: wide letters take two)."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def underline(text: str, mark: str = "-", direction: str = "") -> str:
    """Return `text` wrapped, with a line of `mark` under it that is as wide as its widest line."""
    lines = wrap(text, direction=direction).split("\n")
    return "\n".join([*lines, mark * max(width(line) for line in lines)])


def wrap(text: str, columns: int = COLUMNS, direction: str = "") -> str:
    """Return `text` in lines of at most `columns`; a link is never broken and has a line of its own.

    A word that is wider than a line, as in scripts without spaces, is broken between letters. `direction`
    ("ltr", "rtl") is the direction of the text if it has letters of that direction; otherwise its first
    letter decides.
    """
    lines = _lines(text, columns)
    # A mail program shows each line of plain text as a paragraph, and its first letter decides its direction
    # (UAX #9, P2). So a line that begins with a name in another script gets a direction mark.
    if _FROM_THE_RIGHT.search(text):
        base = direction_of(text, direction)
        lines = [_marked(line, base) for line in lines]
    return "\n".join(lines)


def direction_of(text: str, base: str) -> str:
    """Return the direction in which a text reads: `base` if it has letters of that direction.

    A headline that begins with a name in another script still reads in the direction of its edition.
    Otherwise the first letter decides; a text without letters has the `base`.
    """
    if text.isascii() and base == "ltr":
        return base
    kinds = dict.fromkeys(_directions(text))
    return base if base in kinds else next(iter(kinds), base)


def _lines(text: str, columns: int) -> list[str]:
    lines: list[str] = []
    line, used = "", 0
    for word in one_line(text).split(" "):
        wide = width(word)
        if _LINK.search(word):
            lines += [line, word]
            line, used = "", 0
        elif used + 1 + wide <= columns and line:
            line, used = f"{line} {word}", used + 1 + wide
        else:
            lines.append(line)
            *full, line = _pieces(word, columns)
            lines += full
            used = width(line)
    return [line for line in [*lines, line] if line]


def _marked(line: str, base: str) -> str:
    """Return `line`, with a mark before it if it would be shown in another direction; links get no mark."""
    own = next(_directions(line), base)
    return line if own == base or _LINK.match(line) else _MARKS[base] + line


def _directions(text: str) -> Iterator[str]:
    """Yield the direction of each letter that has one."""
    kinds = (unicodedata.bidirectional(char) for char in text)
    return (_STRONG[kind] for kind in kinds if kind in _STRONG)


def _pieces(word: str, columns: int) -> list[str]:
    if width(word) <= columns:
        return [word]
    pieces = [""]
    used = 0
    for char in word:
        joined = pieces[-1].endswith(_JOINER) or _columns(char) == 0
        if used + _columns(char) > columns and not joined:
            pieces.append("")
            used = 0
        pieces[-1] += char
        used += _columns(char)
    return pieces


@lru_cache(maxsize=1024)  # a text has the same few letters again and again
def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
