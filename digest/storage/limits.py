"""What each mail server and domain has used of its limits, shared by all who send."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, select, update

from digest.send.buckets import bucket_of, kept_of
from digest.send.limits import Brake, Meter
from digest.storage.tables import meters
from subscribers.upsert import upsert

_OVER = timedelta(hours=25)  # the longest a letter counts, and a little for clocks that differ
_PACE = "pace"  # beside the buckets: letters a minute, of a scope that was slowed and has no even flow


def read_meters(connection: Connection, scopes: Collection[str]) -> dict[str, Meter]:
    """Return the meters of `scopes`, as far as anything was counted there."""
    query = select(meters).where(meters.c.scope.in_(scopes))
    return {row["scope"]: _meter(row) for row in connection.execute(query).mappings()}


def lock_meters(connection: Connection, scopes: Sequence[str], now: datetime) -> dict[str, Meter]:
    """Return the meters of `scopes`, which nobody else can change before this transaction ends."""
    found = _lock(connection, scopes)
    missing = [scope for scope in scopes if scope not in found]
    if missing:
        rows = [{"scope": scope, "buckets": {}, "changed_at": now} for scope in missing]
        connection.execute(upsert(connection, meters).on_conflict_do_nothing(), rows)
        found = _lock(connection, scopes)
    return found


def _lock(connection: Connection, scopes: Sequence[str]) -> dict[str, Meter]:
    # in one order, or two senders would wait for each other
    query = select(meters).where(meters.c.scope.in_(scopes)).order_by(meters.c.scope).with_for_update()
    return {row["scope"]: _meter(row) for row in connection.execute(query).mappings()}


def save_meters(connection: Connection, changed: Mapping[str, Meter], now: datetime) -> None:
    """Keep meters that were locked in this transaction."""
    if changed:
        names = [column.name for column in meters.c if column.name != "scope"]
        statement = update(meters).where(meters.c.scope == bindparam("of"))
        statement = statement.values({name: bindparam(name) for name in names})
        rows = [{"of": scope, "changed_at": now, **_columns(meter)} for scope, meter in changed.items()]
        connection.execute(statement, rows)


def forget_meters(connection: Connection, now: datetime) -> int:
    """Delete meters that have nothing to say any more, and return how many.

    Nothing was counted or slowed for a day: every quota is whole again, and every brake off.
    """
    return connection.execute(delete(meters).where(meters.c.changed_at < now - _OVER)).rowcount


def _columns(meter: Meter) -> dict[str, Any]:
    brake = meter.brake
    kept: dict[str, object] = {key: kept_of(bucket) for key, bucket in meter.buckets.items()}
    return {
        "buckets": kept | {_PACE: brake.pace} if brake else kept,
        "share": brake.share if brake else None,
        "slowed_at": brake.at if brake else None,
        "slowed_since": brake.since if brake else None,
        "reason": brake.reason if brake else "",
    }


def _meter(row: RowMapping) -> Meter:
    buckets = {key: bucket_of(kept) for key, kept in row["buckets"].items() if key != _PACE}
    if row["share"] is None:
        return Meter(buckets=buckets)
    brake = Brake(
        share=row["share"],
        at=row["slowed_at"],
        since=row["slowed_since"],
        reason=row["reason"],
        pace=row["buckets"][_PACE],
    )
    return Meter(buckets=buckets, brake=brake)
