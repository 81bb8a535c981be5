"""One process that sends one edition: it takes slices, and marks and makes messages as the transport asks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from digest.message.build import NOTHING_CHOSEN, MessageBuilder
from digest.model.deliveries import Counts, DeliveryState, Recipient, Result
from digest.model.editions import EditionRecord, StepCause
from digest.model.errors import StateError
from digest.model.messages import Message, Outcome, Receipt
from digest.send.answers.refusals import CONTENT, Refusals
from digest.send.answers.retries import goes_again, result_of
from digest.send.gate import Gate
from digest.send.holding import Mark, Share
from digest.send.outbox import Outbox
from digest.send.slices import OwnSlices, RunCounts, Written
from digest.send.waiting import Waiting
from digest.storage.database import Connection, Database
from digest.storage.editions.steps import pause
from digest.storage.ledger import deliveries as ledger
from digest.storage.ledger.outcomes import counts, take_back_rejected
from digest.storage.ledger.slices import Sender, is_accepted
from digest.storage.owner import note_end, own_name
from subscribers.store.mailable import NOW, mailable

log = logging.getLogger(__name__)

_NOT_WRITABLE = "the address cannot be written in an email"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An edition that is being sent, and what each run needs. Several threads may share the builder."""

    record: EditionRecord
    outbox: Outbox
    builder: MessageBuilder

    def sender(self, only: int | None) -> Sender:
        """Return the sender of a new run, which takes only one slice if `only` is its number."""
        outbox = self.outbox
        return Sender(
            edition_id=self.record.edition.id,
            owner=own_name(),
            lease=outbox.lease,
            again=partial(goes_again, rules=outbox.rules),
            only=only,
        )


