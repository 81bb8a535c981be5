"""Compose gathered editions, for readers who chose to be mailed daily or weekly: plan, fit, save as a draft.

A gathered edition is made only from frozen editions that went out, so nothing that an editor cut, skipped or
cancelled comes back.

- Each story appears once. Composing has used each post only once and dropped repetitions, so two stories are
  the same if they have a post in common. Their latest version is used.
- A story stays under its topic and keeps the claims of the others. Configured topics keep their order, topics
  found in tags have the order of the latest edition, and stories under no topic come last.
- The story at the top is the most prominent of the editions' leads.
- A topic's quota and the digest's maximum limit the stories that are shown in full, and topics take turns.
  Extra stories become headlines under their topics. A story that was a headline stays one as long as there
  are others to show in full.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from digest.compose.optimistic import Steps, plan_and_keep
from digest.compose.plan import edition_name, empty_edition
from digest.compose.sections.headings import MOST
from digest.compose.topics import coloured, free_slug
from digest.model.editions import Claim, Composed, Due, Edition, Heading, Section, Story
from digest.model.publication import CATCH_ALL, CATCH_ALL_RULE, Digest, Lead, Site, Topic
from digest.model.snapshot import age, headings_of, prominence, sections_of
from digest.storage.database import Connection, Database
from digest.storage.editions.drafts import insert_edition, next_number, taken_ids
from digest.storage.editions.due import open_edition
from digest.storage.editions.gatherings import note_gathered, ungathered
from digest.storage.editions.records import usable_editions
from subscribers.model import Frequency

_NAMED = re.compile(r"\{\{[^}]*(?<![\w.])title\b")  # a subject template that contains the edition's title


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherInput:
    """The input for one gathered edition: its digest, day, frequency and title."""

    digest: Digest
    site: Site
    due: Due
    frequency: Frequency
    title: str  # "The week in Daily"
    topics: Sequence[Topic] = ()  # all configured topics, in the order of the file
    taken: Collection[str] = ()  # ids of existing editions
    number: int = 0  # of the edition; 0: unknown


def gather(
    published: Iterable[Edition], gather_input: GatherInput, *, full: int | None = None
) -> Edition | None:
    """Return the edition with the stories of the `published` editions, or None if they have no stories.

    `full` is the number of stories that are shown in full, including the lead; None means the digest's
    maximum. The order of `published` does not matter: the same editions give the same edition, byte for byte.
    """
    newest = sorted(published, key=lambda edition: (edition.send_at, edition.id), reverse=True)
    stories = _under_few(_latest(newest), newest, gather_input.digest)
    if not stories:
        return None
    lead = _lead(stories, newest, gather_input.digest.lead)
    room = (gather_input.digest.maximum if full is None else full) - (lead is not None)
    headings = _headings(stories, newest, gather_input)
    queues = {
        heading: [story for story in stories if story.topic == heading.slug and story is not lead]
        for heading in headings
    }
    edition = _edition(lead, sections_of(queues, max(room, 0)), gather_input)
    return coloured(replace(edition, headings=headings), gather_input.topics)


# ── which stories ───────────────────────────────────────────────────────────────────────────


def _latest(newest: Iterable[Edition]) -> list[Story]:
    """Return the latest version of each story, full stories before headlines, and the newest first."""
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


def _under_few(stories: Sequence[Story], newest: Sequence[Edition], digest: Digest) -> list[Story]:
    """Return the stories under at most eight found topics: parts as sections, small ones in the rest.

    A reader who chose a small topic still gets its stories, because it keeps its claim to them.
    """
    if digest.topics or len(_sizes(stories)) <= MOST:
        return list(stories)
    choices = {each.slug: each.choice for edition in newest[::-1] for each in edition.headings}
    whole = [replace(story, topic=choices.get(story.topic, story.topic)) for story in stories]
    small = {topic for topic, _ in _sizes(whole).most_common()[MOST:]}
    return [_in_the_rest(story) if story.topic in small else story for story in whole]


def _sizes(stories: Iterable[Story]) -> Counter[str]:
    return Counter(sorted(story.topic for story in stories if story.rule != CATCH_ALL_RULE))


def _in_the_rest(story: Story) -> Story:
    claim = Claim(topic=story.topic, rule=story.rule)
    return replace(story, topic=CATCH_ALL, rule=CATCH_ALL_RULE, claims=(claim, *story.claims))


def _lead(stories: Sequence[Story], newest: Iterable[Edition], rule: Lead) -> Story | None:
    led = {edition.lead.id for edition in newest if edition.lead}
    match rule:
        case Lead.NONE:
            return None
        case Lead.NEWEST:
            return min(stories, key=age)
        case Lead.AUTO:
            return min([story for story in stories if story.id in led] or stories, key=prominence)


# ── headings ────────────────────────────────────────────────────────────────────────────────


def _headings(
    stories: Sequence[Story], newest: Sequence[Edition], gather_input: GatherInput
) -> tuple[Heading, ...]:
    """Return all topics that may claim one of the `stories`."""
    topics = [topic for topic in gather_input.topics if topic.slug in gather_input.digest.topics]
    quotas = {topic.slug: topic.quota for topic in topics}
    titles = _titles(newest, topics, gather_input.digest)
    parts = {each.slug: each.section for edition in newest[::-1] for each in edition.headings}
    return tuple(
        Heading(slug=slug, title=titles.get(slug, slug), quota=quotas.get(slug), section=parts.get(slug, ""))
        for slug in _slugs(stories, newest, topics)
    )


def _slugs(stories: Iterable[Story], newest: Iterable[Edition], topics: Iterable[Topic]) -> tuple[str, ...]:
    """Return the topics in order: configured topics, then those of the latest edition, then the catch-all."""
    configured = [topic.slug for topic in sorted(topics, key=lambda topic: topic.order)]
    found = [heading.slug for edition in newest for heading in headings_of(edition)]
    claiming = [slug for story in stories for slug in story.topics]
    slugs = dict.fromkeys([*configured, *found, *claiming])
    unclaimed = {story.topic for story in stories if story.rule == CATCH_ALL_RULE}
    return tuple(sorted(slugs, key=lambda slug: slug in unclaimed))


def _titles(newest: Sequence[Edition], topics: Iterable[Topic], digest: Digest) -> Mapping[str, str]:
    """Return the latest title of each topic."""
    # In editions of earlier versions, a topic with only the lead has no title; the configuration has it.
    unclaimed = {
        story.topic: digest.catch_all
        for edition in newest
        for story in edition.stories()
        if story.rule == CATCH_ALL_RULE
    }
    frozen = {
        heading.slug: heading.title
        for edition in newest[::-1]
        for heading in headings_of(edition)
        if heading.title
    }
    return {CATCH_ALL: digest.catch_all} | unclaimed | {topic.slug: topic.title for topic in topics} | frozen


def _edition(lead: Story | None, sections: Iterable[Section], gather_input: GatherInput) -> Edition:
    digest, due = gather_input.digest, gather_input.due
    return replace(
        empty_edition(digest, gather_input.site, due),
        id=free_slug(edition_name(digest, due, gather_input.frequency), gather_input.taken),
        number=gather_input.number,
        title=gather_input.title,
        subject_template=_subject(gather_input),
        lead=lead,
        sections=tuple(sections),
    )


def _subject(gather_input: GatherInput) -> str:
    """Return the digest's subject template, with the title of a gathered edition before it if it has none.

    A merged edition (see `digest.compose.merge`) has the subject of any other edition of its digest.
    """
    line = gather_input.digest.subject
    plain = gather_input.frequency is Frequency.EACH or _NAMED.search(line)
    return line if plain else f"{{{{ title }}}}: {line}"


# ── composing ───────────────────────────────────────────────────────────────────────────────

log = logging.getLogger(__name__)


def compose_gathered(
    database: Database,
    gather_input: GatherInput,
    *,
    since: datetime,
    fits: Callable[[Edition], bool] = lambda _: True,
    once: bool = False,
) -> Composed:
    """Compose the gathered edition that `gather_input` describes, as a draft.

        read whether an edition of that frequency for that day is open, and the editions that began to go
            out after `since` and have not been gathered for this frequency yet
        with no transaction open:
            gather                          → an edition, or a reason
            it does not fit into an email?  → show fewer stories in full, until it does;
                                              if necessary, the newest editions wait for the next one
        in one write transaction, the only one for this digest:
            what was read has changed?      → read and gather again
            save the edition as a draft, and save which editions it has gathered

    Call it after the editions that were due have been sent. Otherwise they are missing here. With `once`, a
    day whose edition has been sent since the cutoff gets no other.
    """
    slug = gather_input.digest.slug
    composed = plan_and_keep(
        database,
        slug,
        Steps(
            read=lambda connection: _read(connection, gather_input, since, once=once),
            plan=lambda seen: _plan(seen, gather_input, fits),
            keep=lambda connection, planned: _keep(connection, planned, gather_input.frequency),
        ),
    )
    if composed.record:
        log.info("%s: gathered from %d editions", composed.record.edition.id, composed.used)
    return composed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """All that a gathered edition is made from; as long as it is equal, the plan is still right."""

    there: str = ""  # a sentence that says that the edition exists; nothing else is read then
    taken: frozenset[str] = frozenset()
    number: int = 0
    published: tuple[Edition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The gathered edition and the editions it is made from; without an edition, `reason` is one sentence."""

    edition: Edition | None = None
    reason: str = ""
    gathered: Sequence[Edition] = ()
    carried: int = 0  # editions that wait for the next gathered edition


