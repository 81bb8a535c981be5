"""What is on its way in the database: confirmation links, how often somebody asked, and what expires."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, and_, case, delete, exists, select, update
from sqlalchemy import insert as plain_insert

from subscribers.decisions import Confirmation, Limits, Purpose
from subscribers.model import SubscriberState
from subscribers.tables import attempts, confirmations, subscribers
from subscribers.upsert import upsert

BATCH = 5_000

_Key = TypeVar("_Key", int, str)


def count_attempt(connection: Connection, key: str, *, window: timedelta, now: datetime) -> int:
    """Count one more attempt under `key` and return how many there were since the window began.

    One statement, so the count holds across processes and restarts; who counts the same key waits until
    this transaction ends, so decisions about one address are taken one after the other. The key holds a
    keyed hash, never an address or a client in the clear.
    """
    over = attempts.c.since <= now - window
    statement = upsert(connection, attempts).values(key=key, since=now, count=1)
    counted = statement.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "count": case((over, 1), else_=attempts.c.count + 1),
            "since": case((over, now), else_=attempts.c.since),
        },
    ).returning(attempts.c.count)
    return int(connection.execute(counted).scalar_one())


def keep_confirmation(connection: Connection, token_hash: str, confirmation: Confirmation) -> None:
    """Keep what a link will confirm; the link's token itself is not kept anywhere."""
    connection.execute(
        plain_insert(confirmations).values(
            token_hash=token_hash,
            subscriber_id=confirmation.subscriber_id,
            purpose=confirmation.purpose,
            made_at=confirmation.made_at,
            expires_at=confirmation.expires_at,
            used_at=confirmation.used_at,
            payload=dict(confirmation.payload),
        )
    )


def read_confirmation(connection: Connection, token_hash: str) -> Confirmation | None:
    """Return what the link confirms; None when there is no such link (any more)."""
    query = select(confirmations).where(confirmations.c.token_hash == token_hash)
    row = connection.execute(query).one_or_none()
    return _confirmation(row) if row else None


def use_confirmation(connection: Connection, token_hash: str, now: datetime) -> None:
    """Mark a link as used; the moment of its first use stays."""
    connection.execute(
        update(confirmations)
        .where(confirmations.c.token_hash == token_hash, confirmations.c.used_at.is_(None))
        .values(used_at=now)
    )


def expire(connection: Connection, limits: Limits, now: datetime) -> int:
    """Erase sign-ups nobody confirmed in time, with links and counts that are over; return how many sign-ups.

    At most 5,000 of each in one call: call again while it returns as many. Nobody is waited for, so that
    nobody can wait for us in turn: what somebody is at work on is left for the next time.
    """
    dead = confirmations.c.expires_at <= now - limits.grace
    hopeful = exists().where(confirmations.c.subscriber_id == subscribers.c.id, ~dead)
    hopeless = and_(subscribers.c.state == SubscriberState.PENDING, ~hopeful)
    held = connection.scalars(_free(select(subscribers.c.id).where(hopeless))).all()
    # Asked again, now that they are ours: until then somebody may have been mailed a fresh link.
    erased = connection.execute(delete(subscribers).where(subscribers.c.id.in_(held), hopeless))
    old_links = select(confirmations.c.token_hash).where(dead)
    connection.execute(delete(confirmations).where(confirmations.c.token_hash.in_(_free(old_links))))
    old_counts = select(attempts.c.key).where(attempts.c.since <= now - limits.window)
    connection.execute(delete(attempts).where(attempts.c.key.in_(_free(old_counts))))
    return erased.rowcount


def _free(query: Select[tuple[_Key]]) -> Select[tuple[_Key]]:
    """Hold what a query finds, a batch at most, without what somebody else holds already."""
    return query.limit(BATCH).with_for_update(skip_locked=True)


def _confirmation(row: Row[Any]) -> Confirmation:
    return Confirmation(
        subscriber_id=row.subscriber_id,
        purpose=Purpose(row.purpose),
        made_at=row.made_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        payload=row.payload,
    )
