"""Write subscribers, changes, consents and suppressions to the database, and erase readers.

Every function works in the caller's transaction, after `subscribers.store.readers` has held the reader.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Insert, bindparam, case, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from subscribers.model import Subscriber, Subscription, SuppressionReason, make_id
from subscribers.rules.decisions import TO_CONFIRM, Change
from subscribers.store.tables import (
    bounces,
    confirmations,
    consents,
    earlier_ids,
    notices,
    subscribers,
    subscriptions,
    suppressions,
    upsert,
)

# From the weakest reason to the strongest. A later reason replaces an earlier one only if it is stronger.
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
    """Insert a subscriber unless the address is taken; return whether the row was inserted.

    Another transaction may have taken the address a moment ago.
    """
    statement = _insert_new(connection).values(_subscriber_row(new)).execution_options(preserve_rowcount=True)
    return connection.execute(statement).rowcount == 1


def insert_subscribers(connection: Connection, new: Sequence[Subscriber]) -> None:
    """Insert many subscribers; those who are there already stay as they are.

    The caller must sort them by address, so that two such calls cannot deadlock.
    """
    if new:
        connection.execute(_insert_new(connection), [_subscriber_row(subscriber) for subscriber in new])


def move(connection: Connection, change: Change, held: int | None, now: datetime) -> bool:
    """Write a change of address, and return whether it was written; otherwise nothing is changed.

    The caller has held the reader at the new address, if there was one. The mover takes over that reader's
    history and links. The change is not written if somebody else has just signed up at the new address.
    """
    try:
        with connection.begin_nested():
            if held is not None:
                _take_over(connection, held, change.subscriber.id)
            write_change(connection, change, now)
    except IntegrityError:
        return False
    return True


def write_change(connection: Connection, change: Change, now: datetime) -> None:
    """Write one decision about an existing subscriber."""
    write_changes(connection, [change], now)


def write_changes(
    connection: Connection,
    changes: Sequence[Change],
    now: datetime,
    *,
    inserted: frozenset[int] = frozenset(),
) -> None:
    """Write decisions about existing subscribers, in a few statements, however many there are.

    `inserted` are the ids of new subscribers whose rows need no update, because they were just inserted.
    """
    _write_subscribers(
        connection, [change.subscriber for change in changes if change.subscriber.id not in inserted]
    )
    _write_subscriptions(connection, changes)
    _write_consents(connection, changes)
    _void_links(connection, changes, now)
    lifted = [change.subscriber.address_hash for change in changes if change.lift_suppression]
    if lifted:
        connection.execute(delete(suppressions).where(suppressions.c.address_hash.in_(lifted)))
        _forget_bounces(connection, lifted)


def suppress(
    connection: Connection, address_hash: str, reason: SuppressionReason, now: datetime, note: str = ""
) -> None:
    """Suppress an address, whether it is on the list or not; a stronger reason replaces a weaker one.

    Open confirmation links become void. Otherwise they would work again when the suppression is lifted.
    """
    suppress_all(connection, {address_hash: reason}, now, note)


def suppress_all(
    connection: Connection, reasons: Mapping[str, SuppressionReason], now: datetime, note: str = ""
) -> None:
    """Suppress many addresses, as `suppress` does; as the hashes are sorted, calls cannot deadlock."""
    if not reasons:
        return
    statement = upsert(connection, suppressions)
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["address_hash"],
            set_={"reason": new.reason, "at": new.at, "note": new.note},
            where=_firmness(new.reason) > _firmness(suppressions.c.reason),
        ),
        [
            {"address_hash": address_hash, "reason": reasons[address_hash], "at": now, "note": note}
            for address_hash in sorted(reasons)
        ],
    )
    known = select(subscribers.c.id).where(subscribers.c.address_hash.in_(list(reasons)))
    connection.execute(
        update(confirmations)
        .where(
            confirmations.c.subscriber_id.in_(known),
            confirmations.c.purpose.in_(sorted(TO_CONFIRM)),
            confirmations.c.used_at.is_(None),
        )
        .values(used_at=now)
    )


def _firmness(reason: ColumnElement[str]) -> ColumnElement[int]:
    ranks = {str(each): rank for rank, each in enumerate(_FIRMNESS)}
    return case(ranks, value=reason)


def unsuppress(connection: Connection, address_hash: str) -> bool:
    """Lift the suppression of an address and forget its bounces; return whether it was suppressed."""
    _forget_bounces(connection, [address_hash])
    statement = delete(suppressions).where(suppressions.c.address_hash == address_hash)
    return connection.execute(statement).rowcount > 0


def erase(connection: Connection, subscriber: Subscriber, now: datetime) -> None:
    """Erase a reader with all choices, consents and links.

    Only the keyed hash of the address stays, as a suppression, so that no import adds the address again.
    """
    suppress(connection, subscriber.address_hash, SuppressionReason.ERASED, now)
    _forget_bounces(connection, [subscriber.address_hash])
    connection.execute(delete(notices).where(notices.c.address_hash == subscriber.address_hash))
    connection.execute(delete(subscribers).where(subscribers.c.id == subscriber.id))


def _forget_bounces(connection: Connection, hashes: Sequence[str]) -> None:
    connection.execute(delete(bounces).where(bounces.c.address_hash.in_(hashes)))


def _take_over(connection: Connection, held: int, mover: int) -> None:
    """Give the record of one reader to another, and delete the first; its links lead to the second."""
    for table in (consents, notices, earlier_ids):
        of_held = table.c.subscriber_id == held
        connection.execute(update(table).where(of_held).values(subscriber_id=mover))
    connection.execute(insert(earlier_ids).values(id=held, subscriber_id=mover))
    connection.execute(delete(subscribers).where(subscribers.c.id == held))


def _insert_new(connection: Connection) -> Insert:
    # Any conflict is ignored, not only one on the folded address: if two transactions insert the same address
    # at once, the conflict may be on the hash first, and PostgreSQL ignores only the conflicts that are
    # named.
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


def _void_links(connection: Connection, changes: Sequence[Change], now: datetime) -> None:
    for purposes in {change.void_links for change in changes if change.void_links}:
        ids = [change.subscriber.id for change in changes if change.void_links == purposes]
        open_links = (
            confirmations.c.subscriber_id.in_(ids),
            confirmations.c.purpose.in_(sorted(purposes)),
            confirmations.c.used_at.is_(None),
        )
        connection.execute(update(confirmations).where(*open_links).values(used_at=now))


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
