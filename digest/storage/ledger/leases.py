"""Measure leases by one clock: the database's on PostgreSQL, and the caller's on SQLite.

The clocks of nodes differ, so a node's own time must not decide whether another sender is alive.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Interval, case, func, literal, select

from digest.storage.tables.schedules import WATCH_RESUMED, reports
from subscribers.store.tables import Moment

Again = Callable[[int], bool]  # by the number of tries: whether a message without an answer is sent again
LEASE = timedelta(minutes=2)
NO_ANSWER = "the sender ended before the server answered"
CLOCK = func.clock_timestamp(type_=Moment())


def never(_tries: int) -> bool:
    """Leave every message without an answer in doubt."""
    return False


def by_caller(connection: Connection) -> bool:
    """Tell whether leases go by the caller's `now`; see `Database.leases_by_caller`."""
    return bool(connection.get_execution_options()["digest_leases_by_caller"])


def lease_time(connection: Connection, now: datetime) -> Any:
    """Return the time by the clock that leases go by."""
    return now if by_caller(connection) else CLOCK


def lease_end(connection: Connection, lease: timedelta, now: datetime) -> Any:
    """Return when a lease that begins now will end, by the clock that leases go by."""
    return now + lease if by_caller(connection) else CLOCK + literal(lease, Interval)


def is_stale(
    connection: Connection, moved_at: ColumnElement[Any], lease: timedelta, now: datetime
) -> ColumnElement[bool]:
    """Return the condition that a row has not moved for a lease, by the clock that leases go by.

    Nobody can move a row while PostgreSQL is away. So no row is stale within one `lease` after it came back,
    and every living sender can record its answers first.
    """
    if by_caller(connection):
        return moved_at <= now - lease
    return func.greatest(moved_at, _back_since()) + literal(lease, Interval) <= CLOCK


def ran_out(
    connection: Connection, lease_until: ColumnElement[Any], lease: timedelta, now: datetime
) -> ColumnElement[bool]:
    """Return the condition that a lease has run out; none does within one `lease` after an outage."""
    if by_caller(connection):
        return lease_until <= now
    return func.greatest(lease_until, _back_since() + literal(lease, Interval)) <= CLOCK


def _back_since() -> Any:
    """Return since when PostgreSQL has not been away for long.

    That is its start, or the end of the last gap in the watch of the nodes: a standby that was promoted, or a
    server that nobody could reach, started long ago. A time that is later than now does not count, because
    the clock was put back since: it would keep all leases from running out until then.
    """
    started_at = func.pg_postmaster_start_time(type_=Moment())
    resumed = select(reports.c.at).where(reports.c.subject == WATCH_RESUMED, reports.c.at <= CLOCK)
    return func.greatest(case((started_at <= CLOCK, started_at)), resumed.scalar_subquery())
