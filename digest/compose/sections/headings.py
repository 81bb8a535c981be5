"""Find the headings for the stories of an edition: at most eight, and the rest.

Headings are the sections with two stories or more. A story without such a section joins a heading whose tag
it carries; where there is one feed, then a tag that several of these stories share; where there are several,
its feed. Headings of the last editions are preferred, so that headings last.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from digest.compose.sections.filing import Filing
from digest.compose.sections.lexicon import titles_of
from digest.compose.sections.names import heading
from digest.model.posts import WaitingPost
from digest.model.tags import slug

MOST = 8  # headings in all, besides the rest
FEWEST = 2  # stories under a heading
_SOME = 4  # stories of a section that has a place before a feed's name …
_REST = 0.15  # … unless so much of the edition would stand in the rest without the feed's name
_MEETS = 1.5  # a heading of the lexicon counts as so much larger, because any feed may add to it
_LASTING = 1.5  # a heading of the last editions counts as so much larger at the cut
_TOO_COMMON = 0.6  # of the stories: a tag that more of them share divides nothing
_SUBJECT = 0.6  # of a feed's stories with a section: if so many are in one section, it is the feed's subject

_LONGEST_SLUG = 80
FEED = "feed:"  # a key begins so if the heading is the name of a feed

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
    """The history of a digest: the tags of each feed's last posts, and the headings of the last editions."""

    tags: Mapping[str, Sequence[Sequence[str]]]  # by the feed's name
    headings: Sequence[str] = ()  # slugs, the most recent and largest first


def slug_of(key: str) -> str:
    """Return the slug of a heading, which is made only of its key, so that it lasts."""
    return slug(key.removeprefix(FEED))[:_LONGEST_SLUG].strip("-") or "topic"


class Headings:
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
        return found.key.startswith(FEED), -len(found.rules), self._age(found.key), found.key

    def by_section(self) -> None:
        """Place stories under the sections that have enough of them."""
        sizes = Counter(filed.key for filed in self.filed if filed)
        names: dict[str, Counter[str]] = defaultdict(Counter)
        for number, filed in enumerate(self.filed):
            if filed and sizes[filed.key] >= FEWEST:
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
            if subject is None and new and len(numbers) >= FEWEST:
                subject = FEED + feed
                self.names[subject] = feed
            if subject is not None:
                about = "" if subject.startswith(FEED) else f", mostly {self.names[subject]}"
                self.placed.update(dict.fromkeys(numbers, (subject, f"feed: {feed}{about}")))

    def keep_the_largest(self) -> None:
        """Free the stories of all headings but the largest, and place them under these where they can be."""
        kept = self._largest()
        while self.filing.joined and (grown := self._grown(kept)):
            self.names[FEED + grown] = grown
            for number in self._left(kept):
                if self._feed(number) == grown:
                    self.placed[number] = FEED + grown, f"feed: {grown}"
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
        gives_way = size <= _REST * len(self.stories) if key.startswith(FEED) else size < _SOME
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
        before = sum(1 for each, _ in self.placed.values() if each == FEED + key)
        if count <= before or count < FEWEST:
            return None
        smallest = min((sum(1 for each, _ in self.placed.values() if each == one) for one in kept), default=0)
        return key if len(kept) < MOST or count > smallest else None

    def _most_shared(self, numbers: Sequence[int]) -> str | None:
        counts = Counter(key for number in numbers for key in self.tags[number])
        first = Counter(self.tags[number][0] for number in numbers if self.tags[number])
        most = max(FEWEST, _TOO_COMMON * len(self.stories))
        shared = [key for key, count in counts.items() if FEWEST <= count <= most]
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
        return key if count >= max(FEWEST, _SUBJECT * sections.total()) else None

    def _feed(self, number: int) -> str:
        return self.stories[number][0].feed_name

    def _age(self, key: str) -> int:
        return self._ages.get(slug_of(key), len(self._ages))

    def _weight(self, key: str, size: int) -> float:
        lasts, meets = slug_of(key) in self._ages, self.filing.joined and titles_of(key)
        return size * (_LASTING if lasts else 1) * (_MEETS if meets else 1)


def _merged(lists: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(key for keys in lists for key in keys))
