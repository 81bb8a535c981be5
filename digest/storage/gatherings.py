"""Remember which editions have been told again in a gathered one: each once for each frequency."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, exists, insert, select

from digest.model import EditionState
from digest.storage.editions import PUBLIC
from digest.storage.tables import editions, gatherings
from subscribers.model import Frequency


def ungathered(
    connection: Connection, digest: str, frequency: Frequency, *, since: datetime
) -> tuple[str, ...]:
    """Return the ids of editions whose sending began after `since` and that await gathering, oldest first.

    Only a digest's own editions that go out or have gone out: not those that were skipped or cancelled,
    nor, for the moment, one that is paused.
    """
    told = exists().where(gatherings.c.edition_id == editions.c.id, gatherings.c.frequency == frequency)
    found = (
        select(editions.c.id)
        .where(
            editions.c.digest == digest,
            editions.c.frequency == Frequency.EACH,
            editions.c.state.in_(PUBLIC),
            editions.c.paused_at.is_(None),
            editions.c.started_at > since,
            ~told,
        )
        .order_by(editions.c.send_at, editions.c.id)
    )
    return tuple(connection.scalars(found))


def note_gathered(
    connection: Connection, edition_ids: Collection[str], frequency: Frequency, gathered_in: str
) -> None:
    """Keep that these editions are told again in a gathered one; none may be for that frequency yet."""
    rows = [{"edition_id": each, "frequency": frequency, "gathered_in": gathered_in} for each in edition_ids]
    connection.execute(insert(gatherings), rows)


def stopped_since(connection: Connection, edition_id: str) -> str | None:
    """Return one of the editions a gathered one tells again that was paused or cancelled since, if any."""
    stopped = (editions.c.state == EditionState.CANCELLED) | editions.c.paused_at.is_not(None)
    found = (
        select(editions.c.id)
        .join(gatherings, gatherings.c.edition_id == editions.c.id)
        .where(gatherings.c.gathered_in == edition_id, stopped)
        .order_by(editions.c.id)
        .limit(1)
    )
    return connection.execute(found).scalar_one_or_none()
