"""Read readers, suppressions and consents from the database.

Every function works in the caller's transaction. To change a reader, read it with `hold=True` (nobody else
can change it until the transaction ends), decide, and let `subscribers.store.writing` write the change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, or_, select

from subscribers.model import (
    Choice,
    Consent,
    ConsentAction,
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
from subscribers.store.tables import (
    Connection,
    consents,
    earlier_ids,
    subscribers,
    subscriptions,
    suppressions,
)

Begin = Callable[[], AbstractContextManager[Connection]]


def reader_at(connection: Connection, folded: str, address_hash: str, *, hold: bool = False) -> Reader:
    """Return what is known about an address; it may have no subscriber and still be suppressed."""
    found = read_readers(connection, subscribers.c.folded == folded, hold=hold)
    return (
        found[0]
        if found
        else Reader(suppression=read_suppressions(connection, [address_hash]).get(address_hash))
    )


def reader_of(connection: Connection, subscriber_id: int, *, hold: bool = False) -> Reader:
    """Return the reader with this id; its `subscriber` is None if there is none, or it was erased.

    The id may be that of a reader whose address another reader has taken over since.
    """
    found = read_readers(connection, subscribers.c.id == subscriber_id, hold=hold)
    if not found:
        later = select(earlier_ids.c.subscriber_id).where(earlier_ids.c.id == subscriber_id)
        found = read_readers(connection, subscribers.c.id == later.scalar_subquery(), hold=hold)
    return found[0] if found else Reader()


def hold_readers(connection: Connection, subscriber_id: int, folded: str) -> None:
    """Hold a reader, and the reader at an address, until the transaction ends."""
    read_readers(
        connection, or_(subscribers.c.id == subscriber_id, subscribers.c.folded == folded), hold=True
    )


def read_readers(
    connection: Connection, *where: ColumnElement[bool], limit: int | None = None, hold: bool = False
) -> tuple[Reader, ...]:
    """Return the readers that match `where`, in the order of their ids; use it for a few thousand at most."""
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
    """Return one page of readers, in the order of their ids.

    With `digest`, only readers who ever chose it are listed, and with `prefix` only readers whose address
    begins with it. For the next page, pass the id of the last reader as `after`.
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
    """Return the suppressions of these keyed hashes, by hash."""
    query = select(suppressions).where(suppressions.c.address_hash.in_(hashes))
    return {
        row.address_hash: Suppression(
            address_hash=row.address_hash, reason=SuppressionReason(row.reason), at=row.at, note=row.note
        )
        for row in connection.execute(query)
    }


def history(connection: Connection, subscriber_id: int) -> tuple[Consent, ...]:
    """Return everything that one reader agreed to or ended, oldest first."""
    query = (
        select(consents)
        .where(consents.c.subscriber_id == subscriber_id)
        .order_by(consents.c.at, consents.c.id)
    )
    return tuple(
        Consent(
            act=ConsentAction(row.what),
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


_PAGE = 500  # readers read at a time by an export


def export_readers(begin: Begin) -> Iterator[Reader]:
    """Yield every reader, in the order of their ids.

    `begin` opens a read transaction for each page, because whoever takes the readers may be slow.
    """
    after = -1
    while True:
        with begin() as connection:
            page = read_readers(connection, subscribers.c.id > after, limit=_PAGE)
        if not page:
            return
        last = page[-1].subscriber
        after = last.id if last else after
        yield from page
        del page, last  # so that two pages are never in memory
