"""Read all that the desk shows of an edition, and keep who is looking at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from digest.compose.revise import StoryChange
from digest.editions.edits.correct import changes_since
from digest.editions.edits.edits import EditedEdition, read_edits
from digest.editions.parts import EditionParts
from digest.model.deliveries import Counts
from digest.model.snapshot import headings_of
from digest.storage.database import Database
from digest.storage.edits.desk import (
    PostTimes,
    Presence,
    arrived_since,
    composed_at,
    forget_presences,
    keep_presence,
    presences_in,
    state_of,
    times_of,
)
from digest.storage.ledger.outcomes import choices, counts
from subscribers.model import Choice
from subscribers.store.mailable import mailable

PRESENT = timedelta(minutes=1)  # after the last sign of them, people count as gone


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskFacts:
    """All that the desk shows of an edition, as it is now."""

    edited: EditedEdition
    changes: tuple[StoryChange, ...] = ()  # what has happened to its posts since the cutoff
    times: Mapping[str, PostTimes]
    composed_at: datetime  # its first cutoff
    arrived: int = 0  # posts that have come since it was planned last, and wait
    choices: tuple[tuple[str, int], ...] = ()  # how many readers chose which topics
    counts: Counts
    present: tuple[Presence, ...] = ()

    def readers(self, *topics: str) -> int:
        """Count the readers who want one of these topics."""
        return sum(number for text, number in self.choices if any(map(Choice.parse(text).wants, topics)))

    @property
    def everybody(self) -> int:
        """Return the number of readers who get something of the edition."""
        return self.readers(*(each.choice for each in headings_of(self.edited.applied.edition)))


def read_desk(parts: EditionParts, edition_id: str, now: datetime) -> DeskFacts:
    """Return the facts of an edition; raises NotFoundError, and DamagedError.

    The readers of an edition that has begun to be sent are in its counts, and not in `choices`.
    """
    edited = read_edits(parts.database, edition_id)
    record = edited.record
    stories = (*edited.base.stories(), *edited.applied.edition.stories())
    offered = parts.offers().get(record.edition.digest, frozenset())
    with parts.database.read() as connection:
        facts = DeskFacts(
            edited=edited,
            times=times_of(connection, {story.id for story in stories}),
            composed_at=composed_at(connection, edition_id),
            counts=counts(connection, edition_id),
            present=presences_in(connection, edition_id, now - PRESENT),
        )
        if not record.is_ahead:
            return facts
        readers = mailable(record.edition.digest, now, record.frequency, offered)
        found = tuple((topics, number) for topics, _, number in choices(connection, readers))
        arrived = arrived_since(connection, record.edition.digest, edited.base.cutoff_at)
    return replace(facts, changes=changes_since(parts.database, record), arrived=arrived, choices=found)


def be_present(database: Database, edition_id: str, presence: Presence) -> None:
    """Keep that a person is looking at an edition. Raises NotFoundError."""
    with database.write() as connection:
        state_of(connection, edition_id)
        keep_presence(connection, edition_id, presence)
        forget_presences(connection, presence.seen_at - PRESENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What changes when an edition changes: a page with the same `beat` shows what is there now."""

    edits: int
    beat: str
    present: tuple[Presence, ...]


def pulse_of(database: Database, edition_id: str, now: datetime) -> Pulse:
    """Return the pulse of an edition, which costs little. Raises NotFoundError."""
    with database.read() as connection:
        count, state = state_of(connection, edition_id)
        present = presences_in(connection, edition_id, now - PRESENT)
    return Pulse(edits=count, beat=f"{count}-{state}", present=present)
