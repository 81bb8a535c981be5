"""Measure how alike two stories are by the rare words that they share (TF-IDF and cosine), in any script.

A word counts once for a story, fully in the title and less in the text. Words are folded, reduced to their
stems, and spelling variants of long words are one word ("Zelenskiy", "Zelensky"). Scripts without spaces are
read as pairs of characters. A word is the rarer, the fewer of the posts of the last seven days contain it;
in a small collection, a word of one or two posts counts as rare, and a common word as common.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import combinations

from digest.compose.stories.group import dated_at
from digest.compose.stories.stems import stem
from digest.compose.stories.words import NEGATIONS, words
from digest.model.posts import WaitingPost
from digest.model.tags import plain

_TEXT = 0.7  # weight of a word of the text; a word of the title has 1
_STEEP = 1.5  # exponent of rarity: one rare name says more than two words of every day
_MANY = 300  # posts from which the rarity of a word can be known …
_UNSURE = 100  # … and with fewer, so many others are taken to lack a word that a few have
_PER_HOUR = 0.01  # so much less alike are two stories for each hour between them
_FOUND_BY = 24  # of a story's rarest words lead to candidates …
_CROWD = 50  # … unless more stories contain them
_NEAREST = 20  # candidates of one story that are compared
_FAR = 0.1  # below, it does not matter whether the titles look alike
_ENOUGH = 2  # words that two stories share
_SWAPPED = 2  # words of a title that differ in a look-alike
_A_TITLE = 4  # words of a title that says something without its text
_SHARED = 0.25  # so many words of two texts under one title are the same if they tell the same
_LONGEST_TITLE, _LONGEST_TEXT = 40, 120  # words that are read
_ROOT, _ENDINGS = 3, 5  # letters that all forms of a word share at least, and in which they differ at most
_BESIDE = 3  # words in the order of the alphabet
_VARIANT, _ENDING = 5, 2  # two words that begin with five equal letters differ in their last two at most
_POINT = re.compile(r"(?<=\d)[.,](?=\d)")  # "3.14" and "3,000" are one number
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")

# Words of every day. Rarity finds them out in a large collection; these are for a small one.
_EVERY_DAY = {
    "ar": "في من على إلى عن أن إن ما هو هي هذا هذه مع بعد قبل",
    "de": "der die das den dem des ein eine einer einen einem und oder in im am an auf aus bei mit nach "
    "von vom zu zum zur für ist sind war wird werden hat haben nicht sich auch als wie es er sie",
    "en": "a an the of to in on at for and or by from with as is are was were be has have had will its it "
    "s t",
    "es": "el la los las un una unos unas de del y o a al en con por para es son ha han no que su se lo",
    "fr": "le la les l un une des du de d et ou en au aux à dans par pour sur avec est sont a ont ne pas que "
    "qui se",
    "it": "il lo la gli i le un uno una di del della e o in a al con per da che è sono non si",
    "nl": "de het een van en of in op te aan bij met voor door uit is zijn was niet dat die er",
    "pt": "o a os as um uma de do da dos das e ou em no na nos nas com por para que é são não se",
    "ru": "и в во на с со по из за о об от к у не что как это для был была было",
    "tr": "ve bir bu için ile da de mi ne o",
}
_LIGHT = {language: frozenset(words(plain(line))) for language, line in _EVERY_DAY.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Story:
    """The weights of a story's words, the words of its title in their order, its numbers and its time.

    `tag_words` returns the words of its tags, which are needed rarely.
    """

    weights: Mapping[str, float]
    title: tuple[str, ...]
    numbers: frozenset[str]
    at: datetime
    tag_words: Callable[[], frozenset[str]]

    def looks_like(self, other: _Story) -> bool:
        """Return whether both titles say the same of different things: "Fire in Ferrol", "Fire in Vigo".

        It is also true if a title has no word of the other story, because many texts of a feed may be one
        form ("All about number 3").
        """
        mine, yours = set(self.title), set(other.title)
        if mine.isdisjoint(other.weights) or yours.isdisjoint(self.weights):
            return True
        more, less = mine - yours, yours - mine
        if not more and not less:
            return self._is_serial(other) if self.title == other.title else bool(self.numbers)
        if not more or not less:
            return not NEGATIONS.isdisjoint(more | less)
        if max(_size(more), _size(less)) > min(_SWAPPED, _size(mine & yours)):
            return False
        return not (more <= other.weights.keys() or less <= self.weights.keys())

    def _is_serial(self, other: _Story) -> bool:
        """Return whether one title stands over two texts: "Morning briefing for Monday".

        Two reports of one thing may share no word besides their headline. Then the tags of one often say
        what the text of the other says.
        """
        title = set(self.title)
        mine, yours = self.weights.keys() - title, other.weights.keys() - title
        if not mine or not yours:
            return _size(title) < _A_TITLE
        if len(mine & yours) >= _SHARED * min(len(mine), len(yours)):
            return False
        tagged = (mine | self.tag_words()) & (yours | other.tag_words()) & (mine | yours)
        return _size(title) < _A_TITLE or _size(tagged - title) < _ENOUGH


class Likeness:
    """How alike each two of some stories are, from 0 to 1. They are named by their places."""

    def __init__(self, stories: Sequence[WaitingPost], others: Iterable[WaitingPost], language: str) -> None:
        """Compare `stories`; `others` only show how rare a word is. `language` is that of most posts."""
        read = [_Read(each, language) for each in stories]
        around = [_Read(each, language) for each in others]
        names = _names((*read, *around))
        weights = [each.under(names) for each in read]
        frequency = Counter(word for each in weights for word in each)
        frequency.update(word for each in around for word in each.under(names))
        rarity = _rarity(frequency, len(read) + len(around))
        self._stories = [
            _Story(
                weights=_unit(each, rarity),
                title=one.title_under(names),
                numbers=one.numbers,
                at=dated_at(post),
                tag_words=partial(one.tags_under, names),
            )
            for each, one, post in zip(weights, read, stories, strict=True)
        ]

    def of(self, one: int, other: int) -> float:
        """Return how alike two stories are; 0 if each has a number that the other has not."""
        mine, yours = self._stories[one], self._stories[other]
        if not (mine.numbers <= yours.numbers or yours.numbers <= mine.numbers):
            return 0.0
        shared = sorted(mine.weights.keys() & yours.weights.keys())
        if len(shared) < 2 * _ENOUGH and _size(shared) < _ENOUGH:
            return 0.0
        hours = abs(mine.at - yours.at).total_seconds() / 3600
        cosine = sum(mine.weights[word] * yours.weights[word] for word in shared)
        near = cosine * max(0.0, 1 - _PER_HOUR * hours)
        return 0.0 if near >= _FAR and mine.looks_like(yours) else near

    def candidates(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs of stories that share a rare word, a bounded number for each story."""
        filed: dict[str, list[int]] = defaultdict(list)
        for number, story in enumerate(self._stories):
            for word in sorted(story.weights, key=lambda word: (-story.weights[word], word))[:_FOUND_BY]:
                filed[word].append(number)
        shared: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        for word, numbers in sorted(filed.items()):
            if len(numbers) <= _CROWD:
                weight = [self._stories[number].weights[word] for number in numbers]
                for (one, mine), (other, yours) in combinations(zip(numbers, weight, strict=True), 2):
                    shared[one][other] += mine * yours
        for one in sorted(shared):
            nearest = sorted(shared[one].items(), key=lambda item: (-item[1], item[0]))[:_NEAREST]
            yield from ((one, other) for other, _ in nearest)


