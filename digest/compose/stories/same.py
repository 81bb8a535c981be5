"""Find the posts that are the same story word for word, in linear time; all but the first are hidden.

Two posts are the same story if

- they link to the same page, even if its headline was changed, unless the link does not identify a story:
  that of a home page, or one that a feed gives to different posts (the page of a show); or
- they come from different feeds, within three days, with the same title and the same text.

Losing a story is worse than showing it twice, so every doubt keeps two posts apart. A title alone proves
nothing, because two publishers both have a "Morning briefing for Monday". Texts are the same if one contains
the other. Titles are the same if one contains the other's words in their order, so that "Harbour 2, Lakeside
1" is not "Lakeside 2, Harbour 1", and if the other's text contains what it says more. Numbers, single letters
and negations must be equal. Posts that are apart here may still be shown together: see
`digest.compose.stories.covered`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from urllib.parse import urlsplit

from digest.compose.stories.group import Group, dated_at, group_of, newest_first
from digest.compose.stories.words import NEGATIONS, phrase, words
from digest.model.links import canonical_url
from digest.model.posts import WaitingPost
from digest.model.tags import fold

SAME_DAYS = timedelta(days=3)
_A_COLUMN = timedelta(hours=20)  # so much later, the same title over another text is the next of a series
_ENOUGH = 3  # significant words that a title needs; "Open thread" has too few
_ENOUGH_TEXT = 40  # characters of a text that proves something; "Our pick of the evening." does not
_HALF = 0.5  # so many words of two titles, or of two texts, are the same in two versions of a post
_SLUG = 2  # words of a headline in a link, which show that the page was made for this headline
_HEADLINES = 3  # that a feed gives to one page, one after the other; more are different posts
_LONGEST = 64  # words of a title that are compared
_CROWD = 50  # if more titles share their rarest word, the word does not identify a story

_LIGHT = frozenset(
    words("a an the of to in on at for and or by from with as is are was be has have will its it s")
)
# A headline that says more by one of these still tells the same: "at last", "Breaking:".
_HARMLESS = frozenset(
    words("last finally breaking update updated exclusive endlich eilmeldung exklusiv enfin finalmente")
)
_OWN_PAGE = re.compile(r"\d{4}|[^\W_]+(?:[-_][^\W_]+){3}")  # a year, a number or a headline in a link
_OUTLET = re.compile(r"\s+[-–—|·]\s+")


def gather(waiting: Iterable[WaitingPost]) -> tuple[Group, ...]:
    """Return the stories of the `waiting` posts, the newest first; every post is in exactly one of them."""
    posts = [_Compared(each) for each in sorted(waiting, key=_oldest_first)]
    clusters = _Clusters(posts)
    for one, other in _same_link(posts):
        clusters.join(one, other)
    for one, other in _same_title(posts):
        if not clusters.share_a_feed(one, other):
            clusters.join(one, other)
    return tuple(sorted(map(group_of, clusters.members()), key=newest_first))


def _oldest_first(waiting: WaitingPost) -> tuple[datetime, str, str]:
    return dated_at(waiting), waiting.post.id, waiting.post.title


class _Compared:
    """A post with its title and text as words, which are found when they are first needed."""

    def __init__(self, waiting: WaitingPost) -> None:
        self.waiting = waiting
        self.feed = waiting.feed_name
        self.at = dated_at(waiting)

    @cached_property
    def title(self) -> _Title:
        return _title(self.waiting)

    @cached_property
    def text(self) -> str:
        return phrase(self.waiting.post.blurb)


class _Clusters:
    """Sets of posts, which are joined step by step (union-find)."""

    def __init__(self, posts: Sequence[_Compared]) -> None:
        self._posts = posts
        self._parents = list(range(len(posts)))
        self._feeds = [{each.feed} for each in posts]

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self._root(one), self._root(other)))
        self._parents[high] = low
        self._feeds[low] |= self._feeds[high]

    def share_a_feed(self, one: int, other: int) -> bool:
        return not self._feeds[self._root(one)].isdisjoint(self._feeds[self._root(other)])

    def members(self) -> Iterable[list[WaitingPost]]:
        groups: dict[int, list[WaitingPost]] = defaultdict(list)
        for number, each in enumerate(self._posts):
            groups[self._root(number)].append(each.waiting)
        return groups.values()

    def _root(self, number: int) -> int:
        while (parent := self._parents[number]) != number:
            self._parents[number] = self._parents[parent]
            number = parent
        return number


# ── by link ─────────────────────────────────────────────────────────────────────────────────


def _same_link(posts: Sequence[_Compared]) -> Iterator[tuple[int, int]]:
    by_link: dict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(posts):
        if each.waiting.post.url:
            by_link[canonical_url(each.waiting.post.url)].append(number)
    for link, numbers in by_link.items():
        if len(numbers) > 1 and _identifies_a_story(link, [posts[number] for number in numbers]):
            yield from pairwise(numbers)


def _identifies_a_story(link: str, posts: Iterable[_Compared]) -> bool:
    """Return whether the link is not that of a home page, and each feed gives it to versions of one post."""
    parts = urlsplit(link)
    if not (parts.path or parts.query or parts.fragment):
        return False
    last: dict[str, _Compared] = {}
    headlines: defaultdict[str, set[_Title]] = defaultdict(set)
    for each in posts:
        before = last.get(each.feed)
        headlines[each.feed].add(each.title)
        if len(headlines[each.feed]) > _HEADLINES or (before and not _is_version(before, each, link)):
            return False
        last[each.feed] = each
    return True


def _is_version(before: _Compared, after: _Compared, link: str) -> bool:
    """Return whether two posts of one feed and one link are one post, whose headline may have changed."""
    if before.waiting.post.id == after.waiting.post.id:
        return True
    one, other = before.title, after.title
    share = _share(before.text, after.text)
    text, soon = share is not None and share >= _HALF, after.at - before.at < _A_COLUMN
    its_own = _OWN_PAGE.search(link) is not None
    if one.exact != other.exact:
        # "Storm kills three" becomes "Storm kills 5" on the page of an article, but not on that of a show.
        return its_own and text and soon
    if one.contains(other) or other.contains(one):
        return text or share is None or soon
    if one.share(other) >= _HALF:
        return its_own or text
    return its_own and ((text and soon) or _is_made_for_one(link, one, other))


def _is_made_for_one(link: str, one: _Title, other: _Title) -> bool:
    """Return whether the link has words of one headline that the other has not.

    Such a page was made for that headline; the page of a show has only words that all its headlines share.
    """
    slug = set(words(urlsplit(link).path))
    mine, yours = set(one.significant), set(other.significant)
    return max(len(slug & (mine - yours)), len(slug & (yours - mine))) >= _SLUG


def _share(one: str, other: str) -> float | None:
    """Return the share of the longer text's words that the other has too; None if there is no text."""
    mine, yours = Counter(one.split()), Counter(other.split())
    if not mine or not yours:
        return None
    return (mine & yours).total() / max(mine.total(), yours.total())


