"""Keep confirmation links and counts of attempts in the database, and delete what has expired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, and_, case, delete, exists, select, update
from sqlalchemy import insert as plain_insert

from subscribers.model import Reader, Subscriber, SubscriberState
from subscribers.rules.decisions import Confirmation, Purpose, SignupLimits
from subscribers.store.notices import NewNotice, forget_strangers, fresh_notice, queue
from subscribers.store.readers import reader_of
from subscribers.store.tables import attempts, confirmations, subscribers, upsert

BATCH = 5_000

_Key = TypeVar("_Key", int, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLink:
    """A link with its reader; nobody else can change the reader until the transaction ends."""

    confirmation: Confirmation
    reader: Reader
    subscriber: Subscriber


def count_attempt(connection: Connection, key: str, *, window: timedelta, now: datetime) -> int:
    """Count one more attempt under `key` and return the number of attempts since the window began.

    Another transaction that counts the same key waits until this one ends, so decisions about one address are
    made one after the other. The key contains a keyed hash, never a readable address or client.
    """
    # It is a single statement, so that the count is right across processes and restarts.
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
    """Keep what a link will confirm, under the hash of its token; the token itself is not kept anywhere."""
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
    """Return what the link confirms; None if there is no such link, or it has been deleted."""
    query = select(confirmations).where(confirmations.c.token_hash == token_hash)
    row = connection.execute(query).one_or_none()
    return _confirmation(row) if row else None


def waiting_confirmation(connection: Connection, subscriber_id: int) -> Confirmation | None:
    """Return the latest sign-up of a reader that waits to be confirmed, even if its link has expired."""
    query = (
        select(confirmations)
        .where(
            confirmations.c.subscriber_id == subscriber_id,
            confirmations.c.purpose == Purpose.SIGN_UP,
            confirmations.c.used_at.is_(None),
        )
        .order_by(confirmations.c.made_at.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return _confirmation(row) if row else None


def hold_link(connection: Connection, token_hash: str) -> HeldLink | None:
    """Hold the reader of a link; None if the link has been deleted, or its reader erased."""
    found = read_confirmation(connection, token_hash)
    if found is None:
        return None
    reader = reader_of(connection, found.subscriber_id, hold=True)
    # The link is read again: while we waited for the reader, it may have been used or become void.
    confirmation = read_confirmation(connection, token_hash)
    if confirmation is None or reader.subscriber is None:
        return None
    return HeldLink(confirmation=confirmation, reader=reader, subscriber=reader.subscriber)


def queue_with_link(
    connection: Connection, notice: NewNotice, confirmation: Confirmation | None, secret: bytes
) -> None:
    """Queue a notice, and keep what its link will confirm, if anything."""
    notice_id, token_hash = fresh_notice(secret)
    if confirmation is not None:
        keep_confirmation(connection, token_hash, confirmation)
    queue(connection, notice_id, notice, secret=secret)


def use_confirmation(connection: Connection, token_hash: str, now: datetime) -> None:
    """Mark a link as used; a second call does not change the time of the first use."""
    connection.execute(
        update(confirmations)
        .where(confirmations.c.token_hash == token_hash, confirmations.c.used_at.is_(None))
        .values(used_at=now)
    )


def expire(connection: Connection, limits: SignupLimits, now: datetime) -> int:
    """Erase sign-ups that were not confirmed in time, old links, old counts and notices to strangers.

    Returns the number of erased sign-ups. One call erases at most 5,000 of each: call again while it returns
    5,000.
    """
    is_old = confirmations.c.expires_at <= now - limits.grace
    can_confirm = exists().where(confirmations.c.subscriber_id == subscribers.c.id, ~is_old)
    is_abandoned = and_(subscribers.c.state == SubscriberState.PENDING, ~can_confirm)
    held = connection.scalars(_free(select(subscribers.c.id).where(is_abandoned))).all()
    # The condition is checked again now that we hold the rows: a new link may have been mailed before that.
    erased = connection.execute(delete(subscribers).where(subscribers.c.id.in_(held), is_abandoned))
    old_links = select(confirmations.c.token_hash).where(is_old)
    connection.execute(delete(confirmations).where(confirmations.c.token_hash.in_(_free(old_links))))
    forget_strangers(connection, now - limits.grace)
    old_counts = select(attempts.c.key).where(attempts.c.since <= now - limits.window)
    connection.execute(delete(attempts).where(attempts.c.key.in_(_free(old_counts))))
    return erased.rowcount


def _free(query: Select[tuple[_Key]]) -> Select[tuple[_Key]]:
    """Hold at most one batch of the rows that a query finds, without rows that another transaction holds."""
    # We skip those rows and do not wait for them, so that no two transactions can wait for each other. A
    # later call finds them.
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
