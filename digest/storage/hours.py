"""Set when each reader's copy of an edition is due, where readers have chosen an hour of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import CTE, Connection, String, column, func, select, update, values

from digest.model import DeliveryState, Edition
from digest.schedule import instant_of
from digest.storage.tables import deliveries
from subscribers.local_hours import copy_due_at
from subscribers.tables import subscriptions

_AT_ONCE = 200  # choices in one statement


def set_hours(connection: Connection, edition: Edition, now: datetime) -> int:
    """Put queued deliveries off to the hours their readers chose; return how many choices differ.

    See `subscribers.local_hours` for when that is; an edition sent by hand ahead of its time is out `now`.
    A copy whose hour has come goes at once.
    A statement is for many readers: what counts is how many choices differ, not how many readers there are.
    """
    begin = min(edition.send_at, now)
    chosen = _choices(connection, edition.digest)
    dues = (
        (hour, zone or "", copy_due_at(begin, hour, zone or edition.zone, instant_of=instant_of))
        for hour, zone in chosen
    )
    later = [row for row in dues if row[2] > now]
    for at in range(0, len(later), _AT_ONCE):
        _put_off(connection, edition, _table(later[at : at + _AT_ONCE]))
    return len(chosen)


def _choices(connection: Connection, digest: str) -> list[tuple[str, str | None]]:
    pair = subscriptions.c.hour, subscriptions.c.zone
    of_digest = subscriptions.c.digest == digest, subscriptions.c.hour.is_not(None)
    return [(hour, zone) for hour, zone in connection.execute(select(*pair).where(*of_digest).distinct())]


def _table(rows: Sequence[tuple[str, str, datetime]]) -> CTE:
    kind = deliveries.c.due_at.type
    columns = column("hour", String), column("zone", String), column("at", kind)
    return values(*columns, name="choice").data(list(rows)).cte("choice")


def _put_off(connection: Connection, edition: Edition, choice: CTE) -> None:
    due = (
        select(subscriptions.c.subscriber_id, choice.c.at)
        .join(
            choice,
            (choice.c.hour == subscriptions.c.hour)
            & (choice.c.zone == func.coalesce(subscriptions.c.zone, "")),
        )
        .where(subscriptions.c.digest == edition.digest)
        .subquery("due")
    )
    queued = deliveries.c.edition_id == edition.id, deliveries.c.state == DeliveryState.QUEUED
    connection.execute(
        update(deliveries)
        .where(*queued, deliveries.c.subscriber_id == due.c.subscriber_id)
        .values(due_at=due.c.at)
    )
