"""The verb send: send an edition to each of its readers once, and keep the ledger correct at every moment."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from digest.message.build import MessageBuilder, Render, rendered_by
from digest.model.deliveries import Counts
from digest.model.editions import EditionRecord, EditionState
from digest.model.messages import Message, Outcome, Receipt, Transport
from digest.send.addressing import address
from digest.send.finish import Sent, finish
from digest.send.outbox import Outbox
from digest.send.run import Ready, Run
from digest.storage.database import Database
from digest.storage.ledger.looks import kept_look


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
        record, tally = address(database, edition_id, outbox, now=clock(), seen=seen)
        if record.state is EditionState.SENT:
            return finish(database, edition_id, clock())
        run = Run(database, ready(database, record, outbox), tally, clock=clock, stop=stop, progress=progress)
        closed_until = _carry(run)
    return finish(database, edition_id, clock(), closed_until)


def send_slice(
    database: Database,
    ready: Ready,
    number: int,
    *,
    clock: Callable[[], datetime],
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Send the due deliveries of one slice of an edition, if no other sender has it; see `send`.

    Nothing happens if the edition is not being sent, or paused. The edition is not ended; see `finish`.
    """
    _carry(Run(database, ready, Counts(by_state=()), clock=clock, stop=stop, only=number))


def _carry(run: Run) -> datetime | None:
    try:
        run.carry()
    finally:
        closed_until = run.end()
    return closed_until


def ready(database: Database, record: EditionRecord, outbox: Outbox) -> Ready:
    """Return what each run needs that sends an edition; its look is read when the first email is made."""
    outbox = _as_approved(database, record, outbox)
    return Ready(record=record, outbox=outbox, builder=MessageBuilder(record, outbox.message_settings))


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


def _as_approved(database: Database, record: EditionRecord, outbox: Outbox) -> Outbox:
    """Return the outbox with the look that was approved; it is read when the first email is made."""
    look, renderer = record.look, outbox.renderer
    if look is None or renderer is None:
        return outbox

    def kept() -> Render:
        with database.read() as connection:
            return renderer(kept_look(connection, record.edition.id, look))

    return replace(outbox, message_settings=rendered_by(outbox.message_settings, kept))
