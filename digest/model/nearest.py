"""Suggest a known name for an unknown one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 8  # more names than this are a wall of text, not a hint


def hint(word: str, known: Iterable[str]) -> str:
    """Return the end of an error message: "; did you mean 'x'?", "; available: a, b, c", or nothing."""
    names = list(dict.fromkeys(known))
    folded = {name.casefold(): name for name in reversed(names)}
    close = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {folded[close[0]]!r}?"
    if 0 < len(names) <= _SHOWN:
        return f"; available: {', '.join(names)}"
    return ""
