"""Split text into words, in any script; titles and keywords are compared by their words."""

from __future__ import annotations

import re
import unicodedata

# Scripts that are written without spaces: each character counts as a word, so a phrase is found anywhere.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
# Marks that belong to the letter before them; `\w` does not match them.
_MARKS = "\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0962\u0963\u0981-\u0dff"
_WORD = re.compile(rf"[{_UNSPACED}]|(?:[^\W_{_UNSPACED}]|[{_MARKS}])+|[+#]+")


def words(text: str) -> list[str]:
    """Return the words of `text`, case-folded, in order; "C++ and Ölpreis" → c, ++, and, ölpreis."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def phrase(text: str) -> str:
    """Return the words of `text` between single spaces, so that `in` compares whole words.

    `phrase("night train") in phrase("The Night-Train is back")` is true; both sides must be phrases. A text
    without words gives a single space, which is in every phrase, so the caller must leave out such texts.
    """
    return f" {' '.join(words(text))} ".replace("  ", " ")


# "isn't" is split into "isn" and "t", "n'est" into "n" and "est".
NEGATIONS = frozenset(
    words(
        "no not never without nor t n cannot nicht kein keine keinen keiner nie niemals ohne "
        "ne pas jamais sans aucun aucune sin nunca jamás tampoco não sem non mai senza niet geen zonder "
        "не нет ни без никогда değil yok hayır لا لم لن ليس ليست غير دون بدون לא אין בלי "
        "nie bez inte aldrig utan ikke uden ei 不 没 沒 未 无 無 非 否 ぬ"
    )
)
