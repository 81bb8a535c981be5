"""An edition with its base and its edits, as it is read from the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from digest.compose.edits.apply import Applied, apply
from digest.compose.edits.operations import Edit, Undo, from_values
from digest.compose.edits.words import Names, names_of, sentence, story_named
from digest.model.editions import Edition, EditionRecord
from digest.model.errors import DamagedError
from digest.storage.database import Connection
from digest.storage.editions.records import base_of
from digest.storage.edits.edits import edits_of


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedEdition:
    """An edition with its base and its edits; `applied` is what the edits make of the base."""

    record: EditionRecord
    base: Edition
    edits: tuple[Edit, ...]
    applied: Applied

    @property
    def names(self) -> Names:
        """Return the titles of its stories and topics, including stories that were taken out."""
        return names_of(self.base, self.applied.sources)

    def sentence(self, edit: Edit) -> str:
        """Return one of the edits in words, without its author."""
        return sentence(edit, self.edits, self.names)

    def story(self, name: str) -> str:
        """Return the id of the story that a name stands for, by its present headline or its source's.

        Raises NotFoundError and AmbiguousError.
        """
        return story_named(name, self.applied.edition.stories(), self.applied.sources.values())

    def topic_of(self, story_id: str) -> str:
        """Return the slug of the topic under which a story stands, or stood before it was taken out."""
        stories = (*self.applied.edition.stories(), *self.applied.sources.values())
        return next(story.topic for story in stories if story.id == story_id)

    def last_in_force(self) -> int | None:
        """Return the number of the last edit that is in force and no undo; None if there is none."""
        numbers = (
            each.number
            for each in reversed(self.edits)
            if each.number not in self.applied.undone and not isinstance(each.operation, Undo)
        )
        return next(numbers, None)

    def remarks(self) -> dict[int, str]:
        """Return what an editor should know about some of the edits, by their numbers."""
        stale = {each.edit.number: f"changes nothing, because {each.reason}" for each in self.applied.stale}
        outdated = {
            each.edit.number: f"rewrites what the publisher has changed since: {each.source}"
            for each in self.applied.outdated
        }
        return dict.fromkeys(self.applied.undone, "undone") | stale | outdated


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """A person who edits now, and the number of the last edit that this person has seen."""

    name: str
    seen: int
    now: datetime


def with_edits(connection: Connection, record: EditionRecord) -> EditedEdition:
    """Return an edition with its edits. Raises DamagedError."""
    stored = edits_of(connection, record.edition.id)
    try:
        edits = tuple(
            Edit(number=each.number, by=each.by, at=each.at, operation=from_values(each.operation))
            for each in stored
        )
    except ValueError as error:
        raise DamagedError(record.edition.id, f"one of its edits cannot be read: {error}") from error
    return edited_by(record, base_of(connection, record), edits)


def rebased(edited: EditedEdition, base: Edition) -> EditedEdition:
    """Return an edition with its edits on another base."""
    return edited_by(edited.record, base, edited.edits)


def edited_by(record: EditionRecord, base: Edition, edits: tuple[Edit, ...]) -> EditedEdition:
    """Return an edition with these edits on this base."""
    return EditedEdition(record=record, base=base, edits=edits, applied=apply(base, edits))
