"""Store how much of its limits each mail server and domain has used, for all senders together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, select, update

from digest.limits.buckets import Share, bucket_of, kept_of
from digest.limits.limits import Meter, Slowdown
from digest.storage.tables.deliveries import meters
from subscribers.store.tables import upsert

_OVER = timedelta(hours=25)  # a message counts for a day at most; the rest allows for clocks that differ
_SHARES = "shares"  # stored beside the buckets
_PACE = "pace"  # stored beside the buckets: messages a minute, of a slowed scope without an even flow


def read_meters(connection: Connection, scopes: Collection[str]) -> dict[str, Meter]:
    """Return the meters of `scopes`; a scope in which nothing was counted has none."""
    query = select(meters).where(meters.c.scope.in_(scopes))
    return {row["scope"]: _meter(row) for row in connection.execute(query).mappings()}


def lock_meters(connection: Connection, scopes: Sequence[str], now: datetime) -> dict[str, Meter]:
    """Return the meters of `scopes`, and lock them until this transaction ends."""
    found = _lock(connection, scopes)
    # A row that does not exist cannot be locked, so missing rows are inserted first.
    missing = [scope for scope in scopes if scope not in found]
    if missing:
        rows = [{"scope": scope, "buckets": {}, "changed_at": now} for scope in missing]
        connection.execute(upsert(connection, meters).on_conflict_do_nothing(), rows)
        found = _lock(connection, scopes)
    return found


def _lock(connection: Connection, scopes: Sequence[str]) -> dict[str, Meter]:
    # All senders lock in the same order. Otherwise two senders could wait for each other forever.
    query = select(meters).where(meters.c.scope.in_(scopes)).order_by(meters.c.scope).with_for_update()
    return {row["scope"]: _meter(row) for row in connection.execute(query).mappings()}


def save_meters(connection: Connection, changed: Mapping[str, Meter], now: datetime) -> None:
    """Save meters that were locked in this transaction."""
    if changed:
        names = [column.name for column in meters.c if column.name != "scope"]
        statement = update(meters).where(meters.c.scope == bindparam("of"))
        statement = statement.values({name: bindparam(name) for name in names})
        rows = [{"of": scope, "changed_at": now, **_columns(meter)} for scope, meter in changed.items()]
        connection.execute(statement, rows)


def forget_meters(connection: Connection, now: datetime) -> int:
    """Delete the meters that have not changed for a day, and return how many.

    By then every quota is whole again, and every slowdown is over.
    """
    return connection.execute(delete(meters).where(meters.c.changed_at < now - _OVER)).rowcount


def date_back_slowdowns(connection: Connection, limit: datetime, now: datetime) -> None:
    """Date slowdowns that began later than `limit` as begun `now`; the counts do it by themselves."""
    ahead = update(meters).where(meters.c.slowed_at > limit)
    connection.execute(ahead.values(slowed_at=now, slowed_since=now))


def _columns(meter: Meter) -> dict[str, Any]:
    slowdown = meter.slowdown
    kept: dict[str, object] = {key: kept_of(bucket) for key, bucket in meter.buckets.items()}
    if meter.shares:
        kept[_SHARES] = [list(share) for share in meter.shares]
    return {
        "buckets": kept | {_PACE: slowdown.pace} if slowdown else kept,
        "share": slowdown.share if slowdown else None,
        "slowed_at": slowdown.at if slowdown else None,
        "slowed_since": slowdown.since if slowdown else None,
        "reason": slowdown.reason if slowdown else "",
    }


def _meter(row: RowMapping) -> Meter:
    kept = row["buckets"]
    buckets = {key: bucket_of(each) for key, each in kept.items() if key not in (_PACE, _SHARES)}
    meter = Meter(buckets=buckets, shares=tuple(Share(*each) for each in kept.get(_SHARES, ())))
    if row["share"] is None:
        return meter
    slowdown = Slowdown(
        share=row["share"],
        at=row["slowed_at"],
        since=row["slowed_since"],
        reason=row["reason"],
        pace=kept[_PACE],
    )
    return replace(meter, slowdown=slowdown)
