"""Compare the names of sections as people do, tell which of them mean nothing, and write them as headings."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from digest.model.tags import fold, is_machine

_LONGEST = 40  # characters; a longer tag is a sentence
_MOST_WORDS = 5
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W_]+")
_HYPHENS = re.compile("[\\-\u2010-\u2015_/]+")
_ACCENT = re.compile("[\u0300-\u036f]")
# A hyphen that replaces a space, but not a hyphen beside a digit ("covid-19") or after one letter ("e-mail").
_FOR_A_SPACE = re.compile(r"(?<=[^\W\d_]{2})[-_]+(?=[^\W\d_])|_+")
_ABBREVIATION = re.compile(r"^(uk|us|eu|un|tv|ai)(?=[-_]|$)")  # a slug cannot show capitals
_NOT_PLURAL = frozenset(("arms", "customs", "goods", "news", "windows"))


@lru_cache(maxsize=50_000)  # the same tags come again in many posts and in every edition
def key_of(tag: str) -> str | None:
    """Return a key that is the same for all spellings of a tag, or None if the tag cannot be a heading.

    Tags that are meant for machines ("author_name|…"), have no letters ("5.9"), are as long as a sentence, or
    say nothing ("Uncategorized") cannot be headings.
    """
    key = plain_key(tag)
    if len(key) > _LONGEST or len(key.split()) > _MOST_WORDS:
        return None
    return None if is_machine(tag) or not _LETTER.search(key) or key in _nothing() else key


def plain_key(name: str) -> str:
    """Return the key of any name: without case, accents, hyphens and "the"; "and" and "&" are equal."""
    return " ".join(_plain(fold(name)).split()).removeprefix("the ")


def _plain(text: str) -> str:
    text = _ACCENT.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFC", text.replace("&", " and "))


def data_lines(file: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the name of each line of a data file of this folder, its text, and the keys between its commas.

    A line in brackets has no name. Comments are left out.
    """
    text = Path(__file__).with_name(file).read_text(encoding="utf-8")
    # All words are folded at once, because this takes a fifth of the time.
    plain = _HYPHENS.sub(" ", _plain(unicodedata.normalize("NFKC", text).casefold()))
    for line, words in zip(text.split("\n"), plain.split("\n"), strict=True):
        if line.startswith("["):
            yield "", line.strip("[] "), []
        elif line and not line.startswith("#"):
            name, _, rest = line.partition(":")
            yield name, rest.strip(), [word.strip(" .") for word in words.partition(":")[2].split(",")]


@lru_cache(maxsize=1)
def _nothing() -> frozenset[str]:
    """Return the keys of names that say nothing about a post."""
    return frozenset(key for _, _, keys in data_lines("nothing.txt") for key in keys)


# ── plurals ─────────────────────────────────────────────────────────────────────────────────


def singulars(keys: Collection[str]) -> dict[str, str]:
    """Return the singular for each plural in `keys` whose singular is in `keys` too."""
    return {
        key: singular
        for key in keys
        if key.endswith("s") and key.split()[-1] not in _NOT_PLURAL
        for singular in _singular(key)
        if singular in keys and len(singular.split()[-1]) > 3
    }


def _singular(key: str) -> Iterable[str]:
    """Return the possible singulars of `key`; at most one of them is a word."""
    if key.endswith(("ss", "us", "is")):
        return ()
    if key.endswith("ies"):
        return (f"{key[:-3]}y", key[:-1])
    if key.endswith(("ches", "shes", "sses", "xes", "zes")):
        return (key[:-2], key[:-1])
    return (key[:-1],)


# ── headings ────────────────────────────────────────────────────────────────────────────────


def heading(spellings: Iterable[str], titles: Collection[str] = ()) -> str:
    """Return the most common of `spellings`, written as a heading: "climate-change" → "Climate change".

    `titles` show how the words are written in running text: "wp-briefing" → "WP briefing". Among equally
    common spellings the first wins. `spellings` must not be empty.
    """
    hyphenated = {word for title in titles for word in title.casefold().split() if "-" in word}
    written: Counter[str] = Counter()
    for spelling, count in Counter(spellings).items():
        written[_written(spelling, hyphenated)] += count
    best = max(written, key=lambda spelling: written[spelling])  # the first of equals
    return _capitalised(_WORD.sub(lambda match: _as_in(titles, match[0]), best))


def _written(spelling: str, hyphenated: Collection[str]) -> str:
    text = " ".join(spelling.split()).strip(" #.,;:!?\"'")
    is_slug = " " not in text and text == text.lower() and text.casefold() not in hyphenated
    return _capitalised(_FOR_A_SPACE.sub(" ", _ABBREVIATION.sub(_upper, text)) if is_slug else text)


def _upper(match: re.Match[str]) -> str:
    return match[0].upper()


def _capitalised(text: str) -> str:
    first = text.split(" ", 1)[0]
    return text if _is_cased_inside(first) else text[:1].upper() + text[1:]


def _as_in(titles: Iterable[str], word: str) -> str:
    """Return `word` as most titles spell it, if that has capitals inside: "WP", "WordPress", "iPhone"."""
    if _is_cased_inside(word):
        return word
    seen = Counter(
        match[0]
        for title in titles
        if title != title.upper()
        for match in _WORD.finditer(title)
        if match[0].casefold() == word.casefold()
    )
    form, count = next(iter(seen.most_common(1)), (word, 0))
    return form if _is_cased_inside(form) and 2 * count > seen.total() else word


def _is_cased_inside(word: str) -> bool:
    return any(char.isupper() for char in word[1:])
