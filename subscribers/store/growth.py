"""Count the list by day: the readers who joined, left or were suppressed, and the bounces.

Days are in UTC. Readers whose data has been erased are not counted at all, because nothing says when they
joined. Every query reads only the rows since a time, by an index, except the number of readers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Date, Select, and_, exists, func, select

from subscribers.model import SubscriberState, SuppressionReason
from subscribers.rules.bounces import BounceKind
from subscribers.store.tables import bounces, subscribers, subscriptions, suppressions

_REFUSED = (SuppressionReason.BOUNCE, SuppressionReason.COMPLAINT, SuppressionReason.OPERATOR)
_ACTIVE = subscribers.c.state == SubscriberState.ACTIVE


def number_of_readers(connection: Connection) -> int:
    """Count the readers who are confirmed, have not unsubscribed and are not suppressed."""
    suppressed = select(func.count()).select_from(suppressions)
    suppressed = suppressed.join(subscribers, subscribers.c.address_hash == suppressions.c.address_hash)
    active = connection.scalar(select(func.count()).select_from(subscribers).where(_ACTIVE)) or 0
    return active - (connection.scalar(suppressed.where(_ACTIVE)) or 0)


def joined_by_day(connection: Connection, since: datetime) -> dict[date, int]:
    """Count the readers who were confirmed on each day since a time, whatever they did later."""
    query = select(subscribers.c.confirmed_at).where(subscribers.c.confirmed_at >= since)
    return dict(_by_day(connection, subscribers.c.confirmed_at, query))


def left_by_day(connection: Connection, since: datetime) -> dict[date, int]:
    """Count the readers who unsubscribed on each day since a time, after they had been confirmed."""
    left = subscribers.c.left_at >= since, subscribers.c.confirmed_at.is_not(None)
    query = select(subscribers.c.left_at).where(*left, ~_ACTIVE)
    return dict(_by_day(connection, subscribers.c.left_at, query))


def moved_since(connection: Connection, digest: str, since: datetime) -> tuple[int, int]:
    """Count the readers of a digest who were confirmed since a time, and those who left the whole list."""
    takes = subscriptions.c.subscriber_id == subscribers.c.id, subscriptions.c.digest == digest
    readers = select(func.count()).select_from(subscribers).where(exists().where(*takes))
    joined = readers.where(subscribers.c.confirmed_at >= since, _ACTIVE)
    left = readers.where(subscribers.c.left_at >= since, ~_ACTIVE, subscribers.c.confirmed_at.is_not(None))
    return connection.scalar(joined) or 0, connection.scalar(left) or 0


def suppressed_by_day(connection: Connection, since: datetime) -> dict[date, int]:
    """Count the active readers whose addresses were suppressed on each day since a time."""
    query = select(suppressions.c.at).join(
        subscribers, and_(subscribers.c.address_hash == suppressions.c.address_hash, _ACTIVE)
    )
    query = query.where(suppressions.c.at >= since, suppressions.c.reason.in_(_REFUSED))
    return dict(_by_day(connection, suppressions.c.at, query))


def bounces_by_day(connection: Connection, since: datetime) -> dict[BounceKind, dict[date, int]]:
    """Count the bounces of each kind on each day since a time."""
    query = select(bounces.c.at).where(bounces.c.at >= since)
    return {
        kind: dict(_by_day(connection, bounces.c.at, query.where(bounces.c.kind == kind)))
        for kind in BounceKind
    }


def _by_day(
    connection: Connection, column: ColumnElement[Any], query: Select[Any]
) -> Iterator[tuple[date, int]]:
    in_utc = func.timezone("UTC", column) if connection.dialect.name == "postgresql" else column
    day = func.date(in_utc, type_=Date).label("day")
    grouped = query.with_only_columns(day, func.count(), maintain_column_froms=True).group_by(day)
    yield from ((found, count) for found, count in connection.execute(grouped.order_by(day)))
