"""Store which editions have been gathered: each edition once for each frequency."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, exists, insert, select

from digest.model.editions import PUBLIC, EditionState
from digest.storage.tables.editions import editions, gatherings
from subscribers.model import Frequency


def ungathered(
    connection: Connection, digest: str, frequency: Frequency, *, since: datetime
) -> tuple[str, ...]:
    """Return the ids of editions that started to go out after `since` and are not gathered yet, oldest first.

    Skipped and cancelled editions are not included, nor are paused ones as long as they are paused.
    """
    gathered = exists().where(gatherings.c.edition_id == editions.c.id, gatherings.c.frequency == frequency)
    found = (
        select(editions.c.id)
        .where(
            editions.c.digest == digest,
            editions.c.frequency == Frequency.EACH,
            editions.c.state.in_(PUBLIC),
            editions.c.paused_at.is_(None),
            editions.c.started_at > since,
            ~gathered,
        )
        .order_by(editions.c.send_at, editions.c.id)
    )
    return tuple(connection.scalars(found))


def note_gathered(
    connection: Connection, edition_ids: Collection[str], frequency: Frequency, gathered_in: str
) -> None:
    """Record that these editions are in a gathered edition; none may be in another of that frequency."""
    rows = [{"edition_id": each, "frequency": frequency, "gathered_in": gathered_in} for each in edition_ids]
    connection.execute(insert(gatherings), rows)


def stopped_since(connection: Connection, edition_id: str) -> str | None:
    """Return the id of a part of a gathered edition that was paused or cancelled since; None if none was."""
    stopped = (editions.c.state == EditionState.CANCELLED) | editions.c.paused_at.is_not(None)
    found = (
        select(editions.c.id)
        .join(gatherings, gatherings.c.edition_id == editions.c.id)
        .where(gatherings.c.gathered_in == edition_id, stopped)
        .order_by(editions.c.id)
        .limit(1)
    )
    return connection.execute(found).scalar_one_or_none()
