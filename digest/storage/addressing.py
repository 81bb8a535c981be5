"""Address an edition: one delivery for everybody it is for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, literal, select, update

from digest.model import DeliveryState
from digest.storage.queue import begin_queue
from digest.storage.tables import deliveries
from subscribers.store import Mailable
from subscribers.upsert import upsert


def address(connection: Connection, edition_id: str, mailable: Mailable, *, now: datetime) -> int:
    """Queue one delivery for everybody in `mailable`, to go at once; return how many were new.

    It is one statement. Whoever has a delivery of this edition already keeps it as it is.
    """
    begin_queue(connection, edition_id)
    readers = mailable.subquery("readers")
    rows = select(
        literal(edition_id),
        readers.c.subscriber_id,
        readers.c.topics,
        literal(DeliveryState.QUEUED.value),
        literal(now, deliveries.c.changed_at.type),
    ).where(literal(1) == 1)  # SQLite takes ON for a join's unless a WHERE stands before it
    columns = ["edition_id", "subscriber_id", "variant", "state", "changed_at"]
    statement = upsert(connection, deliveries).from_select(columns, rows).on_conflict_do_nothing()
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def variants(connection: Connection, edition_id: str) -> tuple[str, ...]:
    """Return the choices of topics an edition was addressed with."""
    query = select(deliveries.c.variant).where(deliveries.c.edition_id == edition_id).distinct()
    return tuple(sorted(connection.scalars(query)))  # SQLite would sort before it looks for what is distinct


def skip_variants(
    connection: Connection, edition_id: str, chosen: Sequence[str], *, reason: str, now: datetime
) -> int:
    """Skip every queued delivery with one of these choices of topics; return how many those were."""
    count = 0
    for at in range(0, len(chosen), 500):
        of_choice = deliveries.c.variant.in_(chosen[at : at + 500])
        queued = deliveries.c.state == DeliveryState.QUEUED
        skipped = {"state": DeliveryState.SKIPPED, "due_at": None, "reply": reason, "changed_at": now}
        these = deliveries.c.edition_id == edition_id, queued, of_choice
        count += connection.execute(update(deliveries).where(*these).values(skipped)).rowcount
    return count
