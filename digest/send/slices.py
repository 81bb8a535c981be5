"""Take slices for one run, write its steps into them, and give them back.

A step is written in a transaction of the caller. It counts when that is committed: call `committed` then.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from digest.model.deliveries import Counts, DeliveryState
from digest.model.editions import EditionState
from digest.send.holding import Holding, Mark, Share
from digest.storage.database import Connection, Database
from digest.storage.ledger import deliveries as ledger
from digest.storage.ledger import senders, slices
from digest.storage.ledger.deliveries import Step
from digest.storage.ledger.leases import never
from digest.storage.ledger.settling import settle_late
from digest.storage.ledger.slices import Sender
from digest.storage.owner import has_ended

log = logging.getLogger(__name__)

_ENDED = frozenset(
    {DeliveryState.ACCEPTED, DeliveryState.REJECTED, DeliveryState.UNCERTAIN, DeliveryState.SKIPPED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one transaction wrote. It wrote nothing to the `lost` slices, which another sender has taken."""

    steps: Sequence[tuple[Share, Step]]
    marks: Sequence[Mark]
    lost: Sequence[Share]
    renewed_at: datetime

    @property
    def kept(self) -> list[Mark]:
        """Return the marks whose messages may go after the commit."""
        return [mark for mark in self.marks if mark.share not in self.lost]


class RunCounts:
    """Counts the deliveries of an edition during a run; those that are open count as queued."""

    def __init__(self, tally: Counts, report: Callable[[Counts], None]) -> None:
        self._report = report
        self._total = tally.total
        self._ended = Counter({state: count for state, count in tally.by_state if state in _ENDED})

    def add(self, states: Counter[DeliveryState]) -> None:
        """Count new results, and report the counts."""
        self._ended.update({state: states[state] for state in states.keys() & _ENDED})
        tally = Counter({DeliveryState.QUEUED: self._total - self._ended.total(), **self._ended})
        self._report(Counts(by_state=tuple((state, tally[state]) for state in DeliveryState)))

    def take_back_rejected(self, count: int) -> None:
        """Count deliveries that were rejected as open again."""
        self._ended[DeliveryState.REJECTED] -= count


class OwnSlices:
    """The slices of one run in the ledger. `held` remembers what is in them."""

    def __init__(self, database: Database, sender: Sender, counts: RunCounts, *, now: datetime) -> None:
        self.held = Holding()
        self._database, self._sender, self._counts = database, sender, counts
        self._renewed_at = now

    def take(self, now: datetime) -> bool:
        """Take the slice that has been due longest; return False if there is none, or nothing may go."""
        edition_id = self._sender.edition_id
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
            self.held.add(taken[0], due)
        if taken[1]:
            log.warning("%s: took over %d deliveries of a sender that ended", edition_id, taken[1])
        return True

    def give_up(self, now: datetime) -> None:
        """Give all slices back; what is on the wire is in doubt."""
        with self._database.write() as connection:
            going = slices.lock_state(connection, self._sender.edition_id) is EditionState.SENDING
            # After a cancellation, what may have arrived must not be skipped like the others.
            again = self._sender.again if going else never
            for share, step in self.held.steps(all_of_them=True):
                if slices.hold(connection, share.slice, step.wire, now=now):
                    slices.doubt(connection, share.slice, step.wire, again=again, now=now)
                    slices.leave(connection, share.slice, now=now)

    # ── steps ───────────────────────────────────────────────────────────────────────────────

    def must_write(self, now: datetime) -> bool:
        """Tell whether something is not in the ledger yet, or the lease should be renewed."""
        return self.lease_is_old(now) or bool(self.held.steps())

    def lease_is_old(self, now: datetime) -> bool:
        """Tell whether a third of the lease is over."""
        # If the clock was put back, nobody knows how long ago that was.
        return abs(now - self._renewed_at) > self._sender.lease / 3

    def write(
        self, connection: Connection, now: datetime, marks: Sequence[Mark] = (), *, everything: bool = False
    ) -> Written:
        """Write new marks and all results so far.

        If the lease is old, or with `everything`, all slices are written, which renews the lease.
        """
        renews = everything or self.lease_is_old(now)
        steps = self.held.steps(marks, all_of_them=renews)
        return self._write(connection, steps, marks, now, renewed_at=now if renews else self._renewed_at)

    def write_again(self, connection: Connection, now: datetime) -> Written:
        """Write everything after an outage, because nobody knows whether the last step counts."""
        self.held.begin_again()
        slices.keep_only(connection, self._sender, self.held.numbers, now=now)
        # An answer that is recorded already must not count as another try.
        steps = [_unrecorded(connection, *each) for each in self.held.steps(all_of_them=True)]
        return self._write(connection, steps, (), now, renewed_at=now)

    def _write(
        self,
        connection: Connection,
        steps: Sequence[tuple[Share, Step]],
        marks: Sequence[Mark],
        now: datetime,
        *,
        renewed_at: datetime,
    ) -> Written:
        lost = [share for share, step in steps if not ledger.write(connection, step, now=now)]
        return Written(steps=steps, marks=marks, lost=lost, renewed_at=renewed_at)

    def committed(self, written: Written) -> None:
        """Remember that a transaction was committed, and count its results."""
        self.held.written(written.steps, written.lost, written.marks)
        self._renewed_at = written.renewed_at
        for share in written.lost:
            log.warning("%s: another sender has taken slice %d", share.slice.edition_id, share.slice.number)
        states = Counter(
            result.state
            for share, step in written.steps
            if share not in written.lost
            for result in step.results
        )
        if states:
            self._counts.add(states)

    def write_late(self, now: datetime) -> None:
        """Record the answers that came after another sender had taken their slice."""
        if late := self.held.late:
            with self._database.write() as connection:
                settle_late(connection, self._sender.edition_id, self._sender.owner, late, now=now)
            self.held.late_written()


def _unrecorded(connection: Connection, share: Share, step: Step) -> tuple[Share, Step]:
    """Return a step with those answers whose deliveries the ledger still has on the wire."""
    wire = slices.wire_of(connection, share.slice) or frozenset()
    return share, replace(step, results=[each for each in step.results if each.key in wire or not each.tried])
