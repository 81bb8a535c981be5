"""Find topics in the posts' own tags, for a digest that lists none: few, telling, named as a person would.

A tag becomes a topic when enough stories share it, but not most of them. Topics are picked one by
one, each time the tag that tells most about the stories it would hold: many stories count, and so
does a rare tag. It takes stories that stand under no topic yet, and those of a topic that has grown
too large if it says something more precise about them ("Ukraine" out of "World news").

A story no topic holds joins one when its title has the topic's name and that name proved a sure sign
among the tagged stories. What is left stands under the name of its feed, or under the catch-all.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from digest.compose.headings import heading, singulars, tag_key
from digest.compose.stories import Group
from digest.compose.topics import CATCH_ALL, Placed, Shelf, free_slug, unplaced
from digest.compose.words import phrase
from digest.tags import slug

MOST = 8  # topics; and headings for feeds that write no tags
_FULL = 3  # stories a heading should have on average
_FEWEST = 2  # stories under a heading
_TOO_COMMON = 0.6  # of the tagged stories
_TOO_LARGE = 0.15  # of the tagged stories, and also more than
_A_DOZEN = 12  # stories: such a topic may be split
_SURE = 0.8  # of the tagged stories whose title has a topic's name carry its tag
_STAMP = 5  # stories of one feed, all with a tag no other feed has: it marks the feed, not the story
_LONGEST_SLUG = 80


def discover(groups: Sequence[Group], *, catch_all: str, room: int) -> tuple[Shelf, ...]:
    """Return topics found in the tags of `groups`, the largest first, then feeds, then the catch-all.

    `room` is how many stories the edition can hold: a short one has few topics. The same groups in
    the same order give the same shelves, each with a slug of its own.
    """
    most = min(MOST, max(min(room, len(groups)) // _FULL, _FEWEST))
    tags = _tags(groups)
    tagged = frozenset[int]().union(*(tag.stories for tag in tags))
    topics = _Topics(tags, len(tagged))
    topics.pick(most)
    headings = topics.headings(groups)
    _add_by_title(headings, groups, tagged)
    held = {number for one in headings for number in one.rules}
    left = [number for number in range(len(groups)) if number not in held]
    feeds = _feed_headings(groups, left=left, tagged=tagged)
    return _shelves(groups, [*_largest_first(headings), *_largest_first(feeds)[:most]], catch_all)


# ── tags ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, eq=False)
class _Tag:
    """A tag: the stories that carry it, by number, and how each writes it."""

    stories: frozenset[int]
    spellings: Mapping[int, str]

    def name(self, groups: Sequence[Group]) -> str:
        """Return it as a heading."""
        numbers = sorted(self.spellings)
        titles = [groups[number].posts[0].post.title for number in numbers]
        return heading([self.spellings[number] for number in numbers], titles)


def _tags(groups: Sequence[Group]) -> list[_Tag]:
    """Return the tags that could be headings, those seen first first."""
    written: dict[str, dict[int, str]] = defaultdict(dict)  # key → story → spelling
    for number, group in enumerate(groups):
        for tag in group.tags:
            if key := tag_key(tag):
                written[key].setdefault(number, tag)
    for plural, singular in singulars(written).items():
        written[singular] = written.pop(plural) | written[singular]
    stamps = _stamps(groups, written)
    return [_Tag(frozenset(spellings), spellings) for key, spellings in written.items() if key not in stamps]


def _stamps(groups: Sequence[Group], written: Mapping[str, Collection[int]]) -> set[str | None]:
    """Return the tags that only name a feed: its own name, or on all it publishes and nowhere else."""
    published = Counter(feed for group in groups for feed in group.feeds)
    stamps = {tag_key(feed) for feed in published}
    for key, numbers in written.items():
        feeds = {feed for number in numbers for feed in groups[number].feeds}
        if len(feeds) == 1 < len(published) and len(numbers) >= max(_STAMP, published[min(feeds)]):
            stamps.add(key)
    return stamps


# ── topics ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Heading:
    """A heading with the stories under it, by number, each with the rule that placed it."""

    name: str
    rules: dict[int, str]
    carriers: frozenset[int] = frozenset()  # stories with its tag, wherever they stand


class _Topics:
    """Topics picked one by one among tags, and which of them holds each story."""

    def __init__(self, tags: Iterable[_Tag], tagged: int) -> None:
        self._enough = max(_FEWEST, math.ceil(math.sqrt(tagged) / 3))
        self._large = max(_A_DOZEN, _TOO_LARGE * tagged)
        self._tagged = tagged
        self._offers = [tag for tag in tags if self._enough <= len(tag.stories) <= _TOO_COMMON * tagged]
        self._holder: dict[int, _Tag] = {}
        self._picked: dict[_Tag, int] = {}  # → how many stories it holds

    def pick(self, most: int) -> None:
        """Pick until there are `most` topics, or no tag brings enough stories any more."""
        while self._offers and len(self._picked) < most:
            takes = [self._take(tag) for tag in self._offers]
            gains = [self._gain(tag, take) for tag, take in zip(self._offers, takes, strict=True)]
            best = gains.index(max(gains))  # the first of equals
            if not gains[best]:
                return
            tag = self._offers.pop(best)
            for number in takes[best]:
                if donor := self._holder.get(number):
                    self._picked[donor] -= 1
                self._holder[number] = tag
            self._picked[tag] = len(takes[best])

    def headings(self, groups: Sequence[Group]) -> list[_Heading]:
        """Return the picked topics, named, with the stories they hold."""
        headings = {tag: _Heading(tag.name(groups), {}, tag.stories) for tag in self._picked}
        for number, tag in self._holder.items():
            headings[tag].rules[number] = f"tag: {headings[tag].name}"
        return list(headings.values())

    def _take(self, tag: _Tag) -> list[int]:
        """Return the stories `tag` would hold: free ones, and those that topics it splits give it."""
        take: list[int] = []
        given: dict[_Tag, list[int]] = defaultdict(list)
        for number in tag.stories:
            donor = self._holder.get(number)
            (given[donor] if donor else take).append(number)
        for donor, numbers in given.items():
            if self._splits(tag, donor, len(numbers)):
                take += numbers
        return take

    def _splits(self, tag: _Tag, donor: _Tag, number: int) -> bool:
        """Tell whether `tag` may take stories: more telling than a donor too large, which keeps enough."""
        held = self._picked[donor]
        is_better = self._telling(tag) > self._telling(donor)
        return is_better and held > self._large and held - number >= self._enough

    def _gain(self, tag: _Tag, take: Sequence[int]) -> float:
        """Return how much more is told about the stories of `take`, in all; 0 when they are too few."""
        if len(take) < self._enough:
            return 0.0
        before = Counter(self._holder[number] for number in take if number in self._holder)
        told = math.fsum(count * self._telling(donor) for donor, count in before.items())
        return len(take) * self._telling(tag) - told

    def _telling(self, tag: _Tag) -> float:
        """Return how much a tag tells: the rarer, the more (its information content)."""
        return math.log(self._tagged / len(tag.stories))


def _add_by_title(headings: Iterable[_Heading], groups: Sequence[Group], tagged: Collection[int]) -> None:
    """Add to each heading the stories no heading holds whose title has its name, if that is a sure sign."""
    titles = [phrase(group.posts[0].post.title) for group in groups]
    held = {number for one in headings for number in one.rules}
    for one in headings:
        name = phrase(one.name)
        named = [number for number, title in enumerate(titles) if name in title]
        proof = [number in one.carriers for number in named if number in tagged]
        if len(proof) >= _FEWEST and sum(proof) >= _SURE * len(proof):
            fresh = [number for number in named if number not in held]
            held.update(fresh)
            one.rules.update(dict.fromkeys(fresh, f"keyword: {one.name}"))


# ── what no topic holds ─────────────────────────────────────────────────────────────────────


def _feed_headings(
    groups: Sequence[Group], *, left: Iterable[int], tagged: Collection[int]
) -> list[_Heading]:
    """Return a heading for each feed that writes no tags, where there are several feeds."""
    writes_tags = {groups[number].feeds[0] for number in tagged}
    if len({group.feeds[0] for group in groups}) == 1:
        return []
    by_feed: dict[str, dict[int, str]] = defaultdict(dict)
    for number in left:
        feed = groups[number].feeds[0]
        if feed not in writes_tags:
            by_feed[feed][number] = f"feed: {feed}"
    return [_Heading(feed, rules) for feed, rules in by_feed.items() if len(rules) >= _FEWEST]


def _largest_first(headings: Iterable[_Heading]) -> list[_Heading]:
    return sorted(headings, key=lambda one: -len(one.rules))


def _shelves(groups: Sequence[Group], headings: Iterable[_Heading], catch_all: str) -> tuple[Shelf, ...]:
    shelves: list[Shelf] = []
    slugs = {CATCH_ALL}
    held: set[int] = set()
    for one in headings:
        name = free_slug(slug(one.name)[:_LONGEST_SLUG].strip("-") or "topic", slugs)
        slugs.add(name)
        held.update(one.rules)
        placed = (Placed(group=groups[number], rule=one.rules[number]) for number in sorted(one.rules))
        shelves.append(Shelf(slug=name, title=one.name, placed=tuple(placed)))
    rest = [group for number, group in enumerate(groups) if number not in held]
    return (*shelves, *unplaced(rest, title=catch_all, taken=slugs - {CATCH_ALL}))
