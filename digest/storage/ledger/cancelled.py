"""Skip the unsent deliveries of a cancelled edition; deliveries on the wire wait for their answers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, or_, select, update

from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState
from digest.storage.database import Database
from digest.storage.ledger.owner import has_ended
from digest.storage.ledger.queue import end_queue
from digest.storage.ledger.senders import among, expire, held_of, holders
from digest.storage.tables.deliveries import SENDABLE, deliveries, senders
from digest.storage.tables.editions import editions

CANCELLED = "the edition was cancelled"
_SKIPPED = {"state": DeliveryState.SKIPPED, "due_at": None, "code": None, "reply": CANCELLED}


def cancelled_unsettled(connection: Connection) -> tuple[str, ...]:
    """Return the ids of cancelled editions that still have open deliveries, oldest first."""
    of_edition = deliveries.c.edition_id == editions.c.id, SENDABLE
    timed = select(deliveries.c.edition_id).where(*of_edition, deliveries.c.due_at.is_not(None))
    at_once = select(deliveries.c.edition_id).where(*of_edition, deliveries.c.due_at.is_(None))
    # Without the column `at_once`, this would search all deliveries of each cancelled edition.
    still_open = or_(timed.exists(), and_(editions.c.at_once, at_once.exists()))
    found = select(editions.c.id).where(editions.c.state == EditionState.CANCELLED, still_open)
    return tuple(connection.scalars(found.order_by(editions.c.send_at, editions.c.id)))


def skip_unsent(
    connection: Connection, edition_id: str, *, now: datetime, after: int = -1, limit: int
) -> int | None:
    """Skip up to `limit` open deliveries of a cancelled edition, after the reader `after`.

    Return the last reader; None when no delivery is left, and if the edition is not cancelled. Senders lose
    their claims, so they mark none of them any more.
    """
    # The lock on the edition keeps its senders from claiming in the meantime.
    this = editions.c.id == edition_id, editions.c.state == EditionState.CANCELLED
    if not connection.execute(select(editions.c.id).where(*this).with_for_update(key_share=True)).first():
        return None
    # This also locks the senders' rows. A delivery that is being marked at this moment is either on the wire
    # when we look, or will never be.
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


_BATCH = 5_000  # deliveries in one transaction


def settle_cancelled(database: Database, edition_id: str, now: datetime) -> None:
    """Skip the unsent deliveries of an edition if it is cancelled; do nothing for any other edition.

    Deliveries that a dead sender had on the wire become uncertain. Deliveries on the wire of a sender that is
    still running are left to that sender.
    """
    with database.write() as connection:
        if edition_id not in cancelled_unsettled(connection):
            return
        ended = [owner for owner in holders(connection, edition_id) if has_ended(owner)]
        expire(connection, edition_id, now=now, ended=ended)
    last: int | None = -1
    while last is not None:
        with database.write() as connection:
            last = skip_unsent(connection, edition_id, now=now, after=last, limit=_BATCH)
            if last is None:
                end_queue(connection, edition_id)


def settle_all_cancelled(database: Database, now: datetime) -> None:
    """Skip the open deliveries of every cancelled edition.

    Deliveries can be open after a cancellation because a sender died, or because a message was deferred.
    """
    with database.read() as connection:
        found = cancelled_unsettled(connection)
    for edition_id in found:
        settle_cancelled(database, edition_id, now)
