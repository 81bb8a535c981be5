"""Skip the unsent deliveries of a cancelled edition; deliveries on the wire wait for their answers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState
from digest.storage.database import Database
from digest.storage.ledger.senders import owners
from digest.storage.ledger.slices import Sender, leave, lock_state, open_in, take
from digest.storage.owner import has_ended
from digest.storage.tables.deliveries import deliveries, slices
from digest.storage.tables.editions import editions

CANCELLED = "the edition was cancelled"
_SKIPPED = {"state": DeliveryState.SKIPPED, "due_at": None, "code": None, "reply": CANCELLED}
_OWNER = "cancellation"


def cancelled_unsettled(connection: Connection) -> tuple[str, ...]:
    """Return the ids of cancelled editions that still have open deliveries, oldest first."""
    is_open = select(slices.c.number).where(
        slices.c.edition_id == editions.c.id, slices.c.due_at.is_not(None)
    )
    found = select(editions.c.id).where(editions.c.state == EditionState.CANCELLED, is_open.exists())
    return tuple(connection.scalars(found.order_by(editions.c.send_at, editions.c.id)))


def settle_cancelled(database: Database, edition_id: str, now: datetime) -> None:
    """Skip the unsent deliveries of an edition if it is cancelled; do nothing for any other edition.

    Deliveries that a dead sender had on the wire become uncertain. A slice of a sender that is still running
    is left to it: the sender stops with its next group, and skips the rest of the slice when it ends.
    """
    while _skip_slice(database, edition_id, now):
        pass


def _skip_slice(database: Database, edition_id: str, now: datetime) -> bool:
    """Skip the open deliveries of one free slice; return whether there was one."""
    with database.write() as connection:
        if lock_state(connection, edition_id) is not EditionState.CANCELLED:
            return False
        ended = [owner for owner in owners(connection, edition_id) if has_ended(owner)]
        cancelling = Sender(edition_id=edition_id, owner=_OWNER)
        taken = take(connection, cancelling, now=now, due_by=None, ended=ended)
        if taken is None:
            return False
        held, _ = taken
        unsent = update(deliveries).where(open_in(held))
        connection.execute(unsent.values({**_SKIPPED, "changed_at": now}))
        leave(connection, held, now=now)
    return True


def settle_all_cancelled(database: Database, now: datetime) -> None:
    """Skip the open deliveries of every cancelled edition.

    Deliveries can be open after a cancellation because a sender died, or because a message was deferred.
    """
    with database.read() as connection:
        found = cancelled_unsettled(connection)
    for edition_id in found:
        settle_cancelled(database, edition_id, now)