class _Read:
    """The words of a post with the weight of the place where they stand, and its numbers."""

    def __init__(self, waiting: WaitingPost, language: str) -> None:
        self.language = (waiting.post.language or language).partition("-")[0].lower()
        light = _LIGHT.get(self.language, frozenset())
        ahead = [word for word in _words(waiting.post.title)[:_LONGEST_TITLE] if word not in light]
        after = [word for word in _words(waiting.post.blurb)[:_LONGEST_TEXT] if word not in light]
        self.numbers = frozenset(word for word in (*ahead, *after) if any(char.isdigit() for char in word))
        self._title = ahead
        self._tags = waiting.post.tags
        # A word of the title has the title's weight, also if the text repeats it.
        self.weights = dict.fromkeys(after, _TEXT) | dict.fromkeys(ahead, 1.0)

    def title_under(self, names: Mapping[tuple[str, str], str]) -> tuple[str, ...]:
        """Return the words of the title in their order, each under its name."""
        return tuple(names[self.language, word] for word in self._title)

    def tags_under(self, names: Mapping[tuple[str, str], str]) -> frozenset[str]:
        """Return the words of the tags, each under its name, or as it is if no text has it."""
        found = (word for tag in self._tags for word in _words(tag))
        return frozenset(names.get((self.language, word), word) for word in found)

    def under(self, names: Mapping[tuple[str, str], str]) -> dict[str, float]:
        """Return the weights with each word under its name; see `_names`."""
        highest: dict[str, float] = {}
        for word, weight in self.weights.items():
            name = names[self.language, word]
            highest[name] = max(weight, highest.get(name, 0.0))
        return highest


