"""Write numbers and lists in words for the operators' pages. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def number_word(number: int) -> str:
    """Return a number up to ten as a word, and a larger one in digits."""
    return _SMALL[number] if 0 <= number < len(_SMALL) else f"{number:,}"


def are(number: int) -> str:
    """Return the verb of a number: "1 is", "2 are"."""
    return "is" if number == 1 else "are"


def joined(parts: Sequence[str]) -> str:
    """Return texts as one list: "A", "A and B", "A, B and C"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def percent_text(part: int, whole: int) -> str:
    """Return a share with the digits that matter: "0%", "0.04%", "2.5%", "12%"."""
    if not part or not whole:
        return "0%"
    share = 100 * part / whole
    digits = 0 if share >= 10 else 1 if share >= 1 else 2
    return f"{share:.{digits}f}%" if share >= 0.005 else "under 0.01%"
