"""Compare two versions of a post: its title, its text and its date. No measure here knows a language.

Two titles are *nearly the same* if one contains all words of the other, apart from slips of spelling, and
says little more. A swapped word makes another story ("Fire in Ferrol", "Fire in Vigo"), and so does another
number. Where more is known than the titles, for example that both posts were published in the same second,
it is enough that the titles *share* half of their words.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from datetime import datetime, timedelta
from difflib import SequenceMatcher

from digest.model.posts import Post
from digest.model.tags import fold

DAYS = timedelta(days=3)  # a headline is edited within this time
_HALF = 0.5
_ENOUGH = 3  # words that both titles must have
_MORE = 1 / 3  # so much of the longer title may be missing from the shorter
_SLIP = 0.8  # so alike are two spellings of one word, from 0 to 1
_SHORT = 4  # letters; shorter words must be equal
_TEXT = 5  # words; shorter texts prove nothing
_SAME_TEXT = 0.7  # so much of two texts is the same; texts of one language always share their small words

# Chinese, Japanese, Thai, Lao, Burmese and Khmer have no spaces: each character counts as a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_NO = "no not never without nicht kein keine nie ohne pas jamais sans sin nunca"
_NEGATIONS = frozenset(_NO.split())


def same_title(one: Post, other: Post) -> bool:
    """Return whether two titles are equal, apart from case and punctuation at their ends."""
    return fold(one.title) == fold(other.title)


def same_date(one: Post, other: Post) -> bool:
    """Return whether both posts have a date and it is the same."""
    return one.published_at is not None and one.published_at == other.published_at


def other_date(one: Post, other: Post) -> bool:
    """Return whether both posts have a date and the dates differ."""
    return None not in (one.published_at, other.published_at) and one.published_at != other.published_at


def within_days(one: Post, other: Post) -> bool:
    """Return whether the posts were published, or else first seen, within three days of each other."""
    return abs(_dated_at(one) - _dated_at(other)) <= DAYS


def shares_title(one: Post, other: Post) -> bool:
    """Return whether two titles have at least half of their words in common, and all their numbers."""
    mine, yours = _words(one.title), _words(other.title)
    return _exact(mine) == _exact(yours) and _share(mine, yours) >= _HALF


def nearly_same_title(one: Post, other: Post) -> bool:
    """Return whether one title contains all words of the other, and says little more."""
    mine, yours = _words(one.title), _words(other.title)
    if _exact(mine) != _exact(yours):
        return False
    shorter, longer = sorted(((mine - yours), (yours - mine)), key=Counter.total)
    slips = _slips(shorter, longer)
    total = max(mine.total(), yours.total())
    extra = longer.total() - slips
    return slips == shorter.total() and total - extra >= _ENOUGH and extra <= _MORE * total


def shares_text(one: Post, other: Post) -> bool:
    """Return whether both posts have a text, with the same numbers and mostly the same words."""
    mine, yours = _words(one.blurb), _words(other.blurb)
    enough = min(mine.total(), yours.total()) >= _TEXT and _share(mine, yours) >= _SAME_TEXT
    return enough and _exact(mine) == _exact(yours)


def other_text(one: Post, other: Post) -> bool:
    """Return whether both posts have a text, and it is not the same one."""
    return bool(one.blurb and other.blurb) and not (one.blurb == other.blurb or shares_text(one, other))


def title_words(post: Post) -> Counter[str]:
    """Return the words of a title, case-folded."""
    return _words(post.title)


def _dated_at(post: Post) -> datetime:
    return post.published_at or post.first_seen_at


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def _exact(words: Counter[str]) -> dict[str, int]:
    """Return the words that must be the same in both titles: those with digits, and negations."""
    return {
        word: count
        for word, count in words.items()
        if word in _NEGATIONS or any(char.isdigit() for char in word)
    }


def _share(mine: Counter[str], yours: Counter[str]) -> float:
    return (mine & yours).total() / max(mine.total(), yours.total(), 1)


def _slips(shorter: Counter[str], longer: Counter[str]) -> int:
    """Return how many words of `shorter` are other spellings of words of `longer`."""
    free = list(longer.elements())
    found = 0
    for word in shorter.elements():
        twin = next((each for each in free if _is_slip(word, each)), None)
        if twin is not None:
            free.remove(twin)
            found += 1
    return found


def _is_slip(one: str, other: str) -> bool:
    return min(len(one), len(other)) >= _SHORT and SequenceMatcher(None, one, other).ratio() >= _SLIP
