"""Address an edition: create one delivery for each of its readers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import CTE, Connection, String, column, func, literal, select, update, values

from digest.model.deliveries import DeliveryState
from digest.model.editions import Edition
from digest.schedule.local_hours import copy_due_at
from digest.schedule.schedule import instant_of
from digest.storage.ledger.slices import cut, size_for
from digest.storage.tables.deliveries import deliveries
from subscribers.store.mailable import Mailable
from subscribers.store.tables import subscriptions, upsert


def address(connection: Connection, edition_id: str, mailable: Mailable, *, now: datetime) -> int:
    """Queue one delivery for each reader in `mailable`, to go at once, in slices; return how many were new.

    A reader that already has a delivery of this edition keeps it as it is.
    """
    readers = mailable.subquery("readers")
    rows = select(
        literal(edition_id),
        readers.c.subscriber_id,
        readers.c.topics,
        literal(DeliveryState.QUEUED.value),
        literal(now, deliveries.c.changed_at.type),
    ).where(literal(1) == 1)  # without a WHERE, SQLite reads the ON of ON CONFLICT as part of a join
    columns = ["edition_id", "subscriber_id", "variant", "state", "changed_at"]
    statement = upsert(connection, deliveries).from_select(columns, rows).on_conflict_do_nothing()
    count = connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount
    cut(connection, edition_id, size=size_for(count), now=now)
    return count


def variants(connection: Connection, edition_id: str) -> tuple[str, ...]:
    """Return the different choices of topics among an edition's deliveries."""
    query = select(deliveries.c.variant).where(deliveries.c.edition_id == edition_id).distinct()
    # With ORDER BY, SQLite would sort all rows before it removes the duplicates.
    return tuple(sorted(connection.scalars(query)))


def skip_variants(
    connection: Connection, edition_id: str, chosen: Sequence[str], *, reason: str, now: datetime
) -> int:
    """Skip every queued delivery with one of these choices of topics; return how many were skipped."""
    count = 0
    for at in range(0, len(chosen), 500):
        of_choice = deliveries.c.variant.in_(chosen[at : at + 500])
        queued = deliveries.c.state == DeliveryState.QUEUED
        skipped = {"state": DeliveryState.SKIPPED, "due_at": None, "reply": reason, "changed_at": now}
        these = deliveries.c.edition_id == edition_id, queued, of_choice
        count += connection.execute(update(deliveries).where(*these).values(skipped)).rowcount
    return count


_CHOICES_PER_STATEMENT = 200


def set_hours(connection: Connection, edition: Edition, now: datetime) -> int:
    """Give queued deliveries the hours that their readers chose; return how many different choices there are.

    `digest.schedule.local_hours` computes the times. An edition that is sent by hand before its time counts
    as sent `now`. A copy whose hour has come goes at once. One statement serves all readers with the same
    choices, so the cost depends on the number of different choices, not on the number of readers.
    """
    begin = min(edition.send_at, now)
    chosen = _choices(connection, edition.digest)
    dues = (
        (hour, zone or "", copy_due_at(begin, hour, zone or edition.zone, instant_of=instant_of))
        for hour, zone in chosen
    )
    later = [row for row in dues if row[2] > now]
    for at in range(0, len(later), _CHOICES_PER_STATEMENT):
        _put_off(connection, edition, _table(later[at : at + _CHOICES_PER_STATEMENT]))
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
