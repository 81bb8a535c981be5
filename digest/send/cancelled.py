"""Settle cancelled editions: nobody waits for a mail that never goes, and the counts say so."""

from __future__ import annotations

from datetime import datetime

from digest.send.owner import has_ended
from digest.storage.cancelled import cancelled_unsettled, skip_unsent
from digest.storage.database import Database
from digest.storage.queue import end_queue
from digest.storage.senders import expire, holders

_BATCH = 5_000  # deliveries in one transaction


def settle_cancelled(database: Database, edition_id: str, now: datetime) -> None:
    """Skip what had not been sent of an edition, if it is cancelled; any other is left alone.

    What a sender that has ended had on the wire is uncertain; what one at work has is left to it.
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
    """Settle every cancelled edition that has open deliveries: its sender died, or put some off since."""
    with database.read() as connection:
        found = cancelled_unsettled(connection)
    for edition_id in found:
        settle_cancelled(database, edition_id, now)
