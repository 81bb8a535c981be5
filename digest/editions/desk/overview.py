"""Say of each digest how its next edition stands, what waits for it, and how the last one went."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from digest.editions.clocks import AHEAD
from digest.editions.edits.correct import changes_since
from digest.editions.outlook.facts import with_facts
from digest.editions.outlook.phases import DeskStep, Outlook, Phase, phase_of, possible_steps
from digest.editions.outlook.sentence import coming_sentence, delivered_words, sentence
from digest.editions.outlook.timeline import Timeline, timeline
from digest.editions.outlook.words import counted, ended, local
from digest.editions.parts import EditionParts
from digest.model.editions import Due, Edition, EditionRecord, EditionState
from digest.model.posts import PostState
from digest.model.publication import Digest, Review
from digest.schedule.cadence import Cadence
from digest.storage.database import Connection, Database
from digest.storage.desk.overview import (
    PostCounts,
    bounced,
    failing_feeds,
    held_count,
    last_gone_out,
    open_ids,
    post_counts,
)
from digest.storage.editions.records import usable_editions
from digest.storage.ledger.outcomes import count_readers, counts
from digest.storage.occurrences import SKIPPED_BY, STARTED, outcome_of, settled_dates
from subscribers.model import Frequency
from subscribers.store.growth import moved_since
from subscribers.store.mailable import mailable

_NEEDS = (Phase.VOID, Phase.HELD, Phase.WRITING, Phase.DELAYED, Phase.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextEdition:
    """An edition that has not been sent yet, in words."""

    id: str
    day: date
    number: int
    noun: str  # "edition", "weekly edition"
    phase: Phase
    sentence: str
    timeline: Timeline | None
    steps: tuple[DeskStep, ...]
    contents: str  # "14 stories in 5 topics, led by “The night ferry”"
    changed: int = 0  # stories whose posts have changed at their source since the cutoff
    gone: int = 0  # stories whose posts are no longer in their feeds


@dataclass(frozen=True, slots=True, kw_only=True)
class LastEdition:
    """The edition that was sent last, with its outcome in words."""

    id: str
    dated_at: datetime
    outcome: str
    since: str = ""  # "4 joined, 1 left"


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestOverview:
    """A digest as the desk shows it. Without an edition, `sentence` says what comes next."""

    digest: Digest
    editions: tuple[NextEdition, ...]
    damaged: tuple[str, ...]  # ids of open editions that cannot be read
    sentence: str
    today: str  # why there is no edition for today; empty if there is one, or if none is due yet
    posts: PostCounts
    last: LastEdition | None

    @property
    def needs_attention(self) -> bool:
        """Tell whether somebody should look at the digest now."""
        held = self.posts.of(PostState.HELD) > 0
        return held or bool(self.damaged) or any(map(self._needs, self.editions))

    def _needs(self, edition: NextEdition) -> bool:
        waits = edition.phase is Phase.DRAFT and self.digest.review is not Review.SEND
        return waits or bool(edition.changed or edition.gone) or edition.phase in _NEEDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All digests, in the order of config.toml, those with an edition first."""

    digests: tuple[DigestOverview, ...]
    failing: tuple[str, ...]  # names of feeds that do not answer
    held: int  # posts

    @property
    def attention(self) -> int:
        """Return how many digests need attention."""
        return sum(each.needs_attention for each in self.digests)


def overview(parts: EditionParts, now: datetime) -> Overview:
    """Return what the desk shows of all digests."""
    found = [_digest(parts, digest, now) for digest in parts.config.digests]
    configured = {feed.name for feed in parts.config.feeds}
    with parts.database.read() as connection:
        failing = tuple(name for name in failing_feeds(connection) if name in configured)
        held = held_count(connection, [digest.slug for digest in parts.config.digests])
    ahead = sorted(found, key=lambda each: not each.editions)
    return Overview(digests=tuple(ahead), failing=failing, held=held)


def held_posts(database: Database, digests: Collection[str]) -> int:
    """Return the number of posts that are held in some digests, which the head of each page shows."""
    with database.read() as connection:
        return held_count(connection, digests)


