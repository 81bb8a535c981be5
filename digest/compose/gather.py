"""Gather editions that went out into one, for readers who chose to be mailed daily or weekly.

It is made of the frozen editions alone, so nothing an editor cut, skipped or cancelled comes back.

- A story stands once. Composing has told each post once and left out what repeats it, so two stories
  are the same when they have a post in common; then the latest telling is the one that stands.
- It stays under the topic where it stood. Configured topics keep their order, topics found in tags
  that of the latest edition, and what no topic claims comes last.
- At the top stands the most prominent of the editions' leads.
- A topic's quota and the digest's maximum say how many are told in full, topics taking turns. What is
  over is a headline under its topic; what was a headline stays one while others can be told in full.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from digest.compose.edition import prominence
from digest.compose.plan import edition_name, empty_edition
from digest.compose.topics import CATCH_ALL_RULE, free_slug
from digest.model import Due, Edition, Section, Story
from digest.publication import Digest, Lead, Site, Topic
from subscribers.model import Frequency

_NAMED = re.compile(r"\{\{[^}]*(?<![\w.])title\b")  # a subject line that has the edition's title in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a gathered edition is to be: whose, how often, for which day, under which title."""

    digest: Digest
    site: Site
    due: Due
    frequency: Frequency
    title: str  # "The week in Daily"
    topics: Sequence[Topic] = ()  # all that are configured, in the order of the file
    taken: Collection[str] = ()  # ids of editions there are already


def gather(told: Iterable[Edition], order: Order, *, full: int | None = None) -> Edition | None:
    """Return the edition that tells again what `told` tell, or None when they tell nothing.

    `full` is how many stories are told in full, the lead among them; the digest's maximum when it is None.
    The order of `told` does not matter: the same editions make the same edition, byte for byte.
    """
    newest = sorted(told, key=lambda edition: (edition.send_at, edition.id), reverse=True)
    stories = _latest(newest)
    if not stories:
        return None
    lead = _lead(stories, newest, order.digest.lead)
    room = (order.digest.maximum if full is None else full) - (lead is not None)
    rest = [story for story in stories if story is not lead]
    return _edition(lead, _sections(rest, newest, order, max(room, 0)), order)


# ── which stories ───────────────────────────────────────────────────────────────────────────


def _latest(newest: Iterable[Edition]) -> list[Story]:
    """Return the latest telling of each story: those told in full first, each kind newest first."""
    full: list[Story] = []
    headlines: list[Story] = []
    seen: set[str] = set()
    for edition in newest:
        more = {story.id for section in edition.sections for story in section.more}
        for story in edition.stories():
            posts = {story.id, *story.post_ids}
            if not posts & seen:
                (headlines if story.id in more else full).append(story)
            seen |= posts
    return [*full, *headlines]


def _lead(stories: Sequence[Story], newest: Iterable[Edition], rule: Lead) -> Story | None:
    led = {edition.lead.id for edition in newest if edition.lead}
    match rule:
        case Lead.NONE:
            return None
        case Lead.NEWEST:
            return min(stories, key=_age)
        case Lead.AUTO:
            return min([story for story in stories if story.id in led] or stories, key=prominence)


def _age(story: Story) -> tuple[float, str]:
    return -story.published_at.timestamp() if story.published_at else 0.0, story.id


# ── what stands where ───────────────────────────────────────────────────────────────────────


def _sections(
    stories: Sequence[Story], newest: Sequence[Edition], order: Order, room: int
) -> Iterator[Section]:
    topics = [topic for topic in order.topics if topic.slug in order.digest.topics]
    quotas = {topic.slug: topic.quota for topic in topics}
    titles = _titles(newest, topics, order.digest)
    shelves: dict[str, list[Story]] = {slug: [] for slug in _slugs(stories, newest, topics)}
    for story in stories:
        shelves[story.topic].append(story)
    kept = _in_full([shelf[: quotas.get(slug)] for slug, shelf in shelves.items()], room)
    for slug, shelf in shelves.items():
        number = sum(story.id in kept for story in shelf)
        if shelf:
            yield Section(
                slug=slug,
                title=titles.get(slug, slug),
                stories=tuple(shelf[:number]),
                more=tuple(shelf[number:]),
            )


def _slugs(stories: Iterable[Story], newest: Iterable[Edition], topics: Iterable[Topic]) -> tuple[str, ...]:
    """Return the topics in their order: configured ones, others as the latest edition has them, the rest."""
    configured = [topic.slug for topic in sorted(topics, key=lambda topic: topic.order)]
    found = [section.slug for edition in newest for section in edition.sections]
    slugs = dict.fromkeys([*configured, *found, *(story.topic for story in stories)])
    unclaimed = {story.topic for story in stories if story.rule == CATCH_ALL_RULE}
    return tuple(sorted(slugs, key=lambda slug: slug in unclaimed))


def _titles(newest: Sequence[Edition], topics: Iterable[Topic], digest: Digest) -> Mapping[str, str]:
    """Return what each topic was called last; a topic may have had its lead alone, and so no section."""
    unclaimed = {
        story.topic: digest.catch_all
        for edition in newest
        for story in edition.stories()
        if story.rule == CATCH_ALL_RULE
    }
    frozen = {section.slug: section.title for edition in newest[::-1] for section in edition.sections}
    return unclaimed | {topic.slug: topic.title for topic in topics} | frozen


def _in_full(queues: Sequence[Sequence[Story]], room: int) -> frozenset[str]:
    """Return which stories are told in full, by id: topics take turns, so no busy one takes all the room."""
    turns = sorted(
        (turn, number, story.id) for number, queue in enumerate(queues) for turn, story in enumerate(queue)
    )
    return frozenset(story_id for _, _, story_id in turns[:room])


def _edition(lead: Story | None, sections: Iterable[Section], order: Order) -> Edition:
    digest, due = order.digest, order.due
    return replace(
        empty_edition(digest, order.site, due),
        id=free_slug(edition_name(digest, due, order.frequency), order.taken),
        title=order.title,
        subject_template=_subject(digest.subject),
        lead=lead,
        sections=tuple(sections),
    )


def _subject(line: str) -> str:
    """Return a digest's subject line with the title before it, unless it has the title in it."""
    return line if _NAMED.search(line) else f"{{{{ title }}}}: {line}"
