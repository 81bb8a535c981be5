"""Group the posts that cover the same story, in linear time, and choose the post that is shown.

Two posts cover the same story if

- they link to the same page, unless a feed uses this link for posts with different titles (the page of a
show,
  a home page), because such a link does not identify a story; or
- they come from different feeds, within three days, with nearly the same title.

Two titles are nearly the same if the longer contains all words of the shorter, and these are most of it: one
may say more ("… at last"), but neither may say something else. A measure that accepts a swapped word
(Jaccard, edit distance) takes "Fire in Ferrol kills three" for "Fire in Vigo kills three", and losing a story
is worse than showing it twice. Numbers, single letters and negations must be equal: "Week 14" is not "Week
15".
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from digest.compose.words import words
from digest.model.editions import Claim, Source, Story
from digest.model.links import canonical_url
from digest.model.posts import WaitingPost
from digest.model.tags import fold

SAME_DAYS = timedelta(days=3)
_MOST = 0.75  # so much of the longer title's words must be in the shorter title
_ENOUGH = 4  # significant words that a title needs before another may say more
_ENOUGH_EQUAL = 3  # significant words of equal titles for one story; "Open thread" has too few
_CROWD = 50  # if more titles share their rarest word, the word does not identify a story

_LIGHT = frozenset(
    words("a an the of to in on at for and or by from with as is are was be has have will its it s")
)
_NEGATIONS = frozenset(("no", "not", "never", "without", "nor", "t"))  # "isn't" is split into "isn" and "t"
_OUTLET = re.compile(r"\s+[-–—|·]\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The posts of one story; the first is shown, and the others become "also in …"."""

    posts: tuple[WaitingPost, ...]

    @property
    def id(self) -> str:
        """Return the id that the story will have, which is the id of its first post."""
        return self.posts[0].post.id

    @property
    def at(self) -> datetime:
        """Return the time of the post that is shown."""
        return dated_at(self.posts[0])

    @property
    def feeds(self) -> tuple[str, ...]:
        """Return the names of the feeds that cover the story, each once."""
        return tuple(dict.fromkeys(waiting.feed_name for waiting in self.posts))

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the tags of all posts, each in its first spelling."""
        spellings: dict[str, str] = {}
        for waiting in self.posts:
            for tag in waiting.post.tags:
                spellings.setdefault(fold(tag), tag)
        return tuple(spellings.values())


def dated_at(waiting: WaitingPost) -> datetime:
    """Return the time when a post was published, or first seen if that is earlier or there is no date."""
    post = waiting.post
    return min(post.published_at or post.first_seen_at, post.first_seen_at)


def newest_first(group: Group) -> tuple[float, str]:
    """Return a key that sorts groups, the newest first; the order is always the same."""
    return -group.at.timestamp(), group.id


def gather(waiting: Iterable[WaitingPost]) -> tuple[Group, ...]:
    """Return the stories of the `waiting` posts, the newest first; every post is in exactly one of them."""
    posts = sorted(waiting, key=_oldest_first)
    titles = [_title(each) for each in posts]
    clusters = _Clusters(posts)
    for one, other in _same_link(posts, titles):
        clusters.join(one, other)
    for one, other in _same_title(posts, titles):
        if not clusters.share_a_feed(one, other):
            clusters.join(one, other)
    groups = [Group(posts=tuple(sorted(members, key=_shown_first))) for members in clusters.members()]
    return tuple(sorted(groups, key=newest_first))


def to_story(group: Group, *, topic: str, rule: str, claims: tuple[Claim, ...] = ()) -> Story:
    """Return `group` as a story under `topic`, placed there by `rule`; `claims` are those of other topics."""
    shown = group.posts[0]
    links = {each.feed_name: each.post.url for each in reversed(group.posts[1:])}
    return Story(
        id=group.id,
        title=shown.post.title,
        blurb=shown.post.blurb,
        url=shown.post.url,
        source=shown.feed_name,
        author=shown.post.author,
        published_at=shown.post.published_at,
        image=shown.post.image,
        tags=group.tags,
        topic=topic,
        rule=rule,
        also=tuple(Source(name=name, url=links[name]) for name in group.feeds[1:]),
        post_ids=tuple(each.post.id for each in group.posts),
        claims=claims,
    )


def _oldest_first(waiting: WaitingPost) -> tuple[datetime, str]:
    return dated_at(waiting), waiting.post.id


def _shown_first(waiting: WaitingPost) -> tuple[bool, bool, bool, datetime, str]:
    """Return the sort key for the post that is shown: with a link, a picture, a blurb, then the earliest."""
    post = waiting.post
    return post.url is None, post.image is None, not post.blurb, dated_at(waiting), post.id


class _Clusters:
    """Sets of posts, which are joined step by step (union-find)."""

    def __init__(self, posts: Sequence[WaitingPost]) -> None:
        self._posts = posts
        self._parents = list(range(len(posts)))
        self._feeds = [{each.feed_name} for each in posts]

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self._root(one), self._root(other)))
        self._parents[high] = low
        self._feeds[low] |= self._feeds[high]

    def share_a_feed(self, one: int, other: int) -> bool:
        return not self._feeds[self._root(one)].isdisjoint(self._feeds[self._root(other)])

    def members(self) -> Iterable[list[WaitingPost]]:
        groups: dict[int, list[WaitingPost]] = defaultdict(list)
        for number, each in enumerate(self._posts):
            groups[self._root(number)].append(each)
        return groups.values()

    def _root(self, number: int) -> int:
        while (parent := self._parents[number]) != number:
            self._parents[number] = self._parents[parent]
            number = parent
        return number


# ── by link ─────────────────────────────────────────────────────────────────────────────────


def _same_link(posts: Sequence[WaitingPost], titles: Sequence[_Title]) -> Iterator[tuple[int, int]]:
    by_link: dict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(posts):
        if each.post.url:
            by_link[canonical_url(each.post.url)].append(number)
    for numbers in by_link.values():
        if len(numbers) > 1 and not _is_shared_page(numbers, posts, titles):
            yield from pairwise(numbers)


def _is_shared_page(numbers: Sequence[int], posts: Sequence[WaitingPost], titles: Sequence[_Title]) -> bool:
    """Return whether one feed gives this link to posts with different titles."""
    first: dict[str, _Title] = {}
    for number in numbers:
        title = first.setdefault(posts[number].feed_name, titles[number])
        if title != titles[number] and not _alike(title, titles[number]):
            return True
    return False


# ── by title ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Title:
    """The significant words of a title, and those words that must be equal, in their order."""

    significant: frozenset[str]
    exact: tuple[str, ...]


def _title(waiting: WaitingPost) -> _Title:
    parts = _OUTLET.split(waiting.post.title)
    if len(parts) > 1 and fold(parts[-1]) == fold(waiting.feed_name):
        parts.pop()
    found = [word for part in parts for word in words(part) if word not in _LIGHT]
    exact = [word for word in found if _must_agree(word)]
    return _Title(frozenset(found).difference(exact), tuple(exact))


def _must_agree(word: str) -> bool:
    """Return whether such a word makes a different story: "14", "C" in "vitamin C", "not"."""
    is_letter = len(word) == 1 and word != word.upper()
    return is_letter or word in _NEGATIONS or any(char.isdigit() for char in word)


def _alike(one: _Title, other: _Title) -> bool:
    if one.exact != other.exact:
        return False
    if one.significant == other.significant:
        return len(one.significant) >= _ENOUGH_EQUAL
    shorter, longer = sorted((one.significant, other.significant), key=len)
    return len(shorter) >= max(_ENOUGH, _MOST * len(longer)) and shorter < longer


def _same_title(posts: Sequence[WaitingPost], titles: Sequence[_Title]) -> list[tuple[int, int]]:
    """Return the pairs of similar titles, equal titles first, then the nearest in time.

    The pairs are sorted so that the result of joining them does not depend on the order of `posts`.
    """
    pairs = {
        (one, other)
        for one, other in _candidates(titles)
        if posts[one].feed_name != posts[other].feed_name
        and dated_at(posts[other]) - dated_at(posts[one]) <= SAME_DAYS
        and _alike(titles[one], titles[other])
    }

    def nearest(pair: tuple[int, int]) -> tuple[bool, timedelta, tuple[int, int]]:
        one, other = pair
        return titles[one] != titles[other], dated_at(posts[other]) - dated_at(posts[one]), pair

    return sorted(pairs, key=nearest)


def _candidates(titles: Sequence[_Title]) -> Iterator[tuple[int, int]]:
    """Yield pairs (earlier, later) of titles that may be similar.

    The longer title contains the rarest word of the shorter. So each title is filed only under its rarest
    word, and looked up under all of its words.
    """
    frequency = Counter(word for title in titles for word in title.significant)
    filed: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
    for number, title in enumerate(titles):
        if len(title.significant) >= _ENOUGH_EQUAL:
            rarest = min(title.significant, key=lambda word: (frequency[word], word))
            filed[rarest, title.exact].append(number)
    for number, title in enumerate(titles):
        for word in title.significant:
            others = filed.get((word, title.exact), ())
            if len(others) <= _CROWD:
                yield from ((min(number, other), max(number, other)) for other in others if other != number)
