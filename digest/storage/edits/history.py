"""Read the steps of an edition, and keep comments on it and corrections of it; all lists are append-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from digest.model.editions import Correction, Edition, Step, StepKind
from digest.model.errors import DamagedError
from digest.model.snapshot import from_json
from digest.storage.tables.desk import comments, corrections
from digest.storage.tables.editions import steps


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStep:
    """A step, and the base that it replaced; None if the edition kept its base."""

    step: Step
    replaced: Edition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """The words of a person of the staff about an edition or one of its stories; no reader ever sees them."""

    number: int
    story: str | None  # the id of its first post; None: about the whole edition
    answers: int | None  # the number of the comment that it answers
    by: str
    at: datetime
    text: str


def steps_of(connection: Connection, edition_id: str) -> tuple[StoredStep, ...]:
    """Return the steps of an edition in their order. Raises DamagedError if a base cannot be read."""
    rows = connection.execute(select(steps).where(steps.c.edition_id == edition_id).order_by(steps.c.number))
    found = []
    for row in rows:
        try:
            replaced = from_json(row.base) if row.base else None
        except ValueError as error:
            raise DamagedError(edition_id, f"an earlier base cannot be read: {error}") from error
        found.append(StoredStep(step=_step(row), replaced=replaced))
    return tuple(found)


def last_step(connection: Connection, edition_id: str) -> Step | None:
    """Return the last step of an edition, without the base that it replaced."""
    of_edition = select(*(each for each in steps.c if each is not steps.c.base)).where(
        steps.c.edition_id == edition_id
    )
    row = connection.execute(of_edition.order_by(steps.c.number.desc()).limit(1)).first()
    return _step(row) if row else None


def _step(row: Row[Any]) -> Step:
    return Step(
        kind=StepKind(row.kind),
        at=row.at,
        by=row.by,
        detail=row.detail,
        edits=row.edits,
        hash=row.hash,
        look=row.look,
    )


def comments_of(connection: Connection, edition_id: str) -> tuple[Comment, ...]:
    """Return the comments on an edition and its stories, oldest first."""
    query = select(comments).where(comments.c.edition_id == edition_id).order_by(comments.c.number)
    return tuple(
        Comment(number=row.number, story=row.story, answers=row.answers, by=row.by, at=row.at, text=row.text)
        for row in connection.execute(query)
    )


def append_comment(connection: Connection, edition_id: str, comment: Comment) -> None:
    """Append a comment to the list of an edition that is locked."""
    values: Mapping[str, object] = {
        "edition_id": edition_id,
        "number": comment.number,
        "story": comment.story,
        "answers": comment.answers,
        "by": comment.by,
        "at": comment.at,
        "text": comment.text,
    }
    connection.execute(insert(comments).values(**values))


def count_comments(connection: Connection, edition_id: str) -> dict[str | None, int]:
    """Count the comments on each story by its id; None is the whole edition."""
    of_edition = select(comments.c.story, func.count().label("number")).where(
        comments.c.edition_id == edition_id
    )
    rows = connection.execute(of_edition.group_by(comments.c.story))
    return {row.story: row.number for row in rows}


def corrections_of(connection: Connection, edition_id: str) -> tuple[Correction, ...]:
    """Return the corrections of an edition, oldest first."""
    found = select(corrections).where(corrections.c.edition_id == edition_id).order_by(corrections.c.number)
    return tuple(
        Correction(number=row.number, by=row.by, at=row.at, text=row.text)
        for row in connection.execute(found)
    )


def append_correction(connection: Connection, edition_id: str, correction: Correction) -> None:
    """Append a correction to the list of an edition that is locked."""
    connection.execute(insert(corrections).values(edition_id=edition_id, **asdict(correction)))
