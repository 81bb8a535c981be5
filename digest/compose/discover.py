"""Find topics in the posts' own tags, for a digest that lists none, and write their headings.

A tag becomes a topic if enough stories share it, but not most of them. Topics are picked one by one. Each
time the tag with the most information about its stories is picked: both many stories and a rare tag count for
it. A topic takes stories that have no topic yet. It also takes stories from a topic that is too large, if its
tag is more precise ("Ukraine" out of "World news").

A story without a topic joins one if its title contains the topic's name, and if this name is a reliable sign
among the tagged stories. Other stories go under the name of their feed, or under the catch-all. A heading is
the most common spelling of its tag.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from digest.compose.stories.group import Group
from digest.compose.stories.words import phrase
from digest.compose.topics import Placed, TopicGroup, free_slug, unplaced
from digest.model.editions import Claim
from digest.model.publication import CATCH_ALL
from digest.model.tags import fold, slug

MOST = 8  # topics at most, and as many headings for feeds without tags
_FULL = 3  # stories under a heading on average, if there is room
_FEWEST = 2  # stories under a heading at least
_TOO_COMMON = 0.6  # a tag on a larger share of the tagged stories says nothing
_TOO_LARGE = 0.15  # a topic with a larger share of the tagged stories may be split …
_A_DOZEN = 12  # … if it also has more stories than this
_SURE = 0.8  # a name is reliable if so many of the tagged stories with it in their titles have the tag
_STAMP = 5  # if all of a feed's stories, at least so many, have a tag of no other feed, it marks the feed
_LONGEST_SLUG = 80


def discover(groups: Sequence[Group], *, catch_all: str, room: int) -> tuple[TopicGroup, ...]:
    """Return the topics found in the tags of `groups`, the largest first, then feeds, then the catch-all.

    `room` is the number of stories that the edition can hold; a short edition has few topics. The same groups
    in the same order give the same topic groups, each with its own slug.
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
    return _topic_groups(groups, [*_largest_first(headings), *_largest_first(feeds)[:most]], catch_all)


# ── tags ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, eq=False)
class _Tag:
    """A tag, the numbers of its stories, and its spelling in each."""

    stories: frozenset[int]
    spellings: Mapping[int, str]

    def name(self, groups: Sequence[Group]) -> str:
        """Return the tag as a heading."""
        numbers = sorted(self.spellings)
        titles = [groups[number].posts[0].post.title for number in numbers]
        return heading([self.spellings[number] for number in numbers], titles)


def _tags(groups: Sequence[Group]) -> list[_Tag]:
    """Return the tags that could be headings, in the order of their first stories."""
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
    """Return the tags that only mark a feed: its own name, or a tag on all of its posts and no others."""
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
    """A heading; `rules` has the numbers of its stories, each with the rule that placed it."""

    name: str
    rules: dict[int, str]
    carriers: frozenset[int] = frozenset()  # all stories with its tag, under any heading


class _Topics:
    """The topics that have been picked among tags, and the topic that holds each story."""

    def __init__(self, tags: Iterable[_Tag], tagged: int) -> None:
        self._enough = max(_FEWEST, math.ceil(math.sqrt(tagged) / 3))
        self._large = max(_A_DOZEN, _TOO_LARGE * tagged)
        self._tagged = tagged
        self._candidates = [tag for tag in tags if self._enough <= len(tag.stories) <= _TOO_COMMON * tagged]
        self._holder: dict[int, _Tag] = {}
        self._picked: dict[_Tag, int] = {}  # → the number of stories that it holds

    def pick(self, most: int) -> None:
        """Pick topics until there are `most`, or no tag is left with enough stories."""
        while self._candidates and len(self._picked) < most:
            takes = [self._take(tag) for tag in self._candidates]
            gains = [self._gain(tag, take) for tag, take in zip(self._candidates, takes, strict=True)]
            best = gains.index(max(gains))  # the first of equals
            if not gains[best]:
                return
            tag = self._candidates.pop(best)
            for number in takes[best]:
                if donor := self._holder.get(number):
                    self._picked[donor] -= 1
                self._holder[number] = tag
            self._picked[tag] = len(takes[best])

    def headings(self, groups: Sequence[Group]) -> list[_Heading]:
        """Return the picked topics with their names and stories."""
        headings = {tag: _Heading(tag.name(groups), {}, tag.stories) for tag in self._picked}
        for number, tag in self._holder.items():
            headings[tag].rules[number] = f"tag: {headings[tag].name}"
        return list(headings.values())

    def _take(self, tag: _Tag) -> list[int]:
        """Return the stories that `tag` would hold: free ones, and those of topics that it may split."""
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
        """Return whether `tag` may take stories from `donor`.

        It must say more than the donor, which must be too large and must keep enough stories.
        """
        held = self._picked[donor]
        is_better = self._information(tag) > self._information(donor)
        return is_better and held > self._large and held - number >= self._enough

    def _gain(self, tag: _Tag, take: Sequence[int]) -> float:
        """Return the information that `tag` adds about the stories of `take`; 0 if they are too few."""
        if len(take) < self._enough:
            return 0.0
        holders = Counter(self._holder[number] for number in take if number in self._holder)
        before = math.fsum(count * self._information(donor) for donor, count in holders.items())
        return len(take) * self._information(tag) - before

    def _information(self, tag: _Tag) -> float:
        """Return the information content of a tag: the rarer the tag, the more it says."""
        return math.log(self._tagged / len(tag.stories))


def _add_by_title(headings: Iterable[_Heading], groups: Sequence[Group], tagged: Collection[int]) -> None:
    """Add to each heading the free stories whose titles contain its name, if the name is a reliable sign."""
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