def _words(text: str) -> list[str]:
    """Return the words of a text without accents; of scripts without spaces, the pairs of characters."""
    found: list[str] = []
    before = ""
    for word in words(_POINT.sub("", plain(text))):
        unspaced = _UNSPACED.fullmatch(word) is not None
        if unspaced and before:
            found.append(before + word)
        before = word if unspaced else ""
        if not unspaced:
            found.append(word)
    return found


def _names(read: Iterable[_Read]) -> dict[tuple[str, str], str]:
    """Return a common name for the forms of a word, by language and word: a stem, or a variant of it."""
    found = {(each.language, word) for each in read for word in each.weights}
    # A stem takes 50 µs, so only words are reduced to it that may share it with another one.
    alike = _alike(found)
    stems = {key: stem(key[1], key[0]) if key in alike else key[1] for key in found}
    same = _variants(stems.values())
    return {key: same.get(word, word) for key, word in stems.items()}


def _alike(found: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the words of each language that differ from one beside them in their endings alone."""
    alike: set[tuple[str, str]] = set()
    ordered = sorted(found)
    for apart in range(1, _BESIDE + 1):
        for one, other in zip(ordered, ordered[apart:], strict=False):
            root = max(_ROOT, max(len(one[1]), len(other[1])) - _ENDINGS)
            if one[0] == other[0] and one[1][:root] == other[1][:root]:
                alike |= {one, other}
    return alike


def _size(some: Iterable[str]) -> float:
    """Return the number of words; a pair of characters is half of one."""
    return sum(0.5 if _UNSPACED.match(word) else 1 for word in some)


def _variants(found: Iterable[str]) -> dict[str, str]:
    """Return the first of its spelling variants for each long word that has any."""
    same: dict[str, str] = {}
    first = ""
    for word in sorted({word for word in found if len(word) > _VARIANT and word.isalpha()}):
        equal = max(_VARIANT, max(len(word), len(first)) - _ENDING)
        if first and word[:equal] == first[:equal]:
            same[word] = first
        else:
            first = word
    return same


def _rarity(frequency: Mapping[str, int], posts: int) -> dict[str, float]:
    """Return how much each word says, by the number of posts besides two that contain it."""
    every = max(posts, _MANY)
    scale = every / max(posts, min(posts + _UNSURE, _MANY))
    return {
        word: math.log((every + 1) / (1 + max(count - 2, 0) * scale)) ** _STEEP
        for word, count in frequency.items()
    }


def _unit(weights: Mapping[str, float], rarity: Mapping[str, float]) -> dict[str, float]:
    """Return the words by their weight and rarity, as a vector of length 1."""
    vector = {word: weight * rarity[word] for word, weight in sorted(weights.items())}
    length = math.sqrt(sum(value * value for value in vector.values())) or 1.0
    return {word: value / length for word, value in vector.items()}
