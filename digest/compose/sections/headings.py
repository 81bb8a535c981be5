"""Divide the stories of an edition among headings: at most eight, and the rest.

Headings are the sections with two stories or more. A story without such a section joins a heading whose tag
it carries; where there is one feed, then a tag that several of these stories share; where there are several,
its feed. Headings of the last editions are preferred, so that headings last.

If one section holds most of the edition, or there are hardly any headings, the largest section is divided
into parts by its next tags. A part is only shown: the section is what readers choose.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from digest.compose.sections.filing import Filing
from digest.compose.sections.learning import learn
from digest.compose.sections.lexicon import titles_of
from digest.compose.sections.names import heading, key_of
from digest.model.posts import WaitingPost
from digest.model.tags import slug

MOST = 8  # headings in all, besides the rest
_FEWEST = 2  # stories under a heading
_SOME = 4  # stories of a section that has a place before a feed's name …
_REST = 0.15  # … unless so much of the edition would stand in the rest without the feed's name
_MEETS = 1.5  # a heading of the lexicon counts as so much larger, because any feed may add to it
_LASTING = 1.5  # a heading of the last editions counts as so much larger at the cut
_TOO_LARGE = 0.6  # of the edition: a larger section is divided if there are few others …
_FAR_TOO_LARGE = 0.8  # … and an even larger one in any case
_TOO_FEW = 3  # headings: with fewer, the largest section is divided …
_WORTH = 8  # … if it has so many stories
_PART = 0.08  # of the edition: a smaller part is not shown
_LEFT = 2 / 3  # of a section: if so many of its stories are in no part, it stays whole
_TOO_COMMON = 0.6  # of the stories: a tag that more of them share divides nothing
_SUBJECT = 0.6  # of a feed's stories with a section: if so many are in one section, it is the feed's subject

_LONGEST_SLUG = 80
_FEED = "feed:"  # a key begins so if the heading is the name of a feed

Story = Sequence[WaitingPost]  # the posts of a story; the first is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A heading with its stories: their numbers, each with the rule that placed it, in words."""

    key: str
    name: str
    rules: Mapping[int, str]
    section: str = ""  # of a part: the key of its section …
    section_name: str = ""  # … and its name


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known from before: the tags of each feed's last posts, and the last editions' headings."""

    tags: Mapping[str, Sequence[Sequence[str]]]  # by the feed's name
    headings: Sequence[str] = ()  # slugs, the most recent and largest first


def divide(stories: Sequence[Story], filing: Filing, past: Past) -> tuple[Found, ...]:
    """Return the headings with their stories, the largest first; stories under none of them are the rest."""
    headings = _Headings(stories, filing, past)
    headings.by_section()
    headings.by_tag()
    if filing.joined:
        headings.by_feed()
    else:
        headings.by_shared_tag()
    headings.keep_the_largest()
    return tuple(sorted(with_parts(headings), key=headings.order))


def slug_of(key: str) -> str:
    """Return the slug of a heading, which is made only of its key, so that it lasts."""
    return slug(key.removeprefix(_FEED))[:_LONGEST_SLUG].strip("-") or "topic"


class _Headings:
    """The stories of an edition, and the heading of each as far as it is known."""

    def __init__(self, stories: Sequence[Story], filing: Filing, past: Past) -> None:
        self.stories, self.filing, self.past = stories, filing, past
        self.filed = [next(filter(None, map(filing.file, story)), None) for story in stories]
        self.tags = [_merged(filing.keys(waiting) for waiting in story) for story in stories]
        self.names: dict[str, str] = {}
        self.placed: dict[int, tuple[str, str]] = {}  # number → key of the heading, rule
        self._ages = {slug: age for age, slug in reversed(list(enumerate(past.headings)))}

    def found(self) -> list[Found]:
        """Return the headings with their stories."""
        rules: dict[str, dict[int, str]] = defaultdict(dict)
        for number, (key, rule) in sorted(self.placed.items()):
            rules[key][number] = rule
        return [Found(key=key, name=self.names[key], rules=each) for key, each in rules.items()]

    def order(self, found: Found) -> tuple[bool, int, int, str]:
        """Return the sort key of headings: the largest first; of equals, those that were there before.

        The names of feeds come last.
        """
        return found.key.startswith(_FEED), -len(found.rules), self._age(found.key), found.key

    def by_section(self) -> None:
        """Place stories under the sections that have enough of them."""
        sizes = Counter(filed.key for filed in self.filed if filed)
        names: dict[str, Counter[str]] = defaultdict(Counter)
        for number, filed in enumerate(self.filed):
            if filed and sizes[filed.key] >= _FEWEST:
                names[filed.key][filed.name] += 1
                self.placed[number] = filed.key, filed.rule
        self.names |= {key: max(sorted(each), key=each.__getitem__) for key, each in names.items()}

    def by_tag(self) -> None:
        """Place each free story under the first heading whose tag it carries."""
        headings = {key for key, _ in self.placed.values()}
        for number in self.free():
            key = next((key for key in self._carried(number) if key in headings), None)
            if key is not None:
                self.placed[number] = key, f"tag {self.names[key]}"

    def by_shared_tag(self) -> None:
        """Place free stories under tags that they share, the most common tag first."""
        while (key := self._most_shared(self.free())) is not None:
            numbers = [number for number in self.free() if key in self.tags[number]]
            self._name(key, numbers)
            for number in numbers:
                self.placed[number] = key, f"tag {self.names[key]}"

    def by_feed(self, *, new: bool = True) -> None:
        """Place free stories under their feed's subject, or under its name if there may be `new` headings.

        A story whose section may meet others is not placed so.
        """
        free: dict[str, list[int]] = defaultdict(list)
        for number in self.free():
            if not self._may_meet(number):
                free[self._feed(number)].append(number)
        for feed, numbers in free.items():
            subject = self._subject(feed)
            if subject is None and new and len(numbers) >= _FEWEST:
                subject = _FEED + feed
                self.names[subject] = feed
            if subject is not None:
                about = "" if subject.startswith(_FEED) else f", mostly {self.names[subject]}"
                self.placed.update(dict.fromkeys(numbers, (subject, f"feed: {feed}{about}")))

    def keep_the_largest(self) -> None:
        """Free the stories of all headings but the largest, and place them under these where they can be."""
        kept = self._largest()
        while self.filing.joined and (grown := self._grown(kept)):
            self.names[_FEED + grown] = grown
            for number in self._left(kept):
                if self._feed(number) == grown:
                    self.placed[number] = _FEED + grown, f"feed: {grown}"
            kept = self._largest()
        self.placed = {number: each for number, each in self.placed.items() if each[0] in kept}
        self.by_tag()
        if self.filing.joined:
            self.by_feed(new=False)

    def free(self) -> list[int]:
        """Return the numbers of the stories without a heading."""
        return [number for number in range(len(self.stories)) if number not in self.placed]

    def _largest(self) -> list[str]:
        """Return the keys of the headings that stay, the largest first."""
        sizes = Counter(key for key, _ in self.placed.values())
        return sorted(sizes, key=lambda key: self._rank(key, sizes[key]))[:MOST]

    def _rank(self, key: str, size: int) -> tuple[bool, float, int, str]:
        """Return the sort key of headings at the cut; a small feed's name gives way to sections."""
        gives_way = size <= _REST * len(self.stories) if key.startswith(_FEED) else size < _SOME
        return gives_way, -self._weight(key, size), self._age(key), key

    def _left(self, kept: Collection[str]) -> list[int]:
        """Return the stories under none of these headings whose sections cannot meet those of other feeds."""
        return [
            number
            for number in range(len(self.stories))
            if (number not in self.placed or self.placed[number][0] not in kept)
            and not self._may_meet(number)
        ]

    def _may_meet(self, number: int) -> bool:
        """Return whether the lexicon has the section of a story, so that other feeds can join it."""
        filed = self.filed[number]
        return filed is not None and bool(titles_of(filed.key))

    def _carried(self, number: int) -> Sequence[str]:
        """Return the keys of a story's tags by which it may join a heading.

        Of a story that has a section, these are only its other sections, because later tags often cut across.
        """
        story, tags = self.stories[number], self.tags[number]
        if self.filed[number] is None:
            return tags
        if self.filing.joined:
            return ()
        sections = self.filing.sections(story[0].feed_name)
        return list(takewhile(sections.ranks.__contains__, tags))

    def _grown(self, kept: Sequence[str]) -> str | None:
        """Return the feed with most stories under none of these headings, if they would make one of them."""
        left = Counter(self._feed(number) for number in self._left(kept))
        key, count = max(left.items(), key=lambda each: (each[1], each[0]), default=("", 0))
        before = sum(1 for each, _ in self.placed.values() if each == _FEED + key)
        if count <= before or count < _FEWEST:
            return None
        smallest = min((sum(1 for each, _ in self.placed.values() if each == one) for one in kept), default=0)
        return key if len(kept) < MOST or count > smallest else None

    def _most_shared(self, numbers: Sequence[int]) -> str | None:
        counts = Counter(key for number in numbers for key in self.tags[number])
        first = Counter(self.tags[number][0] for number in numbers if self.tags[number])
        most = max(_FEWEST, _TOO_COMMON * len(self.stories))
        shared = [key for key, count in counts.items() if _FEWEST <= count <= most]
        return max(shared, key=lambda key: (counts[key] + first[key], -self._age(key), key), default=None)

    def _name(self, key: str, numbers: Iterable[int]) -> None:
        spellings = [
            tag
            for number in numbers
            for waiting in self.stories[number]
            for tag in waiting.post.tags
            if self.filing.sections(waiting.feed_name).keys([tag]) == [key]
        ]
        titles = [self.stories[number][0].post.title for number in numbers]
        self.names[key] = heading(spellings or [key], titles)

    def _subject(self, feed: str) -> str | None:
        """Return the section in which most of a feed's stories stand."""
        sections = Counter(key for number, (key, _) in self.placed.items() if self._feed(number) == feed)
        key, count = next(iter(sections.most_common(1)), ("", 0))
        return key if count >= max(_FEWEST, _SUBJECT * sections.total()) else None

    def _feed(self, number: int) -> str:
        return self.stories[number][0].feed_name

    def _age(self, key: str) -> int:
        return self._ages.get(slug_of(key), len(self._ages))

    def _weight(self, key: str, size: int) -> float:
        lasts, meets = slug_of(key) in self._ages, self.filing.joined and titles_of(key)
        return size * (_LASTING if lasts else 1) * (_MEETS if meets else 1)


