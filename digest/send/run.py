"""One process that sends one edition: it takes slices, and marks and makes messages as the transport asks."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from digest.message.build import NOTHING_CHOSEN, MessageBuilder
from digest.model.deliveries import Counts, DeliveryState, Recipient, Result
from digest.model.editions import EditionRecord, EditionState, StepCause
from digest.model.errors import StateError
from digest.model.messages import Message, Outcome, Receipt
from digest.send.answers.refusals import CONTENT, Refusals
from digest.send.answers.retries import goes_again, result_of
from digest.send.gate import Gate
from digest.send.holding import Holding, Mark, Share
from digest.send.outbox import Outbox
from digest.send.waiting import Waiting
from digest.storage.database import Connection, Database
from digest.storage.editions.steps import pause
from digest.storage.ledger import deliveries as ledger
from digest.storage.ledger import senders, slices
from digest.storage.ledger.deliveries import Step
from digest.storage.ledger.leases import never
from digest.storage.ledger.outcomes import counts, take_back_rejected
from digest.storage.ledger.settling import settle_late
from digest.storage.owner import end as end_of_run
from digest.storage.owner import has_ended, own_name
from subscribers.store.mailable import NOW, mailable

log = logging.getLogger(__name__)

_NOT_WRITABLE = "the address cannot be written in an email"
_ENDED = frozenset(
    {DeliveryState.ACCEPTED, DeliveryState.REJECTED, DeliveryState.UNCERTAIN, DeliveryState.SKIPPED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An edition that is being sent, and what each run needs. Several threads may share the builder."""

    record: EditionRecord
    outbox: Outbox
    builder: MessageBuilder


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
        self._clock, self._stop, self._progress = clock, stop, progress
        self._edition = record.edition
        self._builder = ready.builder
        self._sender = slices.Sender(
            edition_id=record.edition.id,
            owner=own_name(),
            lease=outbox.lease,
            again=partial(goes_again, rules=outbox.rules),
            only=only,
        )
        self._renewed_at = clock()
        self._gate = Gate(outbox.limits)
        self._held = Holding()
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
            accepted = accepted or (only is not None and slices.is_accepted(connection, record.edition.id))
            self._gate.look(connection)
        self._total = tally.total
        self._ended = Counter({state: count for state, count in tally.by_state if state in _ENDED})
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
            self._waiting.surely(self._give_up)
        finally:
            end_of_run(self._sender.owner)
        return closed_until

    def _close_gate(self) -> None:
        self._gate.close(self._database, self._clock())

    # ── slices ──────────────────────────────────────────────────────────────────────────────

    def _take_slice(self) -> bool:
        """Take the slice that has been due longest; return False if there is none, or nothing may go."""
        now, edition_id = self._clock(), self._edition.id
        with self._database.write() as connection:
            slices.lock_state(connection, edition_id)
            ended = [owner for owner in senders.owners(connection, edition_id) if has_ended(owner)]
            going = ledger.is_going(connection, edition_id)
            taken = slices.take(connection, self._sender, now=now, due_by=now, ended=ended) if going else None
            due = ledger.due_in(connection, taken[0], now) if taken else []
            if taken and not due:
                slices.leave(connection, taken[0], now=now)
        if not taken:
            return False
        if due:
            self._held.add(taken[0], due)
        if taken[1]:
            log.warning("%s: took over %d deliveries of a sender that ended", edition_id, taken[1])
        return True

    def _give_up(self) -> None:
        """Give all slices back."""
        now = self._clock()
        with self._database.write() as connection:
            going = slices.lock_state(connection, self._edition.id) is EditionState.SENDING
            # After a cancellation, what may have arrived must not be skipped like the others.
            again = self._sender.again if going else never
            for share, step in self._held.steps(all_of_them=True):
                if slices.hold(connection, share.slice, step.wire, now=now):
                    slices.doubt(connection, share.slice, step.wire, again=again, now=now)
                    slices.leave(connection, share.slice, now=now)

    def _come_back(self) -> None:
        """Record the answers that were kept, after an outage: nobody knows whether the last step counts."""
        now = self._clock()
        self._held.begin_again()
        with self._database.write() as connection:
            slices.keep_only(connection, self._sender, self._held.numbers, now=now)
            steps = self._held.steps(all_of_them=True)
            # An answer that is recorded already must not count as another try.
            lost = self._write(connection, [_unrecorded(connection, *each) for each in steps], now)
            self._gate.begin_again(connection, now)
        self._after_commit(steps, lost, (), now)

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
            if not self._take_slice():
                return None
        return found

    def _take(self, now: datetime) -> list[Message] | None:
        """Mark a group, without limits; None when nobody is due."""
        group = self._next_due(self._outbox.next_group())
        if group is None:
            return None
        renew = self._lease_is_old(now)
        with self._database.write() as connection:
            marks = self._marks(connection, [group], now)
            steps = self._held.steps(marks, all_of_them=renew)
            lost = self._write(connection, steps, now)
        self._after_commit(steps, lost, marks, now if renew else self._renewed_at)
        return self._hand_over(marks, lost) if marks else None

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

    def _hand_over(self, marks: Sequence[Mark], lost: Sequence[Share]) -> list[Message]:
        """Make the messages of marks that are committed."""
        kept = [mark for mark in marks if mark.share not in lost]
        try:
            return [message for mark in kept for message in self._messages(mark)]
        except BaseException:
            # No message of this group has been handed over. Without this, the whole group would become
            # uncertain because of an error in a template.
            self._held.let_go(kept)
            with self._database.write() as connection:
                steps = self._held.steps(all_of_them=True)
                self._write(connection, steps, self._clock())
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
        if self._held.unwritten >= self._outbox.page or self._lease_is_old(now):
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
            steps = self._held.steps()
            lost = self._write(connection, steps, now)
            taken_back = take_back_rejected(connection, self._edition.id, self._refusals.rejected, now=now)
        self._is_paused = True
        self._after_commit(steps, lost, (), self._renewed_at)
        self._ended[DeliveryState.REJECTED] -= taken_back
        log.error("%s is paused: %s", self._edition.id, self._alarm)

    def _settle(self, now: datetime | None = None, mark: Sequence[Recipient] = ()) -> list[Message]:
        """Record all results so far, and mark readers who waited at the gate; return their messages."""
        now = now or self._clock()
        renew = self._lease_is_old(now)
        self._record_late(now)
        if not (mark or renew or self._held.steps()):
            return []
        with self._database.write() as connection:
            marks = self._marks(connection, self._held.waiting(mark), now)
            steps = self._held.steps(marks, all_of_them=renew)
            lost = self._write(connection, steps, now)
        self._after_commit(steps, lost, marks, now if renew else self._renewed_at)
        gone = [reader for each in marks if each.share not in lost for reader in each.readers]
        self._gate.spend(gone, now)
        return self._hand_over(marks, lost)

    def _record_late(self, now: datetime) -> None:
        """Record the answers that came after another sender had taken their slice."""
        if late := self._held.late:
            with self._database.write() as connection:
                settle_late(connection, self._edition.id, self._sender.owner, late, now=now)
            self._held.late_written()

    @staticmethod
    def _write(connection: Connection, steps: Sequence[tuple[Share, Step]], now: datetime) -> list[Share]:
        """Write steps; return the slices that another sender has taken, for which nothing was written."""
        return [share for share, step in steps if not ledger.write(connection, step, now=now)]

    def _after_commit(
        self,
        steps: Sequence[tuple[Share, Step]],
        lost: Sequence[Share],
        marks: Sequence[Mark],
        renewed_at: datetime,
    ) -> None:
        self._held.written(steps, lost, marks)
        self._renewed_at = renewed_at
        for share in lost:
            log.warning("%s: another sender has taken slice %d", self._edition.id, share.slice.number)
        states = Counter(
            result.state for share, step in steps if share not in lost for result in step.results
        )
        if states:
            self._ended.update({state: states[state] for state in states.keys() & _ENDED})
            tally = Counter({DeliveryState.QUEUED: self._total - self._ended.total(), **self._ended})
            self._progress(Counts(by_state=tuple((state, tally[state]) for state in DeliveryState)))

    def _lease_is_old(self, now: datetime) -> bool:
        # If the clock was put back, nobody knows how long ago that was.
        return abs(now - self._renewed_at) > self._outbox.lease / 3


def _unrecorded(connection: Connection, share: Share, step: Step) -> tuple[Share, Step]:
    """Return a step with those answers whose deliveries the ledger still has on the wire."""
    wire = slices.wire_of(connection, share.slice) or frozenset()
    return share, replace(step, results=[each for each in step.results if each.key in wire or not each.tried])
