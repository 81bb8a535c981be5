"""Place stories under the configured topics, and give each story the rule that placed it, in words.

A story goes under the first topic that claims it by one of its tags, one of its keywords, or its feed. It
keeps the claims of the other topics, for readers who did not choose the first. Stories that no topic claims
go under the catch-all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from digest.compose.stories.group import Group
from digest.compose.stories.words import phrase
from digest.model.editions import Claim, Heading
from digest.model.publication import CATCH_ALL, CATCH_ALL_RULE, Feed, Topic
from digest.model.tags import fold


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
    groups: Iterable[Group], topics: Sequence[Topic], feeds: Sequence[Feed] = (), *, catch_all: str
) -> tuple[TopicGroup, ...]:
    """Return the topics that have stories, in their order, then the catch-all.

    `topics` are in the order of the file; `feeds` may name topics for all their posts.
    """
    ordered = sorted(topics, key=lambda topic: topic.order)
    canonical = _aliases(ordered)
    rules = [_Rule(topic, feeds, canonical) for topic in ordered]
    claimed: dict[str, list[Placed]] = {topic.slug: [] for topic in ordered}
    unclaimed: list[Group] = []
    for group in groups:
        facts = _Facts(group, canonical)
        claims = [
            Claim(topic=rule.topic.slug, rule=why) for rule in rules if (why := rule.claim(facts)) is not None
        ]
        if claims:
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


def free_slug(slug: str, taken: Iterable[str]) -> str:
    """Return `slug`, or the first of `slug`-2, `slug`-3, … that is not in `taken`."""
    names = frozenset(taken)
    number, name = 1, slug
    while name in names:
        number += 1
        name = f"{slug}-{number}"
    return name


def _aliases(topics: Iterable[Topic]) -> dict[str, str]:
    """Return the folded tag that each folded alias means; chains of aliases are followed."""
    direct = {
        fold(alias): fold(tag) for topic in topics for alias, tag in topic.aliases if fold(alias) != fold(tag)
    }
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

    __slots__ = ("feeds", "tags", "text", "words")

    def __init__(self, group: Group, canonical: Mapping[str, str]) -> None:
        self.feeds = group.feeds
        folded = (fold(tag) for tag in group.tags)
        self.tags = frozenset(canonical.get(tag, tag) for tag in folded)
        # The line end prevents a phrase from matching across the title and the blurb.
        lines = (phrase(text) for each in group.every for text in (each.post.title, each.post.blurb))
        self.text = "\n".join(lines)
        self.words = frozenset(self.text.split())


class _Rule:
    """The rule of a topic, prepared for many stories."""

    __slots__ = ("feeds", "keywords", "tags", "topic")

    def __init__(self, topic: Topic, feeds: Iterable[Feed], canonical: Mapping[str, str]) -> None:
        self.topic = topic
        folded = ((fold(tag), tag) for tag in topic.tags)
        self.tags = {canonical.get(key, key): tag for key, tag in folded if key}
        phrases = ((phrase(keyword), keyword) for keyword in topic.keywords)
        self.keywords = [(text, text.split()[0], keyword) for text, keyword in phrases if text.strip()]
        claiming = (feed.name for feed in feeds if topic.slug in feed.topics)
        self.feeds = frozenset((*topic.feeds, *claiming))

    def claim(self, facts: _Facts) -> str | None:
        """Return the rule that places the story under this topic, in words, or None."""
        for key, tag in self.tags.items():
            if key in facts.tags:
                return f"tag: {tag}"
        for text, first, keyword in self.keywords:
            if first in facts.words and text in facts.text:
                return f"keyword: {keyword}"
        return next((f"feed: {feed}" for feed in facts.feeds if feed in self.feeds), None)
