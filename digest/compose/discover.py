"""Find the topics of a digest that lists none: the sections of its publishers.

A story stands under the section that its publisher gave it. Sections of several publishers that mean the same
are joined. The largest are headings; see `digest.compose.sections.divide`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from digest.compose.sections.divide import divide
from digest.compose.sections.filing import Filing, feeds_by_address, word_of
from digest.compose.sections.headings import Found, Past, slug_of
from digest.compose.sections.learning import learned
from digest.compose.sections.names import key_of
from digest.compose.stories.group import Group
from digest.compose.topics import Placed, TopicGroup, free_slug, unplaced
from digest.model.editions import Claim, Heading
from digest.model.publication import CATCH_ALL, Feed, Site, Topic

_NO_PAST = Past(tags={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Newsroom:
    """All that decides about topics besides the stories: the site, the operator's words, and the past."""

    site: Site
    catch_all: str
    feeds: Sequence[Feed] = ()
    topics: Sequence[Topic] = ()
    past: Past = field(default_factory=lambda: _NO_PAST)
    several: bool = False  # feeds, also if only one of them has stories today


def discover(groups: Sequence[Group], newsroom: Newsroom) -> tuple[TopicGroup, ...]:
    """Return the topics of the `groups`, the largest first, then the catch-all.

    The same groups in the same order give the same topic groups, each with its own slug.
    """
    stories = [group.every for group in groups]
    past = _with_these(newsroom.past, groups)
    filing = _filing(groups, newsroom, past)
    found = divide(stories, filing, past)
    sections = _sections(found, past)
    keys = [{key for waiting in story for key in filing.keys(waiting)} for story in stories]
    slugs = _part_slugs(found, sections)
    topic_groups = [
        TopicGroup(
            slug=slugs[each.key],
            title=each.name,
            section=sections.get(each.section),
            placed=tuple(
                Placed(group=groups[number], rule=rule, claims=_claims(keys[number], each, sections))
                for number, rule in sorted(each.rules.items())
            ),
        )
        for each in found
    ]
    held = {number for each in found for number in each.rules}
    rest = [group for number, group in enumerate(groups) if number not in held]
    return (*topic_groups, *unplaced(rest, title=newsroom.catch_all, taken=slugs.values()))


def _with_these(past: Past, groups: Sequence[Group]) -> Past:
    """Return the past with the tags of these stories, for feeds of which nothing else is known."""
    tags: dict[str, list[Sequence[str]]] = {}
    for group in groups:
        for waiting in group.every:
            if waiting.feed_name not in past.tags:
                tags.setdefault(waiting.feed_name, []).append(waiting.post.tags)
    return Past(tags={**past.tags, **tags}, headings=past.headings)


def _filing(groups: Sequence[Group], newsroom: Newsroom, past: Past) -> Filing:
    configured = {feed.name: feed for feed in newsroom.feeds}
    titles = {topic.slug: topic.title for topic in newsroom.topics}
    language = newsroom.site.language
    words = {feed.name: word_of(feed.topics, titles, language) for feed in newsroom.feeds}
    own = {name: _names(name, newsroom.site, configured.get(name)) for name in past.tags}
    return Filing(
        learned={name: learned(tuple(map(tuple, tags)), own[name]) for name, tags in past.tags.items()},
        words={name: word for name, word in words.items() if word},
        by_address=feeds_by_address(waiting for group in groups for waiting in group.every),
        joined=newsroom.several
        or len({waiting.feed_name for group in groups for waiting in group.every}) > 1,
        language=language,
        ignored=frozenset[str]().union(*own.values()),
    )


def _names(name: str, site: Site, feed: Feed | None) -> frozenset[str]:
    """Return the keys of tags that say nothing: the names of a feed, and the tags that the operator gives."""
    given = feed.tags if feed else ()
    return frozenset(key for each in (name, site.name, *given) if (key := key_of(each)))


def _sections(found: Sequence[Found], past: Past) -> Mapping[str, Heading]:
    """Return the section of each heading by its key; the same section always has the same slug."""
    taken = {CATCH_ALL}
    sections: dict[str, Heading] = {}
    titles = {each.section or each.key: each.section_name or each.name for each in found}
    for key in sorted(titles):
        slug = free_slug(_lasting(slug_of(key), past.headings), taken)
        sections[key] = Heading(slug=slug, title=titles[key])
        taken.add(slug)
    return {each.section or each.key: sections[each.section or each.key] for each in found}


def _part_slugs(found: Sequence[Found], sections: Mapping[str, Heading]) -> Mapping[str, str]:
    """Return the slug of each heading."""
    slugs = {key: section.slug for key, section in sections.items()}
    taken = {CATCH_ALL, *slugs.values()}
    for each in sorted(found, key=lambda each: each.key):
        if each.section:
            slugs[each.key] = free_slug(slug_of(each.key), taken)
            taken.add(slugs[each.key])
    return slugs


def _lasting(slug: str, before: Sequence[str]) -> str:
    """Return the slug that the section had before, which may differ in a plural "s"."""
    return next((each for each in (slug, f"{slug}s", slug.removesuffix("s")) if each in before), slug)


def _claims(keys: Collection[str], holder: Found, sections: Mapping[str, Heading]) -> tuple[Claim, ...]:
    """Return the claims of the other sections whose tag the story carries."""
    return tuple(
        Claim(topic=section.slug, rule=f"tag {section.title}")
        for key, section in sections.items()
        if key in keys and key != (holder.section or holder.key)
    )
