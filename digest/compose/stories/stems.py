"""Reduce words to their stems with snowballstemmer, so that "elections" and "election" are one word."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any

import snowballstemmer

_ALGORITHMS = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nb": "norwegian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}
_LOCK = Lock()  # a stemmer keeps the word that it works on


def stem(word: str, language: str) -> str:
    """Return the stem of a folded word in a language (BCP 47); the word itself in an unknown language."""
    name = _ALGORITHMS.get(language.partition("-")[0].lower())
    return _stem(word, name) if name else word


@lru_cache(maxsize=65_536)  # a stem takes 50 µs, and the posts of one day are looked at again the next day
def _stem(word: str, name: str) -> str:
    with _LOCK:
        return str(_stemmer(name).stemWord(word))


@lru_cache
def _stemmer(name: str) -> Any:
    return snowballstemmer.stemmer(name)
