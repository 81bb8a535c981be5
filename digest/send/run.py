"""One process sending one edition: claims, letters, marks and receipts, in step with the transport."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime
from operator import attrgetter

from digest.errors import StateError
from digest.model import Counts, DeliveryState, EditionRecord, Letter, Outcome, Receipt
from digest.send.gate import Gate
from digest.send.letters import NOTHING_CHOSEN, Press
from digest.send.message import Addressee
from digest.send.outbox import Outbox
from digest.send.owner import has_ended, own_name
from digest.send.refusals import Streak
from digest.send.retries import Result, resends, result_of
from digest.storage import deliveries as ledger
from digest.storage import senders
from digest.storage.database import Database
from digest.storage.outcomes import counts
from digest.storage.queue import START
from digest.storage.steps import pause
from subscribers.store import NOW, mailable

log = logging.getLogger(__name__)

_NOT_WRITABLE = "the address cannot be written in a mail"
_ENDED = frozenset(
    {DeliveryState.ACCEPTED, DeliveryState.REJECTED, DeliveryState.UNCERTAIN, DeliveryState.SKIPPED}
)
_STATE = attrgetter("state")


class Run:
    """What a sender has on the wire and not yet in the ledger. Call `end` after `carry`, in any event."""

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
        self._press = Press(record, outbox.stationery)
        self._sender = senders.Sender(edition_id=record.edition.id, owner=own_name(), lease=outbox.lease)
        self._renewed_at = clock()
        self._gate = Gate(outbox.limits)
        self._on_wire: dict[int, Addressee] = {}  # whose letters, by key
        self._results: list[Result] = []  # known, and not yet in the ledger
        self._readers = mailable(self._edition.digest, NOW)
        self._place = START  # in the queue
        self._handed = 0  # letters handed to the transport
        self._streak = Streak()
        self._stopped_at: datetime | None = None
        with database.read() as connection:
            tally = tally or counts(connection, record.edition.id)
            self._gate.look(connection)
        self._total = tally.total
        self._ended = Counter({state: count for state, count in tally.by_state if state in _ENDED})

    def carry(self) -> None:
        """Send until nothing is due or somebody says stop."""
        handed = -1
        while handed != self._handed and not self._stop():
            self._expire()
            handed = self._handed
            with closing(self._outbox.transport.carry(self._groups())) as answers:
                for receipts in answers:
                    self._note(receipts)
                    if self._has_drained_enough():
                        log.warning("%s: stopped while a server still owed answers", self._edition.id)
                        break
            self._settle()

    def end(self) -> datetime | None:
        """Settle what is known and give up every lease; what was on the wire unanswered is in doubt.

        Return until when the limits let nothing go, if they do.
        """
        self._settle()
        rules, now = self._outbox.rules, self._clock()
        closed_until = self._gate.closed_until(now)
        with self._database.write() as connection:
            self._gate.give_back(connection, self._sender, now)
            senders.release(connection, self._sender, now=now, resends=resends(rules))
        return closed_until

    def _has_drained_enough(self) -> bool:
        """Tell, once we are to stop, whether the time for what is on the wire is over."""
        if self._stopped_at is None and self._stop():
            self._stopped_at = self._clock()
        return self._stopped_at is not None and self._clock() - self._stopped_at >= self._outbox.drain

    def _groups(self) -> Iterator[Sequence[Letter]]:
        while not self._stop():
            now = self._clock()
            letters = self._take(now) if self._gate.is_open else self._pick(now)
            if letters:
                self._handed += len(letters)
                yield letters
            elif self._gate.rests(now):
                yield ()
            elif letters is None:
                return

    def _take(self, now: datetime) -> list[Letter] | None:
        """Claim and mark a group at once, where nothing is limited; None when nobody is due."""
        results, most = self._results, self._outbox.next_group()
        with self._database.write() as connection:
            group, self._place = ledger.take(
                connection,
                self._sender,
                self._readers,
                results=results,
                after=self._place,
                limit=most,
                now=now,
            )
        self._have_kept(results, now)
        return None if group is None else self._hand_over(group)

    def _pick(self, now: datetime) -> list[Letter] | None:
        """Mark a group of those whom the limits let go now; None when nobody was claimed nor may go."""
        wanted = self._gate.wanted(self._outbox.page, now)
        claimed = wanted > 0 and self._claim(wanted)
        group = self._gate.next_group(self._outbox.next_group(), now)
        if not group:
            return [] if claimed else None
        marked = self._settle(mark=group)
        return self._hand_over([reader for reader in group if reader.subscriber_id in marked])

    def _claim(self, wanted: int) -> bool:
        """Let a page of readers wait at the gate; return whether anything was due."""
        now = self._clock()
        with self._database.write() as connection:
            page, self._place = ledger.claim(
                connection, self._sender, self._readers, after=self._place, now=now, limit=wanted
            )
            self._gate.look(connection)
            self._gate.let_wait(page, now)
            self._gate.give_back(connection, self._sender, now)
        return page is not None

    def _hand_over(self, group: Sequence[Addressee]) -> list[Letter]:
        """Make the letters of a group that is marked: durably, before a transport sees them."""
        try:
            written, unwritten = self._write(group)
        except BaseException:
            with self._database.write() as connection:
                senders.let_go(connection, self._sender, _ids(group), now=self._clock())
            raise
        self._results += unwritten
        self._on_wire |= {reader.subscriber_id: reader for reader in group}
        return written

    def _write(self, group: Sequence[Addressee]) -> tuple[list[Letter], list[Result]]:
        written: list[Letter] = []
        unwritten: list[Result] = []
        for reader in group:
            try:
                letter = self._press.letter(reader)
            except ValueError:
                refused = DeliveryState.REJECTED, None, None, _NOT_WRITABLE
                unwritten.append(Result(reader.subscriber_id, *refused))
                continue
            if letter:
                written.append(letter)
            else:
                nothing = DeliveryState.SKIPPED, None, None, NOTHING_CHOSEN
                unwritten.append(Result(reader.subscriber_id, *nothing))
        return written, unwritten

    def _note(self, receipts: Sequence[Receipt]) -> None:
        now, rules = self._clock(), self._outbox.rules
        for receipt in receipts:
            reader = self._on_wire.pop(receipt.key, None)
            if reader is not None:
                tries = reader.tries + 1
                result = result_of(receipt, tries=tries, now=now, rules=rules)
                self._results.append(result)
                if receipt.outcome is not Outcome.ACCEPTED:
                    self._gate.hear(receipt, reader.address)
        self._heed_refusals(receipts, now)
        if len(self._results) >= self._outbox.page or self._lease_is_old(now):
            self._settle()

    def _heed_refusals(self, receipts: Sequence[Receipt], now: datetime) -> None:
        before, self._streak = self._streak, self._streak.after(receipts)
        reason = self._streak.alarm
        if reason and not before.alarm:
            # that somebody else has stopped it by now is as good
            with self._database.write() as connection, suppress(StateError):
                pause(connection, self._edition.id, now, reason=reason)
            log.error("%s is paused: %s", self._edition.id, reason)

    def _settle(self, mark: Sequence[Addressee] = ()) -> frozenset[int]:
        """Keep all results so far and mark deliveries, in one transaction; return those marked.

        Those whom the limits do not let go after all wait again.
        """
        now, marked = self._clock(), frozenset[int]()
        results = self._results
        renew = self._lease_is_old(now)
        if not (results or mark or renew or self._gate.has_complaints):
            return marked
        with self._database.write() as connection:
            going = self._gate.admit(connection, mark, self._clock())
            marked = ledger.exchange(
                connection, self._sender, self._readers, results=results, marks=_ids(going), now=now
            )
            gone = [reader for reader in going if reader.subscriber_id in marked]
            self._gate.spend(connection, gone, self._clock())
            if renew:
                senders.renew(connection, self._sender, now=now)
        self._have_kept(results, now if renew else self._renewed_at)
        return marked

    def _have_kept(self, results: Sequence[Result], renewed_at: datetime) -> None:
        self._results, self._renewed_at = [], renewed_at
        if results:
            states = Counter(map(_STATE, results))
            self._ended.update({state: states[state] for state in states.keys() & _ENDED})
            tally = Counter({DeliveryState.QUEUED: self._total - self._ended.total(), **self._ended})
            self._progress(Counts(by_state=tuple((state, tally[state]) for state in DeliveryState)))

    def _lease_is_old(self, now: datetime) -> bool:
        return now - self._renewed_at > self._outbox.lease / 3

    def _expire(self) -> None:
        now, again = self._clock(), resends(self._outbox.rules)
        with self._database.write() as connection:
            ended = [owner for owner in senders.holders(connection, self._edition.id) if has_ended(owner)]
            taken = senders.expire(connection, self._edition.id, now=now, ended=ended, resends=again)
        if taken:
            log.warning("%s: took back %d deliveries from a sender that ended", self._edition.id, taken)


def _ids(readers: Sequence[Addressee]) -> list[int]:
    return [reader.subscriber_id for reader in readers]
