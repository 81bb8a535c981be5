"""Guess which known name was meant by one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 8  # more names than this are a wall of text, not a hint


def hint(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?", or "; there is a, b, c", or nothing: the end of an error message."""
    names = list(dict.fromkeys(known))
    folded = {name.casefold(): name for name in reversed(names)}
    close = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {folded[close[0]]!r}?"
    if 0 < len(names) <= _SHOWN:
        return f"; there is {', '.join(names)}"
    return ""
