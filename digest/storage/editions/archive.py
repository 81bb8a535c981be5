"""List the editions that anybody may read on the web."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, literal, select, tuple_

from digest.model.editions import PUBLIC, EditionRecord
from digest.storage.editions.records import record_or_damage
from digest.storage.tables.editions import editions
from subscribers.model import Frequency


def public_editions(
    connection: Connection, digest: str, *, before: tuple[datetime, str] | None = None, limit: int = 50
) -> tuple[EditionRecord, ...]:
    """Return a page of the editions that readers have been sent, newest first, without damaged ones.

    `before` is the send time and the id of the last edition on the page before.
    """
    newest = select(editions).where(editions.c.digest == digest, editions.c.state.in_(PUBLIC))
    newest = newest.order_by(editions.c.send_at.desc(), editions.c.id.desc())
    found: list[EditionRecord] = []
    while (missing := limit - len(found)) > 0:
        rows = connection.execute(_older(newest, before).limit(missing)).all()
        found += (each for each in map(record_or_damage, rows) if isinstance(each, EditionRecord))
        if len(rows) < missing:
            break
        before = (rows[-1].send_at, rows[-1].id)
    return tuple(found)


def _older(newest: Select[Any], before: tuple[datetime, str] | None) -> Select[Any]:
    if before is None:
        return newest
    send_at, edition_id = literal(before[0], editions.c.send_at.type), literal(before[1])
    return newest.where(tuple_(editions.c.send_at, editions.c.id) < tuple_(send_at, edition_id))


def newest_public_id(connection: Connection, digest: str) -> str | None:
    """Return the id of the newest edition that readers have been sent, without gathered editions."""
    own = editions.c.digest == digest, editions.c.frequency == Frequency.EACH
    of_digest = *own, editions.c.state.in_(PUBLIC)
    newest = select(editions.c.id).where(*of_digest).order_by(editions.c.send_at.desc(), editions.c.id.desc())
    return connection.execute(newest.limit(1)).scalar_one_or_none()


def public_dates(connection: Connection, *, limit: int) -> tuple[tuple[str, str, datetime], ...]:
    """Return digest, id and date of the newest editions that readers have been sent.

    The date is the send time, or the time when sending began, if that was earlier.
    """
    columns = editions.c.digest, editions.c.id, editions.c.send_at, editions.c.started_at
    newest = select(*columns).where(editions.c.state.in_(PUBLIC)).order_by(editions.c.send_at.desc())
    return tuple(
        (slug, name, min(send_at, started_at or send_at))
        for slug, name, send_at, started_at in connection.execute(newest.limit(limit))
    )