def _digest(parts: EditionParts, digest: Digest, now: datetime) -> DigestOverview:
    with parts.database.read() as connection:
        ids = open_ids(connection, digest.slug)
        records = usable_editions(connection, ids)
        outlooks = [_outlook(connection, parts, digest, record, now) for record in records]
        posts, last = post_counts(connection, digest.slug), _last(connection, digest, now)
        readers = _readers(connection, parts, digest.slug, Frequency.EACH, now)
        due, today = _coming(connection, digest, now), _today(connection, digest, now)
    return DigestOverview(
        digest=digest,
        editions=tuple(_next(parts, outlook, now) for outlook in outlooks),
        damaged=tuple(each for each in ids if each not in {record.edition.id for record in records}),
        sentence=coming_sentence(digest, due, readers, now),
        today=today,
        posts=posts,
        last=last,
    )


def _outlook(
    connection: Connection, parts: EditionParts, digest: Digest, record: EditionRecord, now: datetime
) -> Outlook:
    readers = _readers(connection, parts, digest.slug, record.frequency, now) if record.is_ahead else 0
    found = Outlook(
        record=record, digest=digest, readers=readers, counts=counts(connection, record.edition.id)
    )
    return with_facts(connection, parts.config, found, now)


def _readers(
    connection: Connection, parts: EditionParts, slug: str, frequency: Frequency, now: datetime
) -> int:
    offered = parts.offers().get(slug, frozenset())
    return count_readers(connection, mailable(slug, now, frequency, offered))


def _next(parts: EditionParts, outlook: Outlook, now: datetime) -> NextEdition:
    record = outlook.record
    changes = changes_since(parts.database, record)
    gone = sum(bool(change.gone) for change in changes)
    each = record.frequency is Frequency.EACH
    return NextEdition(
        id=record.edition.id,
        day=record.edition.local_date,
        number=record.edition.number,
        noun="edition" if each else f"{record.frequency} edition",
        phase=phase_of(outlook, now),
        sentence=sentence(outlook, now),
        timeline=timeline(outlook, now),
        steps=possible_steps(outlook, now),
        contents=contents_words(record.edition),
        changed=len(changes) - gone,
        gone=gone,
    )


def contents_words(edition: Edition) -> str:
    """Return what an edition contains: "14 stories in 5 topics, led by “The night ferry”"."""
    stories = counted(sum(1 for _ in edition.stories()), "story", "stories")
    topics = f" in {counted(len(edition.sections), 'topic')}" if edition.sections else ""
    return f"{stories}{topics}{f', led by “{edition.lead.title}”' if edition.lead else ''}"


def _last(connection: Connection, digest: Digest, now: datetime) -> LastEdition | None:
    edition_id = last_gone_out(connection, digest.slug)
    found: Sequence[EditionRecord] = usable_editions(connection, [edition_id]) if edition_id else ()
    if not found:
        return None
    record = found[0]
    back = bounced(connection, record.edition.id, record.started_at) if record.started_at else 0
    outlook = Outlook(
        record=record, digest=digest, counts=counts(connection, record.edition.id), bounced=back
    )
    joined, left = moved_since(connection, digest.slug, record.started_at or record.edition.send_at)
    moved = [f"{count:,} {what}" for count, what in ((joined, "joined"), (left, "left")) if count]
    return LastEdition(
        id=record.edition.id,
        dated_at=record.dated_at,
        outcome=delivered_words(outlook, now),
        since=", ".join(moved),
    )


def _coming(connection: Connection, digest: Digest, now: datetime) -> Due:
    """Return the next date of a digest whose edition has not been composed and that nobody has skipped."""
    key, first = Cadence(digest=digest).key, local(now, digest.zone).date()
    settled = settled_dates(connection, key, first=first, until=now + AHEAD)
    return next(due for due in Cadence(digest=digest).coming(now) if due.local_date not in settled)


def _today(connection: Connection, digest: Digest, now: datetime) -> str:
    """Return why today has no edition that goes out, in a sentence; empty if it has one."""
    key, today = Cadence(digest=digest).key, local(now, digest.zone).date()
    outcome = outcome_of(connection, key, today)
    if outcome is None or outcome == STARTED:
        return ""
    if outcome.startswith(SKIPPED_BY):
        return f"Today is {ended(outcome)}"
    if not outcome.startswith(f"{digest.slug}-"):
        return f"No edition today: {ended(outcome)}"
    over = (EditionState.SKIPPED, EditionState.CANCELLED)
    records = (each for each in usable_editions(connection, [outcome]) if each.state in over)
    return next((sentence(Outlook(record=each, digest=digest), now) for each in records), "")
