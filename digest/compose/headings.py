"""Make headings of tags: which tags could be one, when two are the same, and how it is written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable

from digest.tags import fold

_LONGEST = 40  # characters; what is longer is a sentence
_MOST_WORDS = 5
_MACHINE = re.compile(r"[|=@<>{}\\]|://|^\w+:\w")  # "author_name|…", "region=US", "series:harbour"
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W_]+")
# A hyphen that stands for a space: not one beside a digit ("covid-19") or after one letter ("e-mail").
_FOR_A_SPACE = re.compile(r"(?<=[^\W\d_]{2})[-_]+(?=[^\W\d_])|_+")
_SAYS_NOTHING = frozenset(
    re.split(
        ", ",
        "all, allgemein, article, articles, blog, blog post, blogs, category, default, featured, front page, "
        "frontpage, general, headline, headlines, home, homepage, latest, latest news, misc, miscellaneous, "
        "new, news, non classé, other, post, posts, sin categoría, stories, story, top stories, "
        "uncategorised, uncategorized",
    )
)
_NOT_PLURAL = frozenset(("arms", "customs", "goods", "news", "windows"))


def tag_key(tag: str) -> str | None:
    """Return the key under which spellings of a tag meet, or None when it could never be a heading.

    Left out is what speaks to machines ("author_name|…"), has no letters ("5.9"), is as long as a
    sentence, or says nothing ("Uncategorized").
    """
    key = fold(tag).removeprefix("the ")
    if len(key) > _LONGEST or len(key.split()) > _MOST_WORDS:
        return None
    if _MACHINE.search(tag) or not _LETTER.search(key) or key in _SAYS_NOTHING:
        return None
    return key


def singulars(keys: Collection[str]) -> dict[str, str]:
    """Return plural → singular for those of `keys` that are the same word, both being there."""
    return {
        key: singular
        for key in keys
        if key.endswith("s") and key.split()[-1] not in _NOT_PLURAL
        for singular in _singular(key)
        if singular in keys and len(singular.split()[-1]) > 3
    }


def _singular(key: str) -> Iterable[str]:
    """Return what `key` may be the plural of; at most one of them is a word."""
    if key.endswith(("ss", "us", "is")):
        return ()
    if key.endswith("ies"):
        return (f"{key[:-3]}y", key[:-1])
    if key.endswith(("ches", "shes", "sses", "xes", "zes")):
        return (key[:-2], key[:-1])
    return (key[:-1],)


def heading(spellings: Iterable[str], titles: Collection[str] = ()) -> str:
    """Return the most common of `spellings`, written as a heading: "climate-change" → "Climate change".

    `titles` show how its words are written in running text: "wp-briefing" → "WP briefing". The first
    of equally common spellings wins; `spellings` must not be empty.
    """
    hyphenated = {word for title in titles for word in title.casefold().split() if "-" in word}
    written = Counter(_written(spelling, hyphenated) for spelling in spellings)
    best = max(written, key=lambda spelling: written[spelling])  # the first of equals
    return _capitalised(_WORD.sub(lambda match: _as_in(titles, match[0]), best))


def _written(spelling: str, hyphenated: Collection[str]) -> str:
    text = " ".join(spelling.split()).strip(" #.,;:!?\"'")
    is_slug = " " not in text and text == text.lower() and text.casefold() not in hyphenated
    return _capitalised(_FOR_A_SPACE.sub(" ", text) if is_slug else text)


def _capitalised(text: str) -> str:
    first = text.split(" ", 1)[0]
    return text if _is_cased_inside(first) else text[:1].upper() + text[1:]


def _as_in(titles: Iterable[str], word: str) -> str:
    """Return `word` as most titles that have it write it, where that is "WP", "WordPress", "iPhone"."""
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
