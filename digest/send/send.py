"""The verb send: an edition to everybody it is for, each once, and the ledger true at every moment."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from digest.errors import StateError
from digest.model import (
    Counts,
    DeliveryState,
    EditionRecord,
    EditionState,
    Letter,
    Outcome,
    Receipt,
    Transport,
)
from digest.send.cancelled import settle_cancelled
from digest.send.letters import NOTHING_CHOSEN, Press
from digest.send.outbox import Outbox
from digest.send.run import Run
from digest.storage import addressing
from digest.storage.database import Database
from digest.storage.editions import load_edition
from digest.storage.hours import set_hours
from digest.storage.outcomes import counts, next_due
from digest.storage.queue import end_queue
from digest.storage.steps import advance
from subscribers.store import mailable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How an edition stands after a run. `next_at` is when there is more to do, if ever."""

    record: EditionRecord
    counts: Counts
    next_at: datetime | None

    @property
    def outlook(self) -> str:
        """Say in words when it goes on, or what that waits for; empty when nothing is open."""
        if self.record.paused_at:
            why = f" ({self.record.reason})" if self.record.reason else ""
            return f"paused{why}: `digest resume {self.record.edition.id}` lets it go on"
        if self.next_at is None:
            return ""
        held = self.counts.of(DeliveryState.CLAIMED, DeliveryState.WIRE)
        if held:
            return f"{held:,} are held by another sender, until {self.next_at:%H:%M:%S} UTC if it has died"
        return f"goes on at {self.next_at:%Y-%m-%d %H:%M} UTC"


def send(
    database: Database,
    edition_id: str,
    *,
    outbox: Outbox,
    clock: Callable[[], datetime],
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Counts], None] = lambda _counts: None,
) -> Sent:
    """Send what is due of an edition that is approved or being sent; any number of processes may.

    begin: approved → sending, with a delivery for everybody mailable, in one transaction
    take back what senders that died had claimed: at once on this machine, else when their lease runs out
    while something is due, and nobody says stop:
        settle the receipts so far; claim and mark a group of those that are due; commit
            where limits hold: claim a page, mark those who may go now; the others wait, and delay nobody
        make its letters, one render for each choice of topics, and hand it over
    settle the last receipts, give back what was claimed and not sent; skip it if somebody cancelled
    nothing open: sending → sent

    `stop` is asked before each group; what is on the wire then is finished, for as long as `drain`: what
    has no answer by then is in doubt. `progress` gets the counts with all that is open as queued. One
    that is sent already is left as it is; one whose letters are all refused alike is paused. Raises
    StateError for an edition that is paused or in another state, NotFoundError, TemplateError, and
    TransportError: what was not sent then waits for the next run.
    """
    with _frozen():
        record, tally = _begin(database, edition_id, outbox, clock())
        if record.state is EditionState.SENT:
            return _finish(database, edition_id, clock())
        run = Run(database, record, tally, outbox, clock=clock, stop=stop, progress=progress)
        try:
            run.carry()
        finally:
            closed_until = run.end()
    return _finish(database, edition_id, clock(), closed_until)


def send_one(transport: Transport, letter: Letter) -> Receipt:
    """Send one letter outside the ledger: a test mail, a confirmation. Raises TransportError."""
    receipts = [receipt for group in transport.carry(iter([[letter]])) for receipt in group]
    return receipts[0] if receipts else Receipt(letter.key, Outcome.UNCERTAIN, reply="no answer")


@contextmanager
def _frozen() -> Iterator[None]:
    """Leave what is there by now out of the search for garbage, which would take as long as many letters."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _begin(
    database: Database, edition_id: str, outbox: Outbox, now: datetime
) -> tuple[EditionRecord, Counts | None]:
    """Return the edition, being sent or sent, and its counts if it was addressed just now."""
    with database.write() as connection:
        try:
            record = advance(connection, edition_id, EditionState.SENDING, now)
        except StateError as error:
            record = load_edition(connection, edition_id)
            if record.paused_at or record.state not in (EditionState.SENDING, EditionState.SENT):
                raise error from None
            return record, None
        offered = outbox.offers.get(record.edition.digest, frozenset())
        readers = mailable(record.edition.digest, now, record.frequency, offered)
        addressed = addressing.address(connection, edition_id, readers, now=now)
        set_hours(connection, record.edition, now)
        press = Press(record, outbox.stationery)
        chosen = addressing.variants(connection, edition_id)
        empty = [variant for variant in chosen if not press.topics_for(variant)]
        skipped = addressing.skip_variants(connection, edition_id, empty, reason=NOTHING_CHOSEN, now=now)
    queued = (DeliveryState.QUEUED, addressed - skipped), (DeliveryState.SKIPPED, skipped)
    return record, Counts(by_state=queued)


def _finish(database: Database, edition_id: str, now: datetime, closed_until: datetime | None = None) -> Sent:
    settle_cancelled(database, edition_id, now)
    with database.write() as connection:
        end_queue(connection, edition_id)
        tally = counts(connection, edition_id)
        if not tally.open:
            with suppress(StateError):  # another sender has said so already, or it was cancelled
                advance(connection, edition_id, EditionState.SENT, now)
        record = load_edition(connection, edition_id)
        goes_on = record.state is EditionState.SENDING and not record.paused_at
        due_at = next_due(connection, edition_id) if goes_on else None
    if doubtful := tally.of(DeliveryState.UNCERTAIN):
        log.warning("%s: %d deliveries are uncertain; see `digest deliveries`", edition_id, doubtful)
    next_at = max(due_at, closed_until) if due_at and closed_until else due_at
    return Sent(record=record, counts=tally, next_at=next_at)
