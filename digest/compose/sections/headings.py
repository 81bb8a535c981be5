"""Find the headings for the stories of an edition: at most eight, and the rest.

Headings are the sections with two stories or more. A story without such a section joins a heading whose tag
it carries; where there is one feed, then a tag that several of these stories share; where there are several,
the subject of its feed, or its name. Headings of the last editions are preferred, so that headings last.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from digest.compose.sections.filing import Filing
from digest.compose.sections.lexicon import is_heading, wider
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
        self.meets = [filed is not None and is_heading(filed.key) for filed in self.filed]
        self.names: dict[str, str] = {}
        self.placed: dict[int, tuple[str, str]] = {}  # number → key of the heading, rule
        self._numbers: dict[str, list[int]] = defaultdict(list)  # of the stories in which a feed has a post
        for number, story in enumerate(stories):
            for feed in {waiting.feed_name for waiting in story}:
                self._numbers[feed].append(number)
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

    def by_subject(self, *, new: bool = True) -> None:
        """Place the stories of feeds that have one subject under it; there may be `new` headings.

        A feed of one subject has its own names for parts of it, and tags of other subjects. So only a section
        that the lexicon knows counts more.
        """
        there = {key for key, _ in self.placed.values()}
        for feed, numbers in self._unsure().items() if self.filing.joined else ():
            subject = self._subject(feed)
            if subject is None or not (subject in there or (new and len(numbers) >= FEWEST)):
                continue
            if subject not in self.names:
                self.names[subject] = self.filing.title(subject)
            there.add(subject)
            moved = [each for each in numbers if is_heading(subject) or each not in self.placed]
            self.placed |= dict.fromkeys(moved, (subject, f"feed: {feed}, mostly {self.names[subject]}"))

    def by_feed(self) -> None:
        """Place free stories under the name of their feed, unless the lexicon has their section."""
        free: dict[str, list[int]] = defaultdict(list)
        for number in self.free():
            if not self.meets[number]:
                free[self._feed(number)].append(number)
        for feed, numbers in free.items():
            if len(numbers) >= FEWEST:
                self.names[FEED + feed] = feed
                self.placed |= dict.fromkeys(numbers, (FEED + feed, f"feed: {feed}"))

    def keep_the_largest(self) -> None:
        """Free the stories of all headings but the largest, and place them under these where they can be."""
        if self.filing.joined:
            self._share_headings()
        kept = self._largest()
        while self.filing.joined and (grown := self._grown(kept)):
            self.names[FEED + grown] = grown
            for number in self._left(kept):
                if self._feed(number) == grown:
                    self.placed[number] = FEED + grown, f"feed: {grown}"
            kept = self._largest()
        self.placed = {number: each for number, each in self.placed.items() if each[0] in kept}
        self.by_tag()
        self.by_wider()
        self.by_subject(new=False)

    def by_wider(self) -> None:
        """Place free stories under the heading of their section, or else of the wider section."""
        there = {key for key, _ in self.placed.values()} if self.filing.joined else ()
        for number in self.free():
            filed = self.filed[number]
            if filed and filed.key in there:
                self.placed[number] = filed.key, filed.rule
            elif filed and (key := wider(filed.key)) in there:
                self.placed[number] = key, f"{filed.rule}, under {self.names[key]}"

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

    def _share_headings(self) -> None:
        """Give the stories of small sections to wider ones while there are too many sections."""
        while True:
            sizes = Counter(key for key, _ in self.placed.values())
            wanted = [key for key in sizes if not (key.startswith(FEED) and self._rank(key, sizes[key])[0])]
            narrow = [(self._weight(key, sizes[key]), key) for key in wanted if wider(key) in sizes]
            if len(wanted) <= MOST or not narrow:
                return
            _, smallest = min(narrow)
            for number, (key, rule) in self.placed.items():
                if key == smallest:
                    self.placed[number] = wider(key), f"{rule}, under {self.names[wider(key)]}"

    def _left(self, kept: Collection[str]) -> list[int]:
        """Return the stories under none of these headings whose sections cannot meet those of other feeds."""
        return [
            number
            for number in range(len(self.stories))
            if (number not in self.placed or self.placed[number][0] not in kept) and not self.meets[number]
        ]

    def _unsure(self) -> dict[str, list[int]]:
        """Return the stories of each feed whose place only one of many tags tells, or a name of its own."""
        unsure: dict[str, list[int]] = defaultdict(list)
        for number, filed in enumerate(self.filed):
            if filed is None or not (filed.is_sure and self.meets[number]):
                unsure[self._feed(number)].append(number)
        return unsure

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
        """Return the heading to which most of a feed belongs: its stories of today tell, or else its tags."""
        if feed in self.filing.words:
            return None
        sections, numbers = self.filing.sections(feed), self._numbers[feed]
        # A tag that is one of many is among those of the feed already.
        told = (number for number in numbers if number in self.placed and not self._by_any_tag(number))
        keys = [self.placed[number][0] for number in told]
        today = Counter(key for key in keys if not key.startswith(FEED))
        known = Counter({key: count for key, count in today.items() if is_heading(key)})
        if subject := sections.subject(known, len(numbers)) or sections.subject(today, len(numbers)):
            return subject
        tags = {} if feed in self.filing.by_address else sections.about
        by_tags = sections.subject(tags, len(self.past.tags.get(feed, ())))
        return by_tags if by_tags and known[by_tags] * 2 >= known.total() else None

    def _by_any_tag(self, number: int) -> bool:
        filed = self.filed[number]
        return filed is not None and not filed.is_sure and self.placed[number] == (filed.key, filed.rule)

    def _feed(self, number: int) -> str:
        return self.stories[number][0].feed_name

    def _age(self, key: str) -> int:
        return self._ages.get(slug_of(key), len(self._ages))

    def _weight(self, key: str, size: int) -> float:
        lasts, meets = slug_of(key) in self._ages, self.filing.joined and is_heading(key)
        return size * (_LASTING if lasts else 1) * (_MEETS if meets else 1)


def _merged(lists: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(key for keys in lists for key in keys))
