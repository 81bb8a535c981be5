"""Read editions, each checked against the hash of its snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from digest.model.editions import DamagedEdition, Edition, EditionRecord, EditionState
from digest.model.errors import DamagedError, NotFoundError
from digest.model.snapshot import from_json, text_hash
from digest.storage.tables.editions import editions
from subscribers.model import Frequency


def load_edition(connection: Connection, edition_id: str) -> EditionRecord:
    """Return an edition. Raises NotFoundError, and DamagedError if its snapshot is damaged."""
    row = connection.execute(select(editions).where(editions.c.id == edition_id)).one_or_none()
    if row is None:
        raise NotFoundError("edition", edition_id)
    return _record(row)


def base_of(connection: Connection, record: EditionRecord) -> Edition:
    """Return an edition without its edits. Raises DamagedError."""
    query = select(editions.c.base).where(editions.c.id == record.edition.id)
    text: str | None = connection.scalar(query)
    if text is None:
        return record.edition
    try:
        return from_json(text)
    except ValueError as error:
        raise DamagedError(record.edition.id, f"its base cannot be read: {error}") from error


def lock_edition(connection: Connection, edition_id: str) -> EditionRecord:
    """Return an edition like `load_edition`, and keep everybody else from changing it until the commit.

    On PostgreSQL, late answers wait too (`digest.storage.ledger.settling`). On SQLite, nobody else writes.
    """
    connection.execute(select(editions.c.id).where(editions.c.id == edition_id).with_for_update())
    return load_edition(connection, edition_id)


def usable_editions(connection: Connection, ids: Iterable[str]) -> tuple[EditionRecord, ...]:
    """Return the editions with these ids, in this order, without damaged ones."""
    found = []
    for edition_id in ids:
        with suppress(DamagedError):
            found.append(load_edition(connection, edition_id))
    return tuple(found)


def records_of(connection: Connection, query: Select[Any]) -> tuple[EditionRecord, ...]:
    """Return the editions that a query finds. Raises DamagedError."""
    return tuple(_record(row) for row in connection.execute(query))


def record_or_damage(row: Row[Any]) -> EditionRecord | DamagedEdition:
    """Return the edition of a row, or what is known of it if its snapshot is damaged."""
    try:
        return _record(row)
    except DamagedError as error:
        return DamagedEdition(
            id=row.id,
            digest=row.digest,
            state=EditionState(row.state),
            send_at=row.send_at,
            damage=error.damage,
        )


def _record(row: Row[Any]) -> EditionRecord:
    return EditionRecord(
        edition=_snapshot(row.id, row.hash, row.snapshot),
        hash=row.hash,
        state=EditionState(row.state),
        frequency=Frequency(row.frequency),
        reason=row.reason,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        look=row.look,
        voided_at=row.voided_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        paused_at=row.paused_at,
    )


@lru_cache(maxsize=8)  # one sending reads the same edition several times, and a snapshot never changes
def _snapshot(edition_id: str, content_hash: str, snapshot: str) -> Edition:
    """Return the frozen edition, after a check that its snapshot still has its hash."""
    if text_hash(snapshot) != content_hash:
        raise DamagedError(edition_id, "its snapshot no longer matches its hash")
    try:
        return from_json(snapshot)
    except ValueError as error:
        raise DamagedError(edition_id, f"its snapshot cannot be read: {error}") from error
