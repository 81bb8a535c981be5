"""The list in the database: who may be mailed, and what is known of a reader.

Every function works in the caller's transaction. To change a reader: read with `hold=True` (nobody else
changes that reader until the transaction ends), decide, and let `subscribers.record` write it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Row,
    Select,
    bindparam,
    exists,
    or_,
    select,
)
from sqlalchemy import Connection as Connection

from subscribers.model import (
    Act,
    Choice,
    Consent,
    Format,
    Frequency,
    Origin,
    Preferences,
    Reader,
    Subscriber,
    SubscriberState,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from subscribers.tables import consents, subscribers, subscriptions, suppressions

NOW = bindparam("now", type_=subscriptions.c.paused_until.type)  # given when the statement is run
Mailable = Select[tuple[int, str, str, str | None, str | None, str, str]]


def mailable(
    digest: str,
    now: datetime | BindParameter[datetime],
    frequency: Frequency | None = None,
    offered: Collection[Frequency] = (),
) -> Mailable:
    """Select who may be mailed an edition of `digest` at `now`: the one place that decides.

    With a `frequency` only those who chose it; each edition is also for those whose choice is not (any
    more) among those `offered`. Without one whoever: a change of frequency holds from the next edition,
    so who is asked again when a delivery is claimed may have made one.

    Columns: subscriber_id, address, topics, hour, zone, format, language. A confirmed subscriber who has
    not left, an active subscription that is not paused, an address that is not suppressed. Made to stand
    inside INSERT … SELECT when an edition is addressed and inside a subquery when deliveries are claimed.
    """
    suppressed = exists().where(suppressions.c.address_hash == subscribers.c.address_hash)
    served = [] if frequency is None else [_is_served(frequency, offered)]
    return (
        select(
            subscriptions.c.subscriber_id,
            subscribers.c.address,
            subscriptions.c.topics,
            subscriptions.c.hour,
            subscriptions.c.zone,
            subscribers.c.format,
            subscribers.c.language,
        )
        .join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
        .where(
            subscriptions.c.digest == digest,
            subscriptions.c.state == SubscriptionState.ACTIVE,
            subscribers.c.state == SubscriberState.ACTIVE,
            or_(subscriptions.c.paused_until.is_(None), subscriptions.c.paused_until <= now),
            ~suppressed,
            *served,
        )
    )


def _is_served(frequency: Frequency, offered: Collection[Frequency]) -> ColumnElement[bool]:
    chosen = subscriptions.c.frequency
    return chosen.not_in(sorted(offered)) if frequency is Frequency.EACH else chosen == frequency


# ── reading ─────────────────────────────────────────────────────────────────────────────────


def reader_at(connection: Connection, folded: str, address_hash: str, *, hold: bool = False) -> Reader:
    """Return what is known of an address: perhaps nobody, perhaps only that it is suppressed."""
    found = read_readers(connection, subscribers.c.folded == folded, hold=hold)
    return (
        found[0]
        if found
        else Reader(suppression=read_suppressions(connection, [address_hash]).get(address_hash))
    )


def reader_of(connection: Connection, subscriber_id: int, *, hold: bool = False) -> Reader:
    """Return the reader with this id; one without `subscriber` when there is none (any more)."""
    found = read_readers(connection, subscribers.c.id == subscriber_id, hold=hold)
    return found[0] if found else Reader()


def read_readers(
    connection: Connection, *where: ColumnElement[bool], limit: int | None = None, hold: bool = False
) -> tuple[Reader, ...]:
    """Return the readers for whom `where` holds, by id; at most a few thousand at a time."""
    query = select(subscribers).where(*where).order_by(subscribers.c.id).limit(limit)
    rows = connection.execute(query.with_for_update() if hold else query).all()
    choices = _read_subscriptions(connection, [row.id for row in rows])
    suppressed = read_suppressions(connection, [row.address_hash for row in rows])
    return tuple(
        Reader(
            subscriber=_subscriber(row),
            subscriptions=tuple(choices[row.id]),
            suppression=suppressed.get(row.address_hash),
        )
        for row in rows
    )


def list_readers(
    connection: Connection,
    *,
    digest: str | None = None,
    state: SubscriberState | None = None,
    prefix: str = "",
    after: int = -1,
    limit: int = 100,
) -> tuple[Reader, ...]:
    """Return one page of readers by id: those who ever chose `digest`, whose address begins with `prefix`.

    The next page begins `after` the id of the last reader of this one.
    """
    where = [subscribers.c.id > after]
    if digest is not None:
        chose = exists().where(
            subscriptions.c.subscriber_id == subscribers.c.id, subscriptions.c.digest == digest
        )
        where.append(chose)
    if state is not None:
        where.append(subscribers.c.state == state)
    if prefix:
        where.append(subscribers.c.folded.startswith(prefix.strip().lower(), autoescape=True))
    return read_readers(connection, *where, limit=limit)


def ids_at(connection: Connection, folded: Sequence[str]) -> dict[str, int]:
    """Return the ids of the subscribers at these folded addresses."""
    query = select(subscribers.c.folded, subscribers.c.id).where(subscribers.c.folded.in_(folded))
    return {row.folded: row.id for row in connection.execute(query)}


def read_suppressions(connection: Connection, hashes: Sequence[str]) -> dict[str, Suppression]:
    """Return which of the keyed hashes must not be mailed, and why."""
    query = select(suppressions).where(suppressions.c.address_hash.in_(hashes))
    return {
        row.address_hash: Suppression(
            address_hash=row.address_hash, reason=SuppressionReason(row.reason), at=row.at, note=row.note
        )
        for row in connection.execute(query)
    }


def history(connection: Connection, subscriber_id: int) -> tuple[Consent, ...]:
    """Return everything one reader agreed to or ended, oldest first."""
    query = (
        select(consents)
        .where(consents.c.subscriber_id == subscriber_id)
        .order_by(consents.c.at, consents.c.id)
    )
    return tuple(
        Consent(
            act=Act(row.what),
            at=row.at,
            origin=Origin(source=row.source, wording=row.wording, client=row.client),
            detail=row.detail,
        )
        for row in connection.execute(query)
    )


def _read_subscriptions(connection: Connection, ids: Sequence[int]) -> dict[int, list[Subscription]]:
    query = (
        select(subscriptions)
        .where(subscriptions.c.subscriber_id.in_(ids))
        .order_by(subscriptions.c.subscriber_id, subscriptions.c.digest)
    )
    found: dict[int, list[Subscription]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.subscriber_id].append(_subscription(row))
    return found


def _subscriber(row: Row[Any]) -> Subscriber:
    return Subscriber(
        **{**row._mapping, "state": SubscriberState(row.state), "format": Format(row.format)},
    )


def _subscription(row: Row[Any]) -> Subscription:
    return Subscription(
        digest=row.digest,
        state=SubscriptionState(row.state),
        preferences=Preferences(
            topics=Choice.parse(row.topics),
            hour=row.hour,
            zone=row.zone,
            frequency=Frequency(row.frequency),
        ),
        paused_until=row.paused_until,
        changed_at=row.changed_at,
    )
