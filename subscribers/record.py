"""Write into the list what was decided, and what must not be mailed.

Every function works in the caller's transaction, after `subscribers.store` has held the reader.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError

from subscribers.decisions import Change
from subscribers.model import Subscriber, SubscriberState, Subscription, SuppressionReason, make_id
from subscribers.tables import bounces, confirmations, consents, subscribers, subscriptions, suppressions
from subscribers.upsert import upsert

# A later reason replaces an earlier one only when it holds more firmly.
_FIRMNESS = (
    SuppressionReason.ERASED,
    SuppressionReason.BOUNCE,
    SuppressionReason.OPERATOR,
    SuppressionReason.COMPLAINT,
)


def fresh_ids(count: int = 1) -> range:
    """Return `count` new ids, ordered by time."""
    first = make_id(time.time_ns() // 1000, secrets.randbits(12))
    return range(first, first + count)


def insert_subscriber(connection: Connection, new: Subscriber) -> bool:
    """Insert a subscriber unless somebody has the address, however lately; tell whether it was inserted."""
    statement = _insert_new(connection).values(_subscriber_row(new)).execution_options(preserve_rowcount=True)
    return connection.execute(statement).rowcount == 1


def insert_subscribers(connection: Connection, new: Sequence[Subscriber]) -> None:
    """Insert many; who is there already stays as is. Sort them by address, and two of us never deadlock."""
    if new:
        connection.execute(_insert_new(connection), [_subscriber_row(subscriber) for subscriber in new])


def move(connection: Connection, change: Change, now: datetime) -> bool:
    """Write a change of address unless somebody is there, however lately; tell whether it was written.

    A sign-up nobody confirmed makes way. Of a change that is not written nothing stays.
    """
    try:
        with connection.begin_nested():
            _make_way(connection, change.subscriber)
            write_change(connection, change, now)
    except IntegrityError:
        return False
    return True


def write_change(connection: Connection, change: Change, now: datetime) -> None:
    """Write one decision about a subscriber who is there."""
    write_changes(connection, [change], now)


def write_changes(
    connection: Connection,
    changes: Sequence[Change],
    now: datetime,
    *,
    inserted: frozenset[int] = frozenset(),
) -> None:
    """Write decisions about subscribers who are there, in a few statements whatever their number.

    `inserted` are the ids of subscribers who were just written as they are to be.
    """
    _write_subscribers(
        connection, [change.subscriber for change in changes if change.subscriber.id not in inserted]
    )
    _write_subscriptions(connection, changes)
    _write_consents(connection, changes)
    void = [change.subscriber.id for change in changes if change.void_links]
    if void:
        connection.execute(
            update(confirmations)
            .where(confirmations.c.subscriber_id.in_(void), confirmations.c.used_at.is_(None))
            .values(used_at=now)
        )
    lifted = [change.subscriber.address_hash for change in changes if change.lift_suppression]
    if lifted:
        connection.execute(delete(suppressions).where(suppressions.c.address_hash.in_(lifted)))
        _forget_bounces(connection, lifted)


def suppress(
    connection: Connection, address_hash: str, reason: SuppressionReason, now: datetime, note: str = ""
) -> None:
    """Keep an address from being mailed, on the list or not; a firmer reason replaces a weaker one.

    Confirmation links on their way become void, so that lifting it later brings nobody back by itself.
    """
    weaker = _FIRMNESS[: _FIRMNESS.index(reason)]
    statement = upsert(connection, suppressions).values(
        address_hash=address_hash, reason=reason, at=now, note=note
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["address_hash"],
            set_={"reason": reason, "at": now, "note": note},
            where=suppressions.c.reason.in_(weaker),
        )
    )
    known = select(subscribers.c.id).where(subscribers.c.address_hash == address_hash)
    connection.execute(
        update(confirmations)
        .where(confirmations.c.subscriber_id.in_(known), confirmations.c.used_at.is_(None))
        .values(used_at=now)
    )


def unsuppress(connection: Connection, address_hash: str) -> bool:
    """Let an address be mailed again if the list says so; tell whether it was suppressed.

    What came back from it counts no more.
    """
    _forget_bounces(connection, [address_hash])
    statement = delete(suppressions).where(suppressions.c.address_hash == address_hash)
    return connection.execute(statement).rowcount > 0


def erase(connection: Connection, subscriber: Subscriber, now: datetime) -> None:
    """Forget a reader: choices, consents, links and all. A keyed hash stays, so no import brings it back."""
    suppress(connection, subscriber.address_hash, SuppressionReason.ERASED, now)
    _forget_bounces(connection, [subscriber.address_hash])
    connection.execute(delete(subscribers).where(subscribers.c.id == subscriber.id))


def _forget_bounces(connection: Connection, hashes: Sequence[str]) -> None:
    connection.execute(delete(bounces).where(bounces.c.address_hash.in_(hashes)))


def _make_way(connection: Connection, mover: Subscriber) -> None:
    pending = subscribers.c.state == SubscriberState.PENDING
    connection.execute(
        delete(subscribers).where(subscribers.c.folded == mover.folded, subscribers.c.id != mover.id, pending)
    )


def _insert_new(connection: Connection) -> sqlite.Insert:
    # Whatever is there already, and not the folded address alone: of two who insert the same address at
    # once, one may run into its hash before its address, and PostgreSQL forgives only what is named.
    return upsert(connection, subscribers).on_conflict_do_nothing()


def _write_subscribers(connection: Connection, changed: Sequence[Subscriber]) -> None:
    if not changed:
        return
    rows = [_subscriber_row(subscriber) for subscriber in changed]
    columns = [column for column in subscribers.c if column.name != "id"]
    statement = (
        update(subscribers)
        .where(subscribers.c.id == bindparam("id_"))
        .values({column: bindparam(column.name) for column in columns})
    )
    connection.execute(statement, [{**row, "id_": row.pop("id")} for row in rows])


def _write_subscriptions(connection: Connection, changes: Sequence[Change]) -> None:
    rows = [
        _subscription_row(change.subscriber.id, each) for change in changes for each in change.subscriptions
    ]
    if rows:
        statement = upsert(connection, subscriptions)
        keys = ["subscriber_id", "digest"]
        new = {column.name: column for column in statement.excluded if column.name not in keys}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=new), rows)


def _write_consents(connection: Connection, changes: Sequence[Change]) -> None:
    given = [(change.subscriber.id, change.consent) for change in changes if change.consent is not None]
    rows = [
        {
            "id": new_id,
            "subscriber_id": subscriber_id,
            "at": consent.at,
            "what": consent.act,
            "source": consent.origin.source,
            "wording": consent.origin.wording,
            "client": consent.origin.client,
            "detail": dict(consent.detail),
        }
        for new_id, (subscriber_id, consent) in zip(fresh_ids(len(given)), given, strict=True)
    ]
    if rows:
        connection.execute(insert(consents), rows)


def _subscriber_row(subscriber: Subscriber) -> dict[str, Any]:
    return {column.name: getattr(subscriber, column.name) for column in subscribers.c}


def _subscription_row(subscriber_id: int, subscription: Subscription) -> dict[str, Any]:
    preferences = subscription.preferences
    return {
        "subscriber_id": subscriber_id,
        "digest": subscription.digest,
        "state": subscription.state,
        "topics": str(preferences.topics),
        "hour": preferences.hour,
        "zone": preferences.zone,
        "frequency": preferences.frequency,
        "paused_until": subscription.paused_until,
        "changed_at": subscription.changed_at,
    }
