"""One process that sends one edition: it claims, marks and makes messages as the transport asks for them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime
from functools import partial
from operator import attrgetter

from digest.message.build import NOTHING_CHOSEN, MessageBuilder
from digest.model.deliveries import Counts, DeliveryState, Recipient, Result
from digest.model.editions import EditionRecord, StepCause
from digest.model.errors import StateError
from digest.model.messages import Message, Outcome, Receipt
from digest.send.gate import Gate
from digest.send.outbox import Outbox
from digest.send.refusals import CONTENT, Refusals
from digest.send.retries import goes_again, result_of
from digest.send.waiting import Waiting
from digest.storage.database import Database
from digest.storage.editions.steps import pause
from digest.storage.ledger import deliveries as ledger
from digest.storage.ledger import senders
from digest.storage.ledger.outcomes import counts, take_back_rejected
from digest.storage.ledger.owner import end as end_of_run
from digest.storage.ledger.owner import has_ended, own_name
from digest.storage.ledger.queue import START
from subscribers.store.mailable import NOW, mailable

log = logging.getLogger(__name__)

_NOT_WRITABLE = "the address cannot be written in an email"
_ENDED = frozenset(
    {DeliveryState.ACCEPTED, DeliveryState.REJECTED, DeliveryState.UNCERTAIN, DeliveryState.SKIPPED}
)
_STATE = attrgetter("state")


class Run:
    """One run of a sender: its messages on the wire, and its results that are not in the ledger yet.

    While the database is away, nothing is handed out, and answers are kept until they can be recorded.
    Call `end` after `carry`, even if `carry` raised.
    """

    def __init__(
        self,
        database: Database,
        record: EditionRecord,
        tally: Counts | None,
        outbox: Outbox,
        *,
        clock: Callable[[], datetime],
        stop: Callable[[], bool],
        progress: Callable[[Counts], None],
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._clock, self._stop, self._progress = clock, stop, progress
        self._edition = record.edition
        self._builder = MessageBuilder(record, outbox.message_settings)
        self._again = partial(goes_again, rules=outbox.rules)
        self._renewed_at = clock()
        self._gate = Gate(outbox.limits)
        self._on_wire: dict[int, Recipient] = {}  # recipients of the messages on the wire, by key
        self._results: list[Result] = []  # not in the ledger yet
        # The frequency is not checked again. Otherwise a reader who changes it at noon would lose the email
        # that is due in the evening.
        self._readers = mailable(self._edition.digest, NOW)
        self._place = START  # in the queue
        self._handed = 0  # messages handed to the transport
        self._alarm = ""  # the reason for a pause that is not in the database yet
        self._is_paused = False  # by this run
        self._waiting = Waiting(database, outbox, self._come_back, clock=clock, stop=stop)
        with database.read() as connection:
            tally = tally or counts(connection, record.edition.id)
            self._gate.look(connection)
        self._sender = senders.Sender(edition_id=record.edition.id, owner=own_name(), lease=outbox.lease)
        self._total = tally.total
        self._ended = Counter({state: count for state, count in tally.by_state if state in _ENDED})
        self._refusals = Refusals(accepted_before=self._ended[DeliveryState.ACCEPTED] > 0)

    def carry(self) -> None:
        """Send until nothing is due or `stop` says so."""
        handed = -1
        # We look again after the last answers: a delivery may have come back, or a dead sender's lease may
        # have ended. A pass that hands over nothing ends the run.
        while handed != self._handed and not self._stop():
            self._waiting.surely(self._expire)
            handed = self._handed
            with closing(self._outbox.transport.carry(self._groups())) as answers:
                for receipts in answers:
                    self._note(receipts)
                    if self._waiting.has_drained_enough():
                        log.warning("%s: stopped while messages had no answer yet", self._edition.id)
                        break
            self._waiting.surely(self._settle)

    def end(self) -> datetime | None:
        """Record all results and give up the lease; unanswered messages on the wire become uncertain.

        Return when the limits next let a message go; None if that is now. Raises OutageError after a stop, if
        the database does not come back in time.
        """
        try:
            self._waiting.surely(self._settle)
            self._alarm = self._alarm or self._refusals.alarm(self._clock(), at_the_end=True)
            self._waiting.surely(self._pause_if_refused)
            self._waiting.surely(self._close_gate)
            closed_until = self._gate.closed_until(self._clock())
            self._waiting.surely(self._give_back)
            self._waiting.surely(self._release)
        finally:
            end_of_run(self._sender.owner)
        return closed_until

    def _close_gate(self) -> None:
        self._gate.close(self._database, self._clock())

    def _give_back(self) -> None:
        with self._database.write() as connection:
            self._gate.give_back(connection, self._sender, self._clock())

    def _release(self) -> None:
        # This is a transaction of its own, because it locks the edition before the sender's row.
        with self._database.write() as connection:
            senders.release(connection, self._sender, now=self._clock(), again=self._again)

    def _come_back(self) -> None:
        """Record the answers that were kept, and hold only what is in flight: the last step may be lost."""
        now, results = self._clock(), self._results
        with self._database.write() as connection:
            ledger.exchange(connection, self._sender, self._readers, results=results, now=now)
            senders.keep_wire(connection, self._sender, self._on_wire.keys(), now=now)
            self._gate.begin_again(connection, now)
        self._place = START
        self._after_commit(results, now)

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

    def _take(self, now: datetime) -> list[Message] | None:
        """Claim and mark a group in one transaction, without limits; None when nobody is due."""
        results, most = self._results, self._outbox.next_group()
        with self._database.write() as connection:
            group, place = ledger.take(
                connection,
                self._sender,
                self._readers,
                results=results,
                after=self._place,
                limit=most,
                now=now,
            )
        self._place = place
        self._after_commit(results, now)
        return None if group is None else self._hand_over(group)

    def _pick(self, now: datetime) -> list[Message] | None:
        """Mark a group of readers that the limits let go now; None when nobody was claimed or may go."""
        wanted = self._gate.wanted(self._outbox.page, now)
        claimed = wanted > 0 and self._claim(wanted)
        self._gate.replenish(self._database, now)
        group = self._gate.next_group(self._outbox.next_group(), now)
        if not group:
            return [] if claimed else None
        marked = self._settle(mark=group)
        going = [reader for reader in group if reader.subscriber_id in marked]
        self._gate.spend(going, now)
        return self._hand_over(going)

    def _claim(self, wanted: int) -> bool:
        """Claim a page of readers, who then wait at the gate; return whether anything was due."""
        now = self._clock()
        with self._database.write() as connection:
            page, self._place = ledger.claim(
                connection, self._sender, self._readers, after=self._place, now=now, limit=wanted
            )
            self._gate.look(connection)
            self._gate.let_wait(page, now)
            self._gate.give_back(connection, self._sender, now)
        return page is not None

    def _hand_over(self, group: Sequence[Recipient]) -> list[Message]:
        """Make the messages of a group whose marks are committed already."""
        try:
            written, unwritten = self._write(group)
        except BaseException:
            # No message of this group has been handed over. Without this, the whole group would become
            # uncertain because of an error in a template.
            with self._database.write() as connection:
                senders.let_go(connection, self._sender, _ids(group), now=self._clock())
            raise
        self._results += unwritten
        self._on_wire |= {reader.subscriber_id: reader for reader in group}
        return written

    def _write(self, group: Sequence[Recipient]) -> tuple[list[Message], list[Result]]:
        written: list[Message] = []
        unwritten: list[Result] = []
        for reader in group:
            try:
                message = self._builder.message(reader)
            except ValueError:
                refused = DeliveryState.REJECTED, None, None, _NOT_WRITABLE
                unwritten.append(Result(reader.subscriber_id, *refused))
                continue
            if message:
                written.append(message)
            else:
                nothing = DeliveryState.SKIPPED, None, None, NOTHING_CHOSEN
                unwritten.append(Result(reader.subscriber_id, *nothing))
        return written, unwritten

    def _note(self, receipts: Sequence[Receipt]) -> None:
        now, rules = self._clock(), self._outbox.rules
        before = refusals = self._refusals
        for receipt in receipts:
            reader = self._on_wire.pop(receipt.key, None)
            if reader is not None:
                tries = reader.tries + 1
                result = result_of(receipt, tries=tries, now=now, rules=rules, alike=refusals.alike)
                self._results.append(result)
                if receipt.outcome is not Outcome.ACCEPTED:
                    self._gate.hear(receipt, reader.address)
            if refusals is not CONTENT or receipt.outcome is not Outcome.ACCEPTED:
                refusals = refusals.after(receipt)
        if refusals is not before:
            self._refusals = refusals
            self._alarm = self._alarm or refusals.alarm(now)
        self._waiting.unless_away(self._pause_if_refused, otherwise=None)
        if len(self._results) >= self._outbox.page or self._lease_is_old(now):
            self._waiting.unless_away(self._settle, otherwise=None)

    def _pause_if_refused(self) -> None:
        """Pause the edition if there is an alarm; the messages that were rejected in its row wait again."""
        if not self._alarm or self._is_paused:
            return
        now, refused, results = self._clock(), self._refusals.rejected, self._results
        with self._database.write() as connection:
            ledger.exchange(connection, self._sender, self._readers, results=results, now=now)
            taken_back = take_back_rejected(connection, self._edition.id, refused, now=now)
            # Another process may have paused or cancelled the edition already, which is just as good.
            with suppress(StateError):
                pause(connection, self._edition.id, StepCause(at=now, why=self._alarm))
        self._is_paused = True
        self._after_commit(results, self._renewed_at)
        self._ended[DeliveryState.REJECTED] -= taken_back
        log.error("%s is paused: %s", self._edition.id, self._alarm)

    def _settle(self, mark: Sequence[Recipient] = ()) -> frozenset[int]:
        """Record all results so far and mark deliveries, in one transaction; return the marked ones."""
        now, marked = self._clock(), frozenset[int]()
        results = self._results
        renew = self._lease_is_old(now)
        if not (results or mark or renew):
            return marked
        with self._database.write() as connection:
            marked = ledger.exchange(
                connection, self._sender, self._readers, results=results, marks=_ids(mark), now=now
            )
            if renew:
                senders.renew(connection, self._sender, now=now)
        self._after_commit(results, now if renew else self._renewed_at)
        return marked

    def _after_commit(self, results: Sequence[Result], renewed_at: datetime) -> None:
        self._results, self._renewed_at = [], renewed_at
        if results:
            states = Counter(map(_STATE, results))
            self._ended.update({state: states[state] for state in states.keys() & _ENDED})
            tally = Counter({DeliveryState.QUEUED: self._total - self._ended.total(), **self._ended})
            self._progress(Counts(by_state=tuple((state, tally[state]) for state in DeliveryState)))

    def _lease_is_old(self, now: datetime) -> bool:
        return now - self._renewed_at > self._outbox.lease / 3

    def _expire(self) -> None:
        now = self._clock()
        with self._database.write() as connection:
            ended = [owner for owner in senders.holders(connection, self._edition.id) if has_ended(owner)]
            taken = senders.expire(
                connection,
                self._edition.id,
                now=now,
                lease=self._sender.lease,
                ended=ended,
                again=self._again,
            )
        if taken:
            log.warning("%s: took back %d deliveries from a sender that ended", self._edition.id, taken)


def _ids(readers: Sequence[Recipient]) -> list[int]:
    return [reader.subscriber_id for reader in readers]
