"""Clean up after a run of a sender, and end an edition of which nothing is open."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from digest.model.deliveries import Counts, DeliveryState
from digest.model.editions import EditionRecord, EditionState, StepCause
from digest.model.errors import StateError
from digest.send.dead_mailboxes import note_dead_mailboxes
from digest.storage.database import Database
from digest.storage.editions.records import load_edition, lock_edition
from digest.storage.editions.steps import advance
from digest.storage.ledger.cancelled import settle_cancelled
from digest.storage.ledger.outcomes import counts
from digest.storage.ledger.senders import next_look, owners

log = logging.getLogger(__name__)

_ENDING = (EditionState.SENDING, EditionState.SENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The state of an edition after a run. `next_at` is when there is more to do; None if never."""

    record: EditionRecord
    counts: Counts
    next_at: datetime | None
    others: int  # senders that are at work on it
    dead: str = ""  # a phrase about readers whose mailbox no longer exists; empty if there are none

    @property
    def trouble(self) -> str:
        """Say that most messages were rejected; empty if they were not."""
        rejected, accepted = self.counts.of(DeliveryState.REJECTED), self.counts.of(DeliveryState.ACCEPTED)
        if rejected <= accepted:
            return ""
        shown = f"`digest deliveries {self.record.edition.id} --state rejected` shows the answers"
        return f"most messages were rejected, {rejected:,} of {self.counts.total:,}; {shown}"

    @property
    def outlook(self) -> str:
        """Say in words when sending continues, or what it waits for; empty when nothing is open."""
        if self.record.paused_at:
            why = f" ({self.record.reason})" if self.record.reason else ""
            return f"paused{why}: run `digest resume {self.record.edition.id}` to continue"
        if self.next_at is None:
            return ""
        if self.others:
            return f"another sender is at work; if it has died, this goes on at {self.next_at:%H:%M:%S} UTC"
        return f"continues at {self.next_at:%Y-%m-%d %H:%M} UTC"


def finish(database: Database, edition_id: str, now: datetime, closed_until: datetime | None = None) -> Sent:
    """Clean up after a run, and end the edition if none of its deliveries is open. Raises NotFoundError."""
    # After a cancellation, a message that was deferred left its delivery open.
    settle_cancelled(database, edition_id, now)
    with database.read() as connection:
        tally = counts(connection, edition_id)
        over = not tally.open and next_look(connection, edition_id) is None
        ends = over and load_edition(connection, edition_id).state in _ENDING
    # Dead mailboxes are recorded before the edition is `sent`. If this process dies in between, the next run
    # records them again, which changes nothing.
    dead = note_dead_mailboxes(database, edition_id, tally, now=now) if ends else ""
    with database.write() as connection:
        # An operator may have queued deliveries again since the count (`digest retry`). While the edition is
        # locked, nobody queues any between the second look and the step.
        if ends:
            lock_edition(connection, edition_id)
        if ends and next_look(connection, edition_id) is None:
            with suppress(StateError):  # another sender was faster, or the edition was cancelled
                advance(connection, edition_id, EditionState.SENT, StepCause(at=now))
        record = load_edition(connection, edition_id)
        goes_on = record.state is EditionState.SENDING and not record.paused_at
        due_at = next_look(connection, edition_id) if goes_on else None
        others = len(owners(connection, edition_id))
    if uncertain := tally.of(DeliveryState.UNCERTAIN):
        log.warning("%s: %d deliveries are uncertain; see `digest deliveries`", edition_id, uncertain)
    next_at = max(due_at, closed_until) if due_at and closed_until else due_at
    return Sent(record=record, counts=tally, next_at=next_at, others=others, dead=dead)
