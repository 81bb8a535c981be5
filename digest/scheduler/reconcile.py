"""Find slices that should be sent and have no sender, by the ledger alone, whatever the engine believes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from digest.app import App
from digest.schedule.jobs import Job, JobKind
from digest.storage.database import Connection
from digest.storage.ledger.cancelled import settle_all_cancelled
from digest.storage.ledger.senders import owners, with_nothing_open, without_sender
from digest.storage.owner import has_ended


def reconcile(app: App, now: datetime, *, watches: bool) -> int:
    """Store a job for each slice that is due and has no sender; return how many are new.

    Each node looks for slices whose senders ended on its own machine, because it alone can know that. The
    node that `watches` also looks for those whose senders have not moved them for a lease, and for editions
    that are over. A slice gets a job even if the engine says that one is being done. A job too many is
    harmless, because a sender that finds its slice taken leaves it alone.
    """
    if watches:
        settle_all_cancelled(app.database, now)
    with app.database.read() as connection:
        slices = _slices_without_sender(connection, now, watches=watches)
        over = with_nothing_open(connection) if watches else ()
    if not slices and not over:
        return 0
    ends = [Job(kind=JobKind.FINISH, subject=edition_id) for edition_id in over]
    with app.database.write() as connection:
        # Counting millions of deliveries takes longer than until the next look.
        return app.defer(connection, slices) + app.defer(connection, ends, unless_running=True)


def _slices_without_sender(connection: Connection, now: datetime, *, watches: bool) -> Sequence[Job]:
    ended = [owner for owner in owners(connection) if has_ended(owner)]
    if not ended and not watches:
        return []
    found = without_sender(connection, now, ended=ended, only_ended=not watches)
    return [slice_job(edition_id, number) for edition_id, number in found]


def slice_job(edition_id: str, number: int) -> Job:
    """Return the job that sends a slice."""
    return Job(kind=JobKind.SEND, subject=edition_id, part=str(number))
