"""Read the table of the phrases that publishers write around a post, and compare texts with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_TABLE: dict[str, dict[str, list[str]]] = tomllib.loads(
    (Path(__file__).parent / "phrases.toml").read_text("utf-8")
)


def small(text: str) -> str:
    """Return a text as the table writes it: in small letters, with "’" for every apostrophe."""
    return text.lower().replace("'", "’")


def any_of(*names: str) -> str:
    """Return one pattern for all phrases of the named parts of the table, in every language."""
    phrases = dict.fromkeys(phrase for name in names for row in _TABLE[name].values() for phrase in row)
    return f"(?:{'|'.join(phrases)})"


def begins(*names: str, end: str = "") -> re.Pattern[str]:
    """Return the pattern of a text in small letters that begins with one of these phrases, and then `end`."""
    return re.compile(rf"[\W_]*{any_of(*names)}{end}")