# ── stories without a topic ─────────────────────────────────────────────────────────────────


def _feed_headings(
    groups: Sequence[Group], *, left: Iterable[int], tagged: Collection[int]
) -> list[_Heading]:
    """Return a heading for each feed without tags, if there are several feeds."""
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


def _topic_groups(
    groups: Sequence[Group], headings: Iterable[_Heading], catch_all: str
) -> tuple[TopicGroup, ...]:
    named: list[tuple[str, _Heading]] = []
    slugs = {CATCH_ALL}
    held: set[int] = set()
    for one in headings:
        name = free_slug(slug(one.name)[:_LONGEST_SLUG].strip("-") or "topic", slugs)
        slugs.add(name)
        held.update(one.rules)
        named.append((name, one))
    topic_groups = [
        TopicGroup(
            slug=name,
            title=one.name,
            placed=tuple(
                Placed(group=groups[number], rule=one.rules[number], claims=_claims(number, one, named))
                for number in sorted(one.rules)
            ),
        )
        for name, one in named
    ]
    rest = [group for number, group in enumerate(groups) if number not in held]
    return (*topic_groups, *unplaced(rest, title=catch_all, taken=slugs - {CATCH_ALL}))


def _claims(number: int, holder: _Heading, named: Iterable[tuple[str, _Heading]]) -> tuple[Claim, ...]:
    """Return the claims of the other headings whose tag the story has."""
    return tuple(
        Claim(topic=name, rule=f"tag: {one.name}")
        for name, one in named
        if one is not holder and number in one.carriers
    )


# ── headings ────────────────────────────────────────────────────────────────────────────────

_LONGEST = 40  # characters; a longer tag is a sentence
_MOST_WORDS = 5
_MACHINE = re.compile(r"[|=@<>{}\\]|://|^\w+:\w")  # "author_name|…", "region=US", "series:harbour"
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W_]+")
# A hyphen that replaces a space, but not a hyphen beside a digit ("covid-19") or after one letter ("e-mail").
_FOR_A_SPACE = re.compile(r"(?<=[^\W\d_]{2})[-_]+(?=[^\W\d_])|_+")
_SAYS_NOTHING = frozenset(
    re.split(
        ", ",
        "all, allgemein, article, articles, blog, blog post, blogs, category, default, featured, front page, "
        "frontpage, general, headline, headlines, home, homepage, latest, latest news, misc, miscellaneous, "
        "new, news, non classé, other, post, posts, sin categoría, stories, story, top stories, "
        "uncategorised, uncategorized",
    )
)
_NOT_PLURAL = frozenset(("arms", "customs", "goods", "news", "windows"))


def tag_key(tag: str) -> str | None:
    """Return a key that is the same for all spellings of a tag, or None if the tag cannot be a heading.

    Tags that are meant for machines ("author_name|…"), have no letters ("5.9"), are as long as a sentence, or
    say nothing ("Uncategorized") cannot be headings.
    """
    key = fold(tag).removeprefix("the ")
    if len(key) > _LONGEST or len(key.split()) > _MOST_WORDS:
        return None
    if _MACHINE.search(tag) or not _LETTER.search(key) or key in _SAYS_NOTHING:
        return None
    return key


def singulars(keys: Collection[str]) -> dict[str, str]:
    """Return the singular for each plural in `keys` whose singular is in `keys` too."""
    return {
        key: singular
        for key in keys
        if key.endswith("s") and key.split()[-1] not in _NOT_PLURAL
        for singular in _singular(key)
        if singular in keys and len(singular.split()[-1]) > 3
    }


def _singular(key: str) -> Iterable[str]:
    """Return the possible singulars of `key`; at most one of them is a word."""
    if key.endswith(("ss", "us", "is")):
        return ()
    if key.endswith("ies"):
        return (f"{key[:-3]}y", key[:-1])
    if key.endswith(("ches", "shes", "sses", "xes", "zes")):
        return (key[:-2], key[:-1])
    return (key[:-1],)


def heading(spellings: Iterable[str], titles: Collection[str] = ()) -> str:
    """Return the most common of `spellings`, written as a heading: "climate-change" → "Climate change".

    `titles` show how the words are written in running text: "wp-briefing" → "WP briefing". Among equally
    common spellings the first wins. `spellings` must not be empty.
    """
    hyphenated = {word for title in titles for word in title.casefold().split() if "-" in word}
    written = Counter(_written(spelling, hyphenated) for spelling in spellings)
    best = max(written, key=lambda spelling: written[spelling])  # the first of equals
    return _capitalised(_WORD.sub(lambda match: _as_in(titles, match[0]), best))


def _written(spelling: str, hyphenated: Collection[str]) -> str:
    text = " ".join(spelling.split()).strip(" #.,;:!?\"'")
    is_slug = " " not in text and text == text.lower() and text.casefold() not in hyphenated
    return _capitalised(_FOR_A_SPACE.sub(" ", text) if is_slug else text)


def _capitalised(text: str) -> str:
    first = text.split(" ", 1)[0]
    return text if _is_cased_inside(first) else text[:1].upper() + text[1:]


def _as_in(titles: Iterable[str], word: str) -> str:
    """Return `word` as most titles spell it, if that has capitals inside: "WP", "WordPress", "iPhone"."""
    if _is_cased_inside(word):
        return word
    seen = Counter(
        match[0]
        for title in titles
        if title != title.upper()
        for match in _WORD.finditer(title)
        if match[0].casefold() == word.casefold()
    )
    form, count = next(iter(seen.most_common(1)), (word, 0))
    return form if _is_cased_inside(form) and 2 * count > seen.total() else word


def _is_cased_inside(word: str) -> bool:
    return any(char.isupper() for char in word[1:])
