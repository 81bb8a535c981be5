"""Place posts by the rule of November 2026, as it was before sections: a frozen copy, kept to compare with.

A tag became a topic if enough posts shared it, but not most of them. Topics were picked one by one; each
time, the tag with the most information about its posts: both many posts and a rare tag counted for it.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from benchmarks.editing.labelled import LabelledPost
from digest.model.tags import fold

_MOST = 8
_FULL = 3  # posts under a heading on average
_FEWEST = 2
_TOO_COMMON = 0.6
_TOO_LARGE = 0.15
_A_DOZEN = 12
_STAMP = 5
_MACHINE = re.compile(r"[|=@<>{}\\]|://|^\w+:\w")
_SAYS_NOTHING = frozenset(
    ("all", "article", "blog", "featured", "general", "headlines", "news", "uncategorized")
)


def earlier_rule(posts: Sequence[LabelledPost]) -> dict[str, str]:
    """Return the heading of each post that has one, by its id."""
    posts = sorted(
        posts, key=lambda post: (-post.at.timestamp(), post.id)
    )  # among equals, the newest counted
    tags = _tags(posts)
    tagged = frozenset[int]().union(*tags.values())
    holder = _Picking(tags, len(tagged)).pick(min(_MOST, max(len(posts) // _FULL, _FEWEST)))
    placed = {posts[number].id: tag for number, tag in holder.items()}
    return _by_feed(posts, tagged) | placed


def _tags(posts: Sequence[LabelledPost]) -> dict[str, frozenset[int]]:
    """Return the posts of each tag that could be a heading, without tags that only mark a feed."""
    found: dict[str, set[int]] = defaultdict(set)
    for number, post in enumerate(posts):
        for tag in post.tags:
            key = fold(tag).removeprefix("the ")
            if not (
                _MACHINE.search(tag)
                or key in _SAYS_NOTHING
                or len(key) > 40
                or not re.search(r"[^\W\d_]", key)
            ):
                found[key].add(number)
    published = Counter(post.feed for post in posts)
    names = {fold(name) for name in published}

    def marks_a_feed(key: str) -> bool:
        feeds = {posts[number].feed for number in found[key]}
        every = len(feeds) == 1 < len(published) and len(found[key]) >= max(_STAMP, published[min(feeds)])
        return key in names or every

    return {key: frozenset(numbers) for key, numbers in found.items() if not marks_a_feed(key)}


class _Picking:
    """The tags that have been picked, and the tag that holds each post."""

    def __init__(self, tags: Mapping[str, frozenset[int]], tagged: int) -> None:
        self._enough = max(_FEWEST, math.ceil(math.sqrt(tagged) / 3))
        self._large = max(_A_DOZEN, _TOO_LARGE * tagged)
        self._information = {key: math.log(tagged / len(numbers)) for key, numbers in tags.items()}
        fitting = {
            key: numbers
            for key, numbers in tags.items()
            if self._enough <= len(numbers) <= _TOO_COMMON * tagged
        }
        self._candidates = fitting
        self._holder: dict[int, str] = {}

    def pick(self, most: int) -> dict[int, str]:
        """Return the tag that holds each post, once `most` tags are picked or none is left."""
        for _ in range(most):
            takes = {key: self._take(key) for key in self._candidates}
            gains = {key: self._gain(key, take) for key, take in takes.items()}
            best = max(gains, key=lambda key: gains[key], default=None)
            if best is None or not gains[best]:
                break
            del self._candidates[best]
            self._holder.update(dict.fromkeys(takes[best], best))
        return self._holder

    def _take(self, key: str) -> list[int]:
        """Return the posts that the tag would hold: free ones, and those of large tags that say less."""
        held = Counter(self._holder.values())
        given: dict[str, list[int]] = defaultdict(list)
        for number in sorted(self._candidates[key]):
            given[self._holder.get(number, "")].append(number)
        take = given.pop("", [])
        for donor, numbers in given.items():
            says_more = self._information[key] > self._information[donor]
            if says_more and held[donor] > self._large and held[donor] - len(numbers) >= self._enough:
                take += numbers
        return take

    def _gain(self, key: str, take: Sequence[int]) -> float:
        if len(take) < self._enough:
            return 0.0
        before = math.fsum(
            self._information[self._holder[number]] for number in take if number in self._holder
        )
        return len(take) * self._information[key] - before


def _by_feed(posts: Sequence[LabelledPost], tagged: frozenset[int]) -> dict[str, str]:
    """Return the feed as the heading of the posts of each feed without tags, if there are several feeds."""
    writes_tags = {posts[number].feed for number in tagged}
    sizes = Counter(post.feed for post in posts)
    if len(sizes) == 1:
        return {}
    return {
        post.id: f"feed: {post.feed}"
        for post in posts
        if post.feed not in writes_tags and sizes[post.feed] >= _FEWEST
    }