def _read(connection: Connection, gather_input: GatherInput, since: datetime, *, once: bool) -> _Seen:
    slug, frequency, due = gather_input.digest.slug, gather_input.frequency, gather_input.due
    began_after = due.cutoff_at if once else None
    if there := open_edition(connection, slug, due.local_date, frequency, began_after=began_after):
        return _Seen(there=f"there is already {there.edition.id} ({there.state})")
    # The editions are not chosen by a span of dates, so an outage or a missed Monday loses and repeats
    # nothing.
    ids = ungathered(connection, slug, frequency, since=since)
    return _Seen(
        taken=taken_ids(connection, edition_name(gather_input.digest, gather_input.due, frequency)),
        number=next_number(connection, slug, frequency),
        published=tuple(each.edition for each in usable_editions(connection, ids)),
    )


def _plan(seen: _Seen, gather_input: GatherInput, fits: Callable[[Edition], bool]) -> _Plan:
    if seen.there:
        return _Plan(reason=seen.there)
    known = replace(gather_input, taken=seen.taken, number=seen.number)
    edition, gathered = fitting(seen.published, known, fits)
    if edition is None:
        return _Plan(reason=f"nothing has been sent since the last {gather_input.frequency} edition")
    return _Plan(edition=edition, gathered=gathered, carried=len(seen.published) - len(gathered))


