"""Place stories under the configured topics, and give each story the rule that placed it, in words.

A story goes under the first topic that claims it by one of its tags, one of its keywords, or its feed. It
keeps the claims of the other topics, for readers who did not choose the first. Stories that no topic claims
go under the catch-all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from digest.compose.keywords import Keywords, Text, forms
from digest.compose.stories.group import Group
from digest.model.editions import Claim, Edition, Heading
from digest.model.publication import CATCH_ALL, CATCH_ALL_RULE, Feed, Topic
from digest.model.tags import is_machine, keys_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A story under a heading, and the rule that placed it there."""

    group: Group
    rule: str  # "tag: climate", "keyword: night train", "feed: Harbour News", "catch-all"
    claims: tuple[Claim, ...] = ()  # of other topics, in their order


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicGroup:
    """A heading with all its stories, the newest first; it is never empty."""

    slug: str
    title: str
    placed: tuple[Placed, ...]
    quota: int | None = None  # stories shown in full
    section: Heading | None = None  # of a part of a found section: the section, which readers choose

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Return the heading; of a part, the heading of its section too."""
        if self.section is None:
            return (Heading(slug=self.slug, title=self.title, quota=self.quota),)
        return Heading(slug=self.slug, title=self.title, section=self.section.slug), self.section


def place(
    groups: Iterable[Group],
    topics: Sequence[Topic],
    feeds: Sequence[Feed] = (),
    *,
    catch_all: str,
    language: str = "en",
) -> tuple[TopicGroup, ...]:
    """Return the topics that have stories, in their order, then the catch-all.

    `topics` are in the order of the file; `feeds` may name topics for all their posts. `language`
    is that of the site; it decides about plurals.
    """
    ordered = sorted(topics, key=lambda topic: topic.order)
    canonical = _aliases(ordered)
    rules = [_Rule(topic, feeds, canonical, language) for topic in ordered]
    claimed: dict[str, list[Placed]] = {topic.slug: [] for topic in ordered}
    unclaimed: list[Group] = []
    for group in groups:
        facts = _Facts(group, canonical)
        if claims := _claims(rules, facts):
            first, *others = claims
            claimed[first.topic].append(Placed(group=group, rule=first.rule, claims=tuple(others)))
        else:
            unclaimed.append(group)
    topic_groups = [
        TopicGroup(slug=topic.slug, title=topic.title, placed=tuple(claimed[topic.slug]), quota=topic.quota)
        for topic in ordered
        if claimed[topic.slug]
    ]
    return (*topic_groups, *unplaced(unclaimed, title=catch_all, taken=claimed))


def unplaced(groups: Sequence[Group], *, title: str, taken: Iterable[str]) -> tuple[TopicGroup, ...]:
    """Return the catch-all with `groups`, or nothing if there are none; its slug is not in `taken`."""
    if not groups:
        return ()
    placed = tuple(Placed(group=group, rule=CATCH_ALL_RULE) for group in groups)
    return (TopicGroup(slug=free_slug(CATCH_ALL, taken), title=title, placed=placed),)


def coloured(edition: Edition, topics: Iterable[Topic]) -> Edition:
    """Return `edition` with the colours of the configured topics, found by their slugs.

    A found section has the colour of the topic with its slug, and a part of it has the section's colour.
    """
    colours = {topic.slug: topic.colour for topic in topics if topic.colour}
    if not colours:
        return edition
    headings = tuple(
        replace(each, colour=colours.get(each.slug) or colours.get(each.section, ""))
        for each in edition.headings
    )
    shown = {each.slug: each.colour for each in headings}
    sections = tuple(replace(each, colour=shown.get(each.slug, "")) for each in edition.sections)
    return replace(edition, headings=headings, sections=sections)


def free_slug(slug: str, taken: Iterable[str]) -> str:
    """Return `slug`, or the first of `slug`-2, `slug`-3, … that is not in `taken`."""
    names = frozenset(taken)
    number, name = 1, slug
    while name in names:
        number += 1
        name = f"{slug}-{number}"
    return name


def _aliases(topics: Iterable[Topic]) -> dict[str, str]:
    """Return the key of the tag that each key of an alias means; chains of aliases are followed."""
    direct: dict[str, str] = {}
    for alias, tag in (pair for topic in topics for pair in topic.aliases):
        meant = keys_of(tag)
        if meant and meant.isdisjoint(keys_of(alias)):
            direct |= dict.fromkeys(keys_of(alias), min(meant))
    resolved = {}
    for alias in direct:
        seen, tag = {alias}, direct[alias]
        while tag in direct and tag not in seen:
            seen.add(tag)
            tag = direct[tag]
        resolved[alias] = min(seen) if tag in seen else tag  # in a circle, all aliases get the same tag
    return resolved


class _Facts:
    """The properties of one story that rules look at, prepared once for all rules."""

    __slots__ = ("feeds", "tags", "text")

    def __init__(self, group: Group, canonical: Mapping[str, str]) -> None:
        self.feeds = group.feeds
        keys = frozenset[str]().union(*map(keys_of, group.tags))
        self.tags = frozenset(canonical.get(key, key) for key in keys)
        texts = (text for each in group.every for text in (each.post.title, each.post.blurb))
        self.text = Text([*texts, *(tag for tag in group.tags if not is_machine(tag))])


class _Rule:
    """The rule of a topic, prepared for many stories."""

    __slots__ = ("feeds", "inflected", "keywords", "tags", "topic")

    def __init__(
        self, topic: Topic, feeds: Iterable[Feed], canonical: Mapping[str, str], language: str
    ) -> None:
        self.topic = topic
        keyed = [(canonical.get(key, key), tag) for tag in topic.tags for key in sorted(keys_of(tag))]
        self.tags = dict(reversed(keyed))
        self.inflected = {form: tag for key, tag in keyed for form in _forms(key, language)}
        self.keywords = Keywords(topic.keywords, language)
        claiming = (feed.name for feed in feeds if topic.slug in feed.topics)
        self.feeds = frozenset((*topic.feeds, *claiming))

    def by_word(self, facts: _Facts, *, inflected: bool) -> str | None:
        """Return the tag or keyword that claims the story, in words; with `inflected`, in any form."""
        tags = self.inflected if inflected else self.tags
        if found := tags.keys() & facts.tags:
            wanted = {tags[key] for key in found}
            return next(f"tag: {tag}" for tag in self.topic.tags if tag in wanted)
        keyword = self.keywords.find(facts.text, facts.tags, inflected=inflected)
        return f"keyword: {keyword}" if keyword is not None else None

    def by_feed(self, facts: _Facts) -> str | None:
        """Return the feed that claims the story, in words."""
        return next((f"feed: {feed}" for feed in facts.feeds if feed in self.feeds), None)


def _claims(rules: Iterable[_Rule], facts: _Facts) -> list[Claim]:
    """Return the claims of all topics; another form of a word counts only where no topic has the word."""
    by_word = [rule.by_word(facts, inflected=False) for rule in rules]
    if not any(by_word):
        by_word = [rule.by_word(facts, inflected=True) for rule in rules]
    found = ((rule, word or rule.by_feed(facts)) for rule, word in zip(rules, by_word, strict=True))
    return [Claim(topic=rule.topic.slug, rule=why) for rule, why in found if why]


def _forms(key: str, language: str) -> Iterator[str]:
    before, space, last = key.rpartition(" ")
    yield from (f"{before}{space}{form}" for form in sorted(forms(last, language)))