# ── parts ───────────────────────────────────────────────────────────────────────────────────


def with_parts(headings: _Headings) -> list[Found]:
    """Return the headings, the largest of them divided into parts if it is too large or they are too few."""
    found = headings.found()
    largest = min(found, key=headings.order, default=None)
    if largest is None or largest.key.startswith(_FEED) or len(largest.rules) < _WORTH:
        return found
    share = len(largest.rules) / len(headings.stories)
    if len(found) >= _TOO_FEW and share <= (_TOO_LARGE if len(found) == _TOO_FEW else _FAR_TOO_LARGE):
        return found
    return [each for each in found if each is not largest] + _parts(headings, largest, MOST - len(found))


def _parts(headings: _Headings, section: Found, most: int) -> list[Found]:
    """Return a section as its parts, at most so many, and itself with the stories that are in no part."""
    numbers = list(section.rules)
    stories = [headings.stories[number] for number in numbers]
    inner = _inner(headings, section)
    parts = _Headings(stories, inner, Past(tags={}, headings=headings.past.headings))
    parts.by_section()
    parts.by_tag()
    parts.by_shared_tag()
    least = max(_FEWEST, math.ceil(_PART * len(headings.stories)))
    large = sorted((each for each in parts.found() if len(each.rules) >= least), key=parts.order)[:most]
    parts.placed = {number: (each.key, rule) for each in large for number, rule in each.rules.items()}
    parts.by_tag()
    found = [
        Found(
            key=f"{section.key}/{each.key}",
            name=each.name,
            rules={
                numbers[number]: f"{section.rules[numbers[number]]}, part: {rule}"
                for number, rule in each.rules.items()
            },
            section=section.key,
            section_name=section.name,
        )
        for each in parts.found()
    ]
    left = {numbers[number]: section.rules[numbers[number]] for number in parts.free()}
    whole = len(found) + bool(left) < _FEWEST or len(left) > _LEFT * len(numbers)
    return [section] if whole else found + ([replace(section, rules=left)] if left else [])


def _inner(headings: _Headings, section: Found) -> Filing:
    """Return how the stories of a section are filed by their next tags."""
    generic = _generic(section, headings.filing)
    lists = [
        tags
        for feed, posts in headings.past.tags.items()
        for tags in posts
        if section.key in {headings.filing.key(key) for key in headings.filing.sections(feed).keys(tags)}
    ]
    learned = learn(lists, generic)
    feeds = {waiting.feed_name for number in section.rules for waiting in headings.stories[number]}
    return Filing(learned=dict.fromkeys(feeds, learned), ignored=generic, only_tags=True)


def _generic(section: Found, filing: Filing) -> frozenset[str]:
    """Return the keys of tags that name the whole section."""
    names = [section.key, section.name, *(titles_of(section.key) if filing.joined else ())]
    keys = {key for name in names if (key := key_of(name))}
    return frozenset(keys | {f"{key}s" for key in keys})


def _merged(lists: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(key for keys in lists for key in keys))
