"""List the editions that there are, in any state, the newest first."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select

from digest.model.editions import OPEN, PUBLIC, DamagedEdition, EditionRecord
from digest.storage.editions.records import record_or_damage, records_of
from digest.storage.tables.editions import editions
from subscribers.model import Frequency

_AT_ONCE = 20  # editions in memory; a snapshot may have some 100 kB


def digest_of(connection: Connection, edition_id: str) -> str | None:
    """Return the slug of the digest of an edition, even of a damaged one; None if there is none."""
    return connection.scalar(select(editions.c.digest).where(editions.c.id == edition_id))


def list_editions(
    connection: Connection, digest: str | None = None, limit: int = 50
) -> tuple[EditionRecord, ...]:
    """Return those of the newest editions that are not damaged, newest first."""
    found = newest_editions(connection, None if digest is None else [digest], limit)
    return tuple(each for each in found if isinstance(each, EditionRecord))


def newest_editions(
    connection: Connection, digests: Collection[str] | None = None, limit: int = 50
) -> tuple[EditionRecord | DamagedEdition, ...]:
    """Return the newest editions, of some digests or of all, newest first; a damaged one hides no other."""
    newest = select(editions).order_by(editions.c.send_at.desc(), editions.c.id.desc()).limit(limit)
    found = newest if digests is None else newest.where(editions.c.digest.in_(digests))
    return tuple(record_or_damage(row) for row in connection.execute(found))


def damaged_editions(connection: Connection) -> tuple[DamagedEdition, ...]:
    """Read every edition and return those whose snapshots cannot be used, oldest first."""
    every = select(editions).order_by(editions.c.send_at, editions.c.id)
    rows = connection.execution_options(yield_per=_AT_ONCE).execute(every)
    checked = (record_or_damage(row) for row in rows)
    return tuple(each for each in checked if isinstance(each, DamagedEdition))


def last_edition(connection: Connection, digest: str) -> EditionRecord | None:
    """Return the newest edition of a digest in any state, without gathered editions."""
    own = editions.c.digest == digest, editions.c.frequency == Frequency.EACH
    newest = select(editions).where(*own).order_by(editions.c.send_at.desc(), editions.c.id.desc()).limit(1)
    return next(iter(records_of(connection, newest)), None)


def edition_before(connection: Connection, record: EditionRecord) -> EditionRecord | None:
    """Return the edition of the same digest and frequency that was sent, or is to be sent, before another."""
    edition = record.edition
    own = editions.c.digest == edition.digest, editions.c.frequency == record.frequency
    earlier = editions.c.state.in_((*OPEN, *PUBLIC)), editions.c.send_at < edition.send_at
    newest = select(editions).where(*own, *earlier).order_by(editions.c.send_at.desc(), editions.c.id.desc())
    return next(iter(records_of(connection, newest.limit(1))), None)


def last_sections(
    connection: Connection, digest: str, *, since: datetime | None = None, limit: int = 100
) -> tuple[tuple[tuple[str, str, int], ...], ...]:
    """Return the sections of the newest editions of a digest, newest first: slug, title and stories of each.

    `since` is the earliest cutoff. Gathered editions only repeat those of others, so they are left out.
    """
    own = editions.c.digest == digest, editions.c.frequency == Frequency.EACH
    newest = select(editions.c.sections).where(*own, editions.c.sections.is_not(None))
    newest = newest.order_by(editions.c.send_at.desc(), editions.c.id.desc()).limit(limit)
    found = newest if since is None else newest.where(editions.c.cutoff_at >= since)
    return tuple(
        tuple((slug, title, count) for slug, title, count in sections)
        for sections in connection.scalars(found)
    )