def _keep(connection: Connection, planned: _Plan, frequency: Frequency) -> Composed:
    """Save the plan."""
    if planned.edition is None:
        return Composed(record=None, reason=planned.reason)
    record = insert_edition(connection, planned.edition, frequency)
    note_gathered(connection, [each.id for each in planned.gathered], frequency, planned.edition.id)
    return Composed(record=record, reason="", used=len(planned.gathered), carried=planned.carried)


def fitting(
    published: Sequence[Edition], gather_input: GatherInput, fits: Callable[[Edition], bool]
) -> tuple[Edition | None, Sequence[Edition]]:
    """Return the fullest edition that fits into one email, and the editions it is made from."""
    edition, gathered = None, published
    for gathered, full in _attempts(published, gather_input.digest.maximum):
        edition = gather(gathered, gather_input, full=full)
        if edition is None or fits(edition):
            return edition, gathered
    # Even the headlines of one edition do not fit, so the number of stories is not the reason.
    return edition, gathered


def _attempts(published: Sequence[Edition], maximum: int) -> Iterator[tuple[Sequence[Edition], int]]:
    """Yield editions to gather and a number of stories in full: first fewer stories, then fewer editions."""
    for count in range(len(published), 0, -1):
        full = maximum
        while full:
            yield published[:count], full
            full = full * 9 // 10
        yield published[:count], 0
