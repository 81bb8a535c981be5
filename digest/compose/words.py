"""Cut text into words as its readers do, in any script; titles and keywords are compared by them."""

from __future__ import annotations

import re
import unicodedata

# Scripts written without spaces: each character stands for itself, so a phrase is found anywhere.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
# Marks that belong to the letter before them, which `\w` leaves out.
_MARKS = "\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0962\u0963\u0981-\u0dff"
_WORD = re.compile(rf"[{_UNSPACED}]|(?:[^\W_{_UNSPACED}]|[{_MARKS}])+|[+#]+")


def words(text: str) -> list[str]:
    """Return the words of `text`, case-folded, in order; "C++ and Ölpreis" → c, ++, and, ölpreis."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def phrase(text: str) -> str:
    """Return the words of `text` between single spaces, so that `in` compares whole words.

    `phrase("night train") in phrase("The Night-Train is back")` is true; both sides must be phrases.
    An empty or wordless text gives a single space, which is in every phrase: leave those out first.
    """
    return f" {' '.join(words(text))} ".replace("  ", " ")
