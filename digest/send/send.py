"""The verb send: send an edition to each of its readers once, and keep the ledger correct at every moment."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime

from digest.message.build import NOTHING_CHOSEN, MessageBuilder, Render, rendered_by
from digest.model.deliveries import Counts, DeliveryState
from digest.model.editions import EditionRecord, EditionState, StepCause
from digest.model.errors import StateError
from digest.model.messages import Message, Outcome, Receipt, Transport
from digest.send.dead_mailboxes import note_dead_mailboxes
from digest.send.outbox import Outbox
from digest.send.run import Run
from digest.storage.database import Database
from digest.storage.editions.records import load_edition, lock_edition
from digest.storage.editions.steps import advance, advance_seen
from digest.storage.ledger import addressing
from digest.storage.ledger.addressing import set_hours
from digest.storage.ledger.cancelled import settle_cancelled
from digest.storage.ledger.looks import kept_look
from digest.storage.ledger.outcomes import counts
from digest.storage.ledger.slices import next_look, owners
from subscribers.store.mailable import mailable

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


def send(
    database: Database,
    edition_id: str,
    *,
    outbox: Outbox,
    clock: Callable[[], datetime],
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Counts], None] = lambda _counts: None,
    seen: EditionRecord | None = None,
) -> Sent:
    """Send the due deliveries of an edition that is approved or being sent; several processes may do so.

    begin: approved → sending, with a delivery for each mailable reader, in slices, in one transaction; one
        statement does it if the edition is approved, not paused, and has the snapshot and look of `seen`
    while a slice is due, and `stop` does not say so:
        take it: a free one, or that of a dead sender, at once on this machine, otherwise after its lease
        record the receipts so far; mark a group of due deliveries; commit
            with limits: mark the readers who may go now; the others wait, and delay nobody
        make the group's messages, one rendering for each choice of topics, and hand them over; every sender
            uses the look that was approved, whatever the templates are by now
    record the last receipts; give the slices back; skip what is open if the edition was cancelled
    if nothing is open: sending → sent

    `stop` is called before each group. After a stop, answers to messages on the wire are awaited for
    `drain`; messages without an answer become uncertain. `progress` gets the counts, with everything open
    counted as queued. An edition that is already sent is left as it is. An edition whose messages are
    refused because of us is paused. Raises StateError for an edition that is paused or in another
    state, NotFoundError, TemplateError, and TransportError; unsent deliveries then wait for the next run.
    """
    with _frozen():
        record, tally = _begin(database, edition_id, outbox, clock(), seen)
        if record.state is EditionState.SENT:
            return _finish(database, edition_id, clock())
        outbox = _as_approved(database, record, outbox)
        run = Run(database, record, tally, outbox, clock=clock, stop=stop, progress=progress)
        try:
            run.carry()
        finally:
            closed_until = run.end()
    return _finish(database, edition_id, clock(), closed_until)


def send_one(transport: Transport, message: Message) -> Receipt:
    """Send one message outside the ledger, such as a test email or a confirmation. Raises TransportError."""
    receipts = [receipt for group in transport.carry(iter([[message]])) for receipt in group]
    return receipts[0] if receipts else Receipt(message.key, Outcome.UNCERTAIN, reply="no answer")


@contextmanager
def _frozen() -> Iterator[None]:
    """Keep the objects that exist now out of garbage collection.

    Each full collection would look at all of them, which takes as long as sending many messages.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _begin(
    database: Database, edition_id: str, outbox: Outbox, now: datetime, seen: EditionRecord | None
) -> tuple[EditionRecord, Counts | None]:
    """Return the edition, which is sending or sent, and its counts if it was addressed just now."""
    # One transaction: after a crash, the edition is either still approved, or addressed to all readers.
    with database.write() as connection:
        try:
            to, cause = EditionState.SENDING, StepCause(at=now)
            if seen:
                record = advance_seen(connection, seen, to, cause)
            else:
                record = advance(connection, edition_id, to, cause)
        except StateError as error:
            record = load_edition(connection, edition_id)
            if record.paused_at or record.state not in (EditionState.SENDING, EditionState.SENT):
                raise error from None
            return record, None
        offered = outbox.offers.get(record.edition.digest, frozenset())
        readers = mailable(record.edition.digest, now, record.frequency, offered)
        addressed = addressing.address(connection, edition_id, readers, now=now)
        set_hours(connection, record.edition, now)
        builder = MessageBuilder(record, outbox.message_settings)
        chosen = addressing.variants(connection, edition_id)
        empty = [variant for variant in chosen if not builder.topics_for(variant)]
        skipped = addressing.skip_variants(connection, edition_id, empty, reason=NOTHING_CHOSEN, now=now)
    queued = (DeliveryState.QUEUED, addressed - skipped), (DeliveryState.SKIPPED, skipped)
    return record, Counts(by_state=queued)


def _as_approved(database: Database, record: EditionRecord, outbox: Outbox) -> Outbox:
    """Return the outbox with the look that was approved; it is read when the first email is made."""
    look, renderer = record.look, outbox.renderer
    if look is None or renderer is None:
        return outbox

    def kept() -> Render:
        with database.read() as connection:
            return renderer(kept_look(connection, record.edition.id, look))

    return replace(outbox, message_settings=rendered_by(outbox.message_settings, kept))


def _finish(database: Database, edition_id: str, now: datetime, closed_until: datetime | None = None) -> Sent:
    """Clean up after a run, and end the edition if none of its deliveries is open."""
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