# ── by title and text ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Title:
    """The words of a title in their order, without the light ones, and those that must be equal."""

    words: tuple[str, ...]
    exact: tuple[str, ...]
    significant: frozenset[str]

    def contains(self, other: _Title) -> bool:
        """Return whether all words of `other` are here, in their order, and all that must be equal."""
        left = iter(self.words)
        return self.exact == other.exact and all(word in left for word in other.words)

    def share(self, other: _Title) -> float:
        """Return the share of the significant words of the longer title that both have."""
        longer = max(len(self.significant), len(other.significant), 1)
        return len(self.significant & other.significant) / longer


def _title(waiting: WaitingPost) -> _Title:
    parts = _OUTLET.split(waiting.post.title)
    if len(parts) > 1 and fold(parts[-1]) == fold(waiting.feed_name):
        parts.pop()
    found = [word for part in parts for word in words(part) if word not in _LIGHT][:_LONGEST]
    exact = tuple(word for word in found if _must_agree(word))
    return _Title(tuple(found), exact, frozenset(found).difference(exact))


def _must_agree(word: str) -> bool:
    """Return whether such a word makes a different story: "14", "C" in "vitamin C", "not"."""
    is_letter = len(word) == 1 and word != word.upper()
    return is_letter or word in NEGATIONS or any(char.isdigit() for char in word)


def _is_same(one: _Compared, other: _Compared) -> bool:
    """Return whether one title contains the other, and one text the other."""
    shorter, longer = sorted((one, other), key=lambda each: len(each.title.words))
    if not longer.title.contains(shorter.title):
        return False
    if not _has_same_text(one.text, other.text):
        return False
    additions = _additions(longer.title, shorter.title)
    return all(more in _HARMLESS or f" {more} " in shorter.text for more in additions)


def _has_same_text(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) >= _ENOUGH_TEXT and shorter in longer


def _additions(longer: _Title, shorter: _Title) -> Iterator[str]:
    """Yield what `longer` says more, each time the words between two words of `shorter`."""
    left = iter(shorter.words)
    wanted, more = next(left, None), list[str]()
    for word in (*longer.words, None):
        if word == wanted:
            if more:
                yield " ".join(more)
            wanted, more = next(left, None), []
        elif word is not None:
            more.append(word)


def _same_title(posts: Sequence[_Compared]) -> list[tuple[int, int]]:
    """Return the pairs with the same title and text, equal titles first, then the nearest in time.

    The pairs are sorted so that the result of joining them does not depend on the order of `posts`.
    """
    pairs = {
        (one, other)
        for one, other in _candidates([each.title for each in posts])
        if posts[one].feed != posts[other].feed
        and posts[other].at - posts[one].at <= SAME_DAYS
        and _is_same(posts[one], posts[other])
    }

    def nearest(pair: tuple[int, int]) -> tuple[bool, timedelta, tuple[int, int]]:
        one, other = pair
        return posts[one].title != posts[other].title, posts[other].at - posts[one].at, pair

    return sorted(pairs, key=nearest)


def _candidates(titles: Sequence[_Title]) -> Iterator[tuple[int, int]]:
    """Yield pairs (earlier, later) of titles that may be similar.

    The longer title contains the rarest word of the shorter. So each title is filed only under its rarest
    word, and looked up under all of its words.
    """
    frequency = Counter(word for title in titles for word in title.significant)
    filed: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
    for number, title in enumerate(titles):
        if len(title.significant) >= _ENOUGH:
            rarest = min(title.significant, key=lambda word: (frequency[word], word))
            filed[rarest, title.exact].append(number)
    for number, title in enumerate(titles):
        for word in title.significant:
            others = filed.get((word, title.exact), ())
            if len(others) <= _CROWD:
                yield from ((min(number, other), max(number, other)) for other in others if other != number)
