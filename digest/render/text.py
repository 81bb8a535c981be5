"""Shape plain text: strip what must not travel, shorten at a word, wrap and underline by width."""

from __future__ import annotations

import re
import unicodedata

COLUMNS = 72

# Control characters of both sets, and what turns the direction of text that follows it.
# A C1 control (U+0092) makes Gmail clip even a tiny mail.
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ufff9-\uffff\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_SPACES = re.compile(r"[\s\x1c-\x1f\x85]+")
_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
_JOINER = "\u200d"


def one_line(text: str) -> str:
    """Return `text` on one line: runs of white space become a space, control characters go."""
    return _SPACES.sub(" ", _UNWANTED.sub("", text)).strip()


def shorten(text: str, limit: int) -> str:
    """Return one line of at most `limit` characters, cut after a whole word and closed with "…"."""
    line = one_line(text)
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    if line[limit - 1] != " " and " " in cut:
        cut = cut.rsplit(" ", 1)[0]
    return cut.rstrip(" ,;:·–—-\u200d") + "…"


def width(text: str) -> int:
    """Return how many columns `text` takes in a fixed-width font (UAX #11: wide letters take two)."""
    return sum(_columns(char) for char in text)


def underline(text: str, mark: str = "-") -> str:
    """Return `text` wrapped, with a line of `mark` under it as wide as its widest line."""
    lines = wrap(text).split("\n")
    return "\n".join([*lines, mark * max(width(line) for line in lines)])


def wrap(text: str, columns: int = COLUMNS) -> str:
    """Return `text` in lines of at most `columns`; a link is never broken and stands on a line alone.

    A word wider than a line, as in scripts without spaces, is broken between letters.
    """
    lines: list[str] = []
    line = ""
    for word in one_line(text).split(" "):
        if _LINK.search(word):
            lines += [line, word]
            line = ""
        elif width(line) + 1 + width(word) <= columns and line:
            line = f"{line} {word}"
        else:
            lines.append(line)
            *full, line = _pieces(word, columns)
            lines += full
    return "\n".join(line for line in [*lines, line] if line)


def _pieces(word: str, columns: int) -> list[str]:
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


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