class Run:
    """One run of a sender, for all slices of an edition or for one.

    While the database is away, nothing is handed out, and answers are kept.
    Call `end` after `carry`, even if `carry` raised.
    """

    def __init__(
        self,
        database: Database,
        ready: Ready,
        tally: Counts | None,
        *,
        clock: Callable[[], datetime],
        stop: Callable[[], bool],
        progress: Callable[[Counts], None] = lambda _counts: None,
        only: int | None = None,
    ) -> None:
        record, outbox = ready.record, ready.outbox
        self._database = database
        self._outbox = outbox
        self._clock, self._stop = clock, stop
        self._edition = record.edition
        self._builder = ready.builder
        self._gate = Gate(outbox.limits)
        # The frequency is not checked again. Otherwise a reader who changes it at noon would lose the email
        # that is due in the evening.
        self._readers = mailable(self._edition.digest, NOW)
        self._handed = 0  # messages handed to the transport
        self._alarm = ""  # the reason for a pause that is not in the database yet
        self._is_paused = False  # by this run
        self._waiting = Waiting(database, outbox, self._come_back, clock=clock, stop=stop)
        with database.read() as connection:
            tally = tally or counts(connection, record.edition.id)
            accepted = tally.of(DeliveryState.ACCEPTED) > 0
            accepted = accepted or (only is not None and is_accepted(connection, record.edition.id))
            self._gate.look(connection)
        sender = ready.sender(only)
        self._owner = sender.owner
        self._counts = RunCounts(tally, progress)
        self._slices = OwnSlices(database, sender, self._counts, now=clock())
        self._held = self._slices.held
        self._refusals = Refusals(accepted_before=accepted)

    def carry(self) -> None:
        """Send until nothing is due or `stop` says so."""
        handed = -1
        # We look again after the last answers: a delivery may have come back, or a sender may have died. A
        # pass that hands over nothing ends the run.
        while handed != self._handed and not self._stop():
            handed = self._handed
            with closing(self._outbox.transport.carry(self._groups())) as answers:
                for receipts in answers:
                    self._note(receipts)
                    if self._waiting.has_drained_enough():
                        log.warning("%s: stopped while messages had no answer yet", self._edition.id)
                        break
            self._waiting.surely(self._settle)

    def end(self) -> datetime | None:
        """Record all results and give up the slices; unanswered messages on the wire become uncertain.

        Return when the limits next let a message go; None if that is now. Raises OutageError after a stop, if
        the database does not come back in time.
        """
        try:
            self._waiting.surely(self._settle)
            self._alarm = self._alarm or self._refusals.alarm(self._clock(), at_the_end=True)
            self._waiting.surely(self._pause_if_refused)
            self._waiting.surely(self._close_gate)
            closed_until = self._gate.closed_until(self._clock())
            self._put_off(self._clock())
            self._waiting.surely(self._settle)
            self._waiting.surely(lambda: self._slices.give_up(self._clock()))
        finally:
            note_end(self._owner)
        return closed_until

    def _close_gate(self) -> None:
        self._gate.close(self._database, self._clock())

    def _come_back(self) -> None:
        """Record the answers that were kept during an outage."""
        now = self._clock()
        with self._database.write() as connection:
            written = self._slices.write_again(connection, now)
            self._gate.begin_again(connection, now)
        self._slices.committed(written)

    # ── groups ──────────────────────────────────────────────────────────────────────────────

    def _groups(self) -> Iterator[Sequence[Message]]:
        while not self._stop():
            messages = self._waiting.unless_away(self._next_group, otherwise=())
            if messages:
                self._handed += len(messages)
                yield messages
            elif self._waiting.is_away or self._gate.rests(self._clock()):
                yield ()  # the transport asks again soon, and handles answers in the meantime
            elif messages is None:
                return

    def _next_group(self) -> Sequence[Message] | None:
        now = self._clock()
        return self._take(now) if self._gate.is_open else self._pick(now)

    def _next_due(self, most: int) -> tuple[Share, list[int]] | None:
        """Return the next deliveries of a slice, which is taken if need be; None if nothing is due."""
        while (found := self._held.next(most, self._clock())) is None:
            if not self._slices.take(self._clock()):
                return None
        return found

    def _take(self, now: datetime) -> list[Message] | None:
        """Mark a group, without limits; None when nobody is due."""
        group = self._next_due(self._outbox.next_group())
        if group is None:
            return None
        with self._database.write() as connection:
            written = self._slices.write(connection, now, self._marks(connection, [group], now))
        self._slices.committed(written)
        return self._hand_over(written) if written.marks else None

    def _pick(self, now: datetime) -> list[Message] | None:
        """Mark a group of readers that the limits let go now; None when nobody is due or may go."""
        wanted = self._gate.wanted(self._outbox.page, now)
        found = wanted > 0 and self._let_wait(wanted)
        self._gate.replenish(self._database, now)
        group = self._gate.next_group(self._outbox.next_group(), now)
        if not group:
            return [] if found else None
        return self._settle(now, mark=group)

    def _let_wait(self, wanted: int) -> bool:
        """Let the next readers wait at the gate; return whether anything was due."""
        now, found = self._clock(), self._next_due(wanted)
        with self._database.read() as connection:
            self._gate.look(connection)
            page = found and self._mark(connection, *found, now)
        self._gate.let_wait(page.readers if page else None, now)
        if page:
            self._held.let_wait(page)
        self._put_off(now)
        return page is not None

    def _put_off(self, now: datetime) -> None:
        late = [(reader.subscriber_id, due_at) for reader, due_at in self._gate.late(now)]
        self._held.put_off(late)

    def _marks(
        self, connection: Connection, group: Sequence[tuple[Share, list[int]]], now: datetime
    ) -> list[Mark]:
        """Return the marks for a group of deliveries; none if the edition is paused or not being sent."""
        going = bool(group) and ledger.is_going(connection, self._edition.id)
        return [self._mark(connection, share, due, now) for share, due in group] if going else []

    def _mark(self, connection: Connection, share: Share, due: list[int], now: datetime) -> Mark:
        readers = ledger.recipients(connection, self._readers, self._edition.id, due, now)
        return Mark(share=share, due=due, readers=readers)

    # ── messages ────────────────────────────────────────────────────────────────────────────

    def _hand_over(self, written: Written) -> list[Message]:
        """Make the messages of marks that are committed."""
        try:
            return [message for mark in written.kept for message in self._messages(mark)]
        except BaseException:
            # No message of this group has been handed over. Without this, the whole group would become
            # uncertain because of an error in a template.
            self._held.let_go(written.kept)
            with self._database.write() as connection:
                let_go = self._slices.write(connection, self._clock(), everything=True)
            self._slices.committed(let_go)
            raise

    def _messages(self, mark: Mark) -> Iterator[Message]:
        for reader in mark.readers:
            try:
                message = self._builder.message(reader)
            except ValueError:
                refused = DeliveryState.REJECTED, None, None, _NOT_WRITABLE
                self._held.conclude(Result(reader.subscriber_id, *refused))
                continue
            if message:
                yield message
            else:
                nothing = DeliveryState.SKIPPED, None, None, NOTHING_CHOSEN
                self._held.conclude(Result(reader.subscriber_id, *nothing))

    # ── answers ─────────────────────────────────────────────────────────────────────────────

    def _note(self, receipts: Sequence[Receipt]) -> None:
        now, rules = self._clock(), self._outbox.rules
        before = refusals = self._refusals
        on_wire, conclude = self._held.on_wire, self._held.conclude
        for receipt in receipts:
            accepted = receipt.outcome is Outcome.ACCEPTED
            if found := on_wire.get(receipt.key):
                tries = found[1].tries + 1
                conclude(result_of(receipt, tries=tries, now=now, rules=rules, alike=refusals.alike))
                if not accepted:
                    self._gate.hear(receipt, found[1].address)
            if not accepted or refusals is not CONTENT:
                refusals = refusals.after(receipt)
        if refusals is not before:
            self._refusals = refusals
            self._alarm = self._alarm or refusals.alarm(now)
        self._waiting.unless_away(self._pause_if_refused, otherwise=None)
        if self._held.unwritten >= self._outbox.page or self._slices.lease_is_old(now):
            self._waiting.unless_away(self._settle, otherwise=None)

    def _pause_if_refused(self) -> None:
        """Pause the edition if there is an alarm; the messages that were rejected in its row wait again."""
        if not self._alarm or self._is_paused:
            return
        now = self._clock()
        with self._database.write() as connection:
            # Another process may have paused or cancelled the edition already, which is just as good.
            with suppress(StateError):
                pause(connection, self._edition.id, StepCause(at=now, why=self._alarm))
            written = self._slices.write(connection, now)
            taken_back = take_back_rejected(connection, self._edition.id, self._refusals.rejected, now=now)
        self._is_paused = True
        self._slices.committed(written)
        self._counts.take_back_rejected(taken_back)
        log.error("%s is paused: %s", self._edition.id, self._alarm)

    def _settle(self, now: datetime | None = None, mark: Sequence[Recipient] = ()) -> list[Message]:
        """Record all results so far, and mark readers who waited at the gate; return their messages."""
        now = now or self._clock()
        self._slices.write_late(now)
        if not (mark or self._slices.must_write(now)):
            return []
        with self._database.write() as connection:
            marks = self._marks(connection, self._held.waiting(mark), now)
            written = self._slices.write(connection, now, marks)
        self._slices.committed(written)
        self._gate.spend([reader for each in written.kept for reader in each.readers], now)
        return self._hand_over(written)
