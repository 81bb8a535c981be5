"""Place stories under the configured topics; each story keeps the rule that placed it, in words.

The first topic that claims a story has it: by one of its tags, else by one of its keywords, else by
its feed. What no topic claims stands under the catch-all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from digest.compose.stories import Group
from digest.compose.words import phrase
from digest.publication import Feed, Topic
from digest.tags import fold

CATCH_ALL = "more"  # the slug of what no topic claims, unless a topic is called so
CATCH_ALL_RULE = "catch-all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A story under a heading, and the rule that placed it there."""

    group: Group
    rule: str  # "tag: climate", "keyword: night train", "feed: Harbour News", "catch-all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A heading with all the stories it claims, newest first; never empty."""

    slug: str
    title: str
    placed: tuple[Placed, ...]
    quota: int | None = None  # stories shown in full


def place(
    groups: Iterable[Group], topics: Sequence[Topic], feeds: Sequence[Feed] = (), *, catch_all: str
) -> tuple[Shelf, ...]:
    """Return the topics that claim something, in their order, then the catch-all.

    `topics` stand in the order of the file; `feeds` are asked which topics claim all their posts.
    """
    ordered = sorted(topics, key=lambda topic: topic.order)
    canonical = _aliases(ordered)
    rules = [_Rule(topic, feeds, canonical) for topic in ordered]
    claimed: dict[str, list[Placed]] = {topic.slug: [] for topic in ordered}
    unclaimed: list[Group] = []
    for group in groups:
        facts = _Facts(group, canonical)
        claims = ((rule.topic.slug, why) for rule in rules if (why := rule.claim(facts)))
        slug, why = next(claims, (None, ""))
        if slug is None:
            unclaimed.append(group)
        else:
            claimed[slug].append(Placed(group=group, rule=why))
    shelves = [
        Shelf(slug=topic.slug, title=topic.title, placed=tuple(claimed[topic.slug]), quota=topic.quota)
        for topic in ordered
        if claimed[topic.slug]
    ]
    return (*shelves, *unplaced(unclaimed, title=catch_all, taken=claimed))


def unplaced(groups: Sequence[Group], *, title: str, taken: Iterable[str]) -> tuple[Shelf, ...]:
    """Return the catch-all for `groups`, or nothing; its slug is none of `taken`."""
    if not groups:
        return ()
    placed = tuple(Placed(group=group, rule=CATCH_ALL_RULE) for group in groups)
    return (Shelf(slug=free_slug(CATCH_ALL, taken), title=title, placed=placed),)


def free_slug(slug: str, taken: Iterable[str]) -> str:
    """Return `slug`, or the first of `slug`-2, `slug`-3, … that is not among `taken`."""
    names = frozenset(taken)
    number, name = 1, slug
    while name in names:
        number += 1
        name = f"{slug}-{number}"
    return name


def _aliases(topics: Iterable[Topic]) -> dict[str, str]:
    """Return folded tag → folded tag it stands for, chains followed; a circle ends where it began."""
    direct = {
        fold(alias): fold(tag) for topic in topics for alias, tag in topic.aliases if fold(alias) != fold(tag)
    }
    resolved = {}
    for alias in direct:
        seen, tag = {alias}, direct[alias]
        while tag in direct and tag not in seen:
            seen.add(tag)
            tag = direct[tag]
        resolved[alias] = min(seen) if tag in seen else tag
    return resolved


class _Facts:
    """What rules look at in one story, made ready once for all of them."""

    __slots__ = ("feeds", "tags", "text", "words")

    def __init__(self, group: Group, canonical: Mapping[str, str]) -> None:
        self.feeds = group.feeds
        folded = (fold(tag) for tag in group.tags)
        self.tags = frozenset(canonical.get(tag, tag) for tag in folded)
        # A line end keeps a phrase from running out of the title into the blurb.
        lines = (phrase(text) for each in group.posts for text in (each.post.title, each.post.blurb))
        self.text = "\n".join(lines)
        self.words = frozenset(self.text.split())


class _Rule:
    """A topic, made ready to be asked for many stories."""

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
        """Return the rule that brings the story here, in words, or None."""
        for key, tag in self.tags.items():
            if key in facts.tags:
                return f"tag: {tag}"
        for text, first, keyword in self.keywords:
            if first in facts.words and text in facts.text:
                return f"keyword: {keyword}"
        return next((f"feed: {feed}" for feed in facts.feeds if feed in self.feeds), None)
