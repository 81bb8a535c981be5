"""Skip what had not been sent of a cancelled edition; what is on the wire waits for its answer."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from digest.model import DeliveryState, EditionState
from digest.storage.senders import among, held_of
from digest.storage.tables import SENDABLE, deliveries, editions, senders

CANCELLED = "the edition was cancelled"


def cancelled_unsettled(connection: Connection) -> tuple[str, ...]:
    """Return the ids of cancelled editions of which deliveries are still open, the oldest first."""
    still_open = select(deliveries.c.edition_id).where(deliveries.c.edition_id == editions.c.id, SENDABLE)
    found = select(editions.c.id).where(editions.c.state == EditionState.CANCELLED, still_open.exists())
    return tuple(connection.scalars(found.order_by(editions.c.send_at, editions.c.id)))


def skip_unsent(connection: Connection, edition_id: str, *, now: datetime, limit: int) -> int:
    """Skip up to `limit` open deliveries of a cancelled edition and return how many; of any other, none.

    Senders at work lose what they had claimed, so that they mark none of it any more.
    """
    this = editions.c.id == edition_id, editions.c.state == EditionState.CANCELLED
    if not connection.execute(select(editions.c.id).where(*this).with_for_update(key_share=True)).first():
        return 0
    # This locks their rows too: what a sender is just marking is on the wire when we look, or never is.
    connection.execute(update(senders).where(senders.c.edition_id == edition_id).values(claimed=b""))
    on_wire = among(connection, deliveries.c.subscriber_id, held_of(connection, edition_id).wire)
    unsent = (
        select(deliveries.c.subscriber_id)
        .where(deliveries.c.edition_id == edition_id, SENDABLE, ~on_wire)
        .order_by(deliveries.c.due_at, deliveries.c.subscriber_id)
        .limit(limit)
    )
    skipped = {"state": DeliveryState.SKIPPED, "code": None, "reply": CANCELLED, "changed_at": now}
    these = deliveries.c.edition_id == edition_id, deliveries.c.subscriber_id.in_(unsent)
    return connection.execute(update(deliveries).where(*these).values(skipped)).rowcount
