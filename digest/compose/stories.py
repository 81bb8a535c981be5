"""Find the posts that tell the same story, in linear time, and say which one of them is shown.

Two posts tell the same story when

- they link to the same page, unless a feed uses that link for posts with unlike titles (a show's
  page, a home page): such a link names no story; or
- they come from different feeds, within three days, under near-identical titles.

Titles are near-identical when the words of the shorter all stand in the longer and are most of it:
one may say more ("… at last"), but neither may say something else. A measure that forgives a swapped
word (Jaccard, edit distance) takes "Fire in Ferrol kills three" for "Fire in Vigo kills three";
losing a story is worse than telling one twice. Numbers, single letters and negations must agree
exactly: "Week 14" is not "Week 15".
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from digest.compose.words import words
from digest.links import canonical_url
from digest.model import Source, Story, WaitingPost
from digest.tags import fold

SAME_DAYS = timedelta(days=3)
_MOST = 0.75  # of the longer title's words must stand in the shorter
_ENOUGH = 4  # telling words before one title may say more than the other
_ENOUGH_EQUAL = 3  # telling words before equal titles mean one story: "Open thread" does not
_CROWD = 50  # titles that share their rarest word; beyond that it tells nothing

_LIGHT = frozenset(
    words("a an the of to in on at for and or by from with as is are was be has have will its it s")
)
_NEGATIONS = frozenset(("no", "not", "never", "without", "nor", "t"))  # "t" is left of "isn't"
_OUTLET = re.compile(r"\s+[-–—|·]\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Posts that tell one story; the first is the one shown, the others become "also in …"."""

    posts: tuple[WaitingPost, ...]

    @property
    def id(self) -> str:
        """Return the id the story will have: that of the post shown."""
        return self.posts[0].post.id

    @property
    def at(self) -> datetime:
        """Return when the post shown was told."""
        return told_at(self.posts[0])

    @property
    def feeds(self) -> tuple[str, ...]:
        """Return the names of the feeds that tell it, each once."""
        return tuple(dict.fromkeys(waiting.feed_name for waiting in self.posts))

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the tags of all its posts, the first spelling of each."""
        spellings: dict[str, str] = {}
        for waiting in self.posts:
            for tag in waiting.post.tags:
                spellings.setdefault(fold(tag), tag)
        return tuple(spellings.values())


def told_at(waiting: WaitingPost) -> datetime:
    """Return when a post was published, or first seen when it has no date or one after that."""
    post = waiting.post
    return min(post.published_at or post.first_seen_at, post.first_seen_at)


def newest_first(group: Group) -> tuple[float, str]:
    """Return a key that sorts groups newest first, and always the same way."""
    return -group.at.timestamp(), group.id


def gather(waiting: Iterable[WaitingPost]) -> tuple[Group, ...]:
    """Return the stories that `waiting` tell, newest first; every post is in exactly one of them."""
    posts = sorted(waiting, key=_told_first)
    titles = [_title(each) for each in posts]
    clusters = _Clusters(posts)
    for one, other in _same_link(posts, titles):
        clusters.join(one, other)
    for one, other in _same_title(posts, titles):
        if not clusters.share_a_feed(one, other):
            clusters.join(one, other)
    groups = [Group(posts=tuple(sorted(members, key=_shown_first))) for members in clusters.members()]
    return tuple(sorted(groups, key=newest_first))


def to_story(group: Group, *, topic: str, rule: str) -> Story:
    """Return the story of `group` as it stands under `topic`, placed there by `rule`."""
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
    )


def _told_first(waiting: WaitingPost) -> tuple[datetime, str]:
    return told_at(waiting), waiting.post.id


def _shown_first(waiting: WaitingPost) -> tuple[bool, bool, bool, datetime, str]:
    """Sort by what serves a reader best: a link, a picture, a blurb, then who told it first."""
    post = waiting.post
    return post.url is None, post.image is None, not post.blurb, told_at(waiting), post.id


class _Clusters:
    """Posts by number, joined step by step (union-find)."""

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
    """Tell whether one feed gives this link to posts that tell different things."""
    first: dict[str, _Title] = {}
    for number in numbers:
        title = first.setdefault(posts[number].feed_name, titles[number])
        if title != titles[number] and not _alike(title, titles[number]):
            return True
    return False


# ── by title ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Title:
    """What counts in a title: its telling words, and in order those that must agree exactly."""

    telling: frozenset[str]
    exact: tuple[str, ...]


def _title(waiting: WaitingPost) -> _Title:
    parts = _OUTLET.split(waiting.post.title)
    if len(parts) > 1 and fold(parts[-1]) == fold(waiting.feed_name):
        parts.pop()
    found = [word for part in parts for word in words(part) if word not in _LIGHT]
    exact = [word for word in found if _must_agree(word)]
    return _Title(frozenset(found).difference(exact), tuple(exact))


def _must_agree(word: str) -> bool:
    """Tell whether one such word makes another story: "14", "C" in "vitamin C", "not"."""
    is_letter = len(word) == 1 and word != word.upper()
    return is_letter or word in _NEGATIONS or any(char.isdigit() for char in word)


def _alike(one: _Title, other: _Title) -> bool:
    if one.exact != other.exact:
        return False
    if one.telling == other.telling:
        return len(one.telling) >= _ENOUGH_EQUAL
    shorter, longer = sorted((one.telling, other.telling), key=len)
    return len(shorter) >= max(_ENOUGH, _MOST * len(longer)) and shorter < longer


def _same_title(posts: Sequence[WaitingPost], titles: Sequence[_Title]) -> list[tuple[int, int]]:
    """Return the pairs of alike titles, equal ones first, then those nearest in time.

    The order matters: with pairs taken so, what a post joins does not depend on the order of `posts`.
    """
    pairs = {
        (one, other)
        for one, other in _candidates(titles)
        if posts[one].feed_name != posts[other].feed_name
        and told_at(posts[other]) - told_at(posts[one]) <= SAME_DAYS
        and _alike(titles[one], titles[other])
    }

    def nearest(pair: tuple[int, int]) -> tuple[bool, timedelta, tuple[int, int]]:
        one, other = pair
        return titles[one] != titles[other], told_at(posts[other]) - told_at(posts[one]), pair

    return sorted(pairs, key=nearest)


def _candidates(titles: Sequence[_Title]) -> Iterator[tuple[int, int]]:
    """Yield pairs (earlier, later) that may be alike.

    The rarest word of the shorter title stands in the longer one too: each title is filed under its
    rarest word alone, and looked for under all of its words.
    """
    frequency = Counter(word for title in titles for word in title.telling)
    filed: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
    for number, title in enumerate(titles):
        if len(title.telling) >= _ENOUGH_EQUAL:
            rarest = min(title.telling, key=lambda word: (frequency[word], word))
            filed[rarest, title.exact].append(number)
    for number, title in enumerate(titles):
        for word in title.telling:
            others = filed.get((word, title.exact), ())
            if len(others) <= _CROWD:
                yield from ((min(number, other), max(number, other)) for other in others if other != number)
