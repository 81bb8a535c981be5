"""Read all that the desk shows of an edition, and keep who is looking at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from digest.compose.revise import StoryChange
from digest.editions.edits.correct import changes_since
from digest.editions.edits.edits import EditedEdition, read_edits
from digest.editions.outlook.facts import PRESENT, writer_among
from digest.editions.parts import EditionParts
from digest.model.deliveries import Counts
from digest.model.editions import EditionState, Step
from digest.model.snapshot import headings_of
from digest.model.staff import Person
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
from digest.storage.edits.history import last_step
from digest.storage.ledger.outcomes import choices, counts
from subscribers.model import Choice
from subscribers.store.mailable import mailable

_MINUTE, _PROGRESS = 60, 5  # seconds


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
    step: Step | None = None  # the last one

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
            step=last_step(connection, edition_id),
        )
        if not record.is_ahead:
            return facts
        readers = mailable(record.edition.digest, now, record.frequency, offered)
        found = tuple((topics, number) for topics, _, number in choices(connection, readers))
        arrived = arrived_since(connection, record.edition.digest, edited.base.cutoff_at)
    return replace(facts, changes=changes_since(parts.database, record), arrived=arrived, choices=found)


def be_present(
    database: Database, edition_id: str, person: Person, now: datetime, *, place: str, unsaved: bool
) -> None:
    """Keep that a person is looking at an edition: at a story or a topic, with text that is not saved or not.

    Raises NotFoundError.
    """
    presence = Presence(person=person.id, name=person.name, place=place, unsaved=unsaved, seen_at=now)
    with database.write() as connection:
        state_of(connection, edition_id)
        keep_presence(connection, edition_id, presence)
        forget_presences(connection, now - PRESENT)


def writer_of(database: Database, edition_id: str, now: datetime) -> str:
    """Return the first name of somebody with text in an edition that is not saved; "" if there is nobody."""
    with database.read() as connection:
        return writer_among(presences_in(connection, edition_id, now - PRESENT))


def pulse_of(database: Database, edition_id: str, person: Person, now: datetime) -> str:
    """Return a text that changes whenever a person's page of an edition should be made again.

    That is: with its edits, its state, the other people and the minute, and every few seconds while it is
    being sent. It costs little, because the snapshot is not read. Raises NotFoundError.
    """
    with database.read() as connection:
        state = state_of(connection, edition_id)
        present = presences_in(connection, edition_id, now - PRESENT)
    others = (each for each in present if each.person != person.id)
    people = ",".join(f"{each.person}:{each.place}:{each.unsaved:d}" for each in others)
    seconds = _PROGRESS if EditionState.SENDING in state else _MINUTE
    return f"{state}-{int(now.timestamp()) // seconds}-{people}"
