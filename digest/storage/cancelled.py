"""Skip what had not been sent of a cancelled edition; what is on the wire waits for its answer."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, or_, select, update

from digest.model import DeliveryState, EditionState
from digest.storage.senders import among, held_of
from digest.storage.tables import SENDABLE, deliveries, editions, senders

CANCELLED = "the edition was cancelled"
_SKIPPED = {"state": DeliveryState.SKIPPED, "due_at": None, "code": None, "reply": CANCELLED}


def cancelled_unsettled(connection: Connection) -> tuple[str, ...]:
    """Return the ids of cancelled editions of which deliveries are still open, the oldest first."""
    of_edition = deliveries.c.edition_id == editions.c.id, SENDABLE
    timed = select(deliveries.c.edition_id).where(*of_edition, deliveries.c.due_at.is_not(None))
    at_once = select(deliveries.c.edition_id).where(*of_edition, deliveries.c.due_at.is_(None))
    still_open = or_(timed.exists(), and_(editions.c.at_once, at_once.exists()))
    found = select(editions.c.id).where(editions.c.state == EditionState.CANCELLED, still_open)
    return tuple(connection.scalars(found.order_by(editions.c.send_at, editions.c.id)))


def skip_unsent(
    connection: Connection, edition_id: str, *, now: datetime, after: int = -1, limit: int
) -> int | None:
    """Skip up to `limit` open deliveries of a cancelled edition behind the reader `after`.

    Return the last of them; None when there is none left, and for any other edition.
    Senders at work lose what they had claimed, so that they mark none of it any more.
    """
    this = editions.c.id == edition_id, editions.c.state == EditionState.CANCELLED
    if not connection.execute(select(editions.c.id).where(*this).with_for_update(key_share=True)).first():
        return None
    # This locks their rows too: what a sender is just marking is on the wire when we look, or never is.
    connection.execute(update(senders).where(senders.c.edition_id == edition_id).values(claimed=b""))
    on_wire = among(connection, deliveries.c.subscriber_id, held_of(connection, edition_id).wire)
    unsent = (
        select(deliveries.c.subscriber_id)
        .where(deliveries.c.edition_id == edition_id, SENDABLE, ~on_wire, deliveries.c.subscriber_id > after)
        .order_by(deliveries.c.subscriber_id)
        .limit(limit)
    )
    found = connection.scalars(unsent).all()
    these = deliveries.c.edition_id == edition_id, among(connection, deliveries.c.subscriber_id, found)
    connection.execute(update(deliveries).where(*these).values({**_SKIPPED, "changed_at": now}))
    return found[-1] if found else None
