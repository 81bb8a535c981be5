"""Send the notices that are due, each once, by the rules of editions: retries, limits and leases."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial

from digest.model.deliveries import DeliveryState, NoticeRecord, Recipient, Result
from digest.model.errors import DigestError, ObsoleteError
from digest.model.messages import Message, Outcome, Receipt
from digest.send.answers.retries import goes_again, result_of
from digest.send.dead_mailboxes import is_dead
from digest.send.gate import Gate
from digest.send.outbox import Outbox
from digest.send.waiting import Waiting
from digest.storage.database import Connection, Database
from digest.storage.ledger.notices import (
    due_notices,
    keep_wire_notices,
    mark_notices,
    renew_notices,
    settle_notices,
    take_back_notices,
)
from digest.storage.owner import has_ended, note_end, own_name
from subscribers.rules.bounces import SERVER, Bounce, BounceKind, plain_reason
from subscribers.store.bounces import take_bounce

log = logging.getLogger(__name__)

_PAGE = 200  # notices that are read at a time
_NOT_WRITABLE = "the address cannot be written in an email"

Write = Callable[[NoticeRecord], Message]


def send_notices(
    database: Database,
    write: Write,
    *,
    outbox: Outbox,
    clock: Callable[[], datetime],
    stop: Callable[[], bool] = lambda: False,
) -> Counter[DeliveryState]:
    """Send the notices that are due, and count their new states; several processes may do so at once.

    take back the notices of senders that ended: due again or uncertain, as the policy says
    while a notice is due, and `stop` does not say so:
        record the answers so far; mark a group that the limits let go; commit
        write their messages, and hand them over
    record the last answers; a message without an answer is tried again or uncertain

    `write` makes the message of a notice. If it raises ObsoleteError, the notice is skipped; after another
    error it is deferred. Both have the reason.
    Raises TransportError after recording the answers; unsent notices then wait for the next run.
    """
    run = _Run(database, write, outbox, clock=clock, stop=stop)
    run.take_back()
    try:
        run.carry()
    finally:
        run.end()
    return run.counted


class _Run:
    """One run: its notices on the wire, and its results that are not recorded yet."""

    def __init__(
        self,
        database: Database,
        write: Write,
        outbox: Outbox,
        *,
        clock: Callable[[], datetime],
        stop: Callable[[], bool],
    ) -> None:
        self.counted: Counter[DeliveryState] = Counter()
        self._database, self._write, self._outbox = database, write, outbox
        self._clock, self._stop = clock, stop
        self._owner = own_name()
        self._gate = Gate(outbox.limits)
        self._seen: set[int] = set()  # each notice is tried once in a run
        self._on_wire: dict[int, NoticeRecord] = {}
        self._results: list[tuple[NoticeRecord, Result]] = []
        self._renewed_at = clock()
        self._waiting = Waiting(database, outbox, self._come_back, clock=clock, stop=stop)

    def take_back(self) -> None:
        """Take back the notices of senders that ended."""
        again, now = partial(goes_again, rules=self._outbox.rules), self._clock()
        with self._database.write() as connection:
            taken = take_back_notices(
                connection, lease=self._outbox.lease, ended=has_ended, again=again, now=now
            )
        if taken:
            log.warning("took back %d notices from a sender that ended", taken)

    def carry(self) -> None:
        """Send until nothing is due or `stop` says so.

        While the database is away, nothing is handed out, and answers are kept until they can be recorded.
        """
        with closing(self._outbox.transport.carry(self._groups())) as answers:
            for receipts in answers:
                self._note(receipts)
                if self._waiting.has_drained_enough():
                    break

    def end(self) -> None:
        """Record all results; a message that got no answer is tried again or uncertain.

        Raises OutageError after a stop, if the database does not come back in time.
        """
        self._note([Receipt(key, Outcome.UNCERTAIN, reply="no answer") for key in self._on_wire])
        try:
            self._waiting.surely(self._settle)
            self._waiting.surely(lambda: self._gate.close(self._database, self._clock()))
        finally:
            note_end(self._owner)

    def _come_back(self) -> None:
        """Record the answers that were kept, and keep only the marks of messages that were handed over."""
        self._settle()
        with self._database.write() as connection:
            keep_wire_notices(connection, self._on_wire.keys(), owner=self._owner, now=self._clock())
            self._gate.begin_again(connection, self._clock())

    def _groups(self) -> Iterator[Sequence[Message]]:
        while not self._stop():
            messages = self._waiting.unless_away(self._next_group, otherwise=())
            if messages:
                yield messages
            elif self._waiting.is_away or self._gate.rests(self._clock()):
                yield ()  # the transport asks again soon
            elif messages is None:
                return

    def _next_group(self) -> Sequence[Message] | None:
        """Mark a group and write its messages; None when nothing is due."""
        now = self._clock()
        found = self._queue(now)
        self._gate.replenish(self._database, now)
        group = self._gate.next_group(self._outbox.next_group(), now)
        if not group:
            return () if found else None
        marked = self._settle(mark=group)
        ids = {notice.id for notice in marked}
        self._gate.spend([each for each in group if each.subscriber_id in ids], now)
        return self._hand_over(marked)

    def _queue(self, now: datetime) -> bool:
        """Let the notices that have become due wait at the gate; return whether there were any."""
        with self._database.read() as connection:
            due = due_notices(connection, now=now, limit=_PAGE + len(self._seen))
            self._gate.look(connection)
        new = [each for each in due if each.id not in self._seen]
        self._seen |= {each.id for each in new}
        self._gate.let_wait([Recipient(each.id, each.address or "") for each in new], now)
        return bool(new)

    def _settle(self, mark: Sequence[Recipient] = ()) -> tuple[NoticeRecord, ...]:
        """Record all results so far and mark a group, in one transaction; return the marked notices."""
        now, results = self._clock(), self._results
        with self._database.write() as connection:
            for notice, result in results:
                _note_dead_mailbox(connection, notice, result, now)
            settle_notices(connection, [result for _, result in results], owner=self._owner, now=now)
            ids = [each.subscriber_id for each in mark]
            marked = mark_notices(connection, ids, owner=self._owner, lease=self._outbox.lease, now=now)
            renew_notices(connection, owner=self._owner, lease=self._outbox.lease, now=now)
        self._results, self._renewed_at = [], now
        self.counted.update(result.state for _, result in results)
        return marked

    def _hand_over(self, marked: Sequence[NoticeRecord]) -> list[Message]:
        """Write the messages of notices whose marks are committed."""
        written = []
        for notice in marked:
            try:
                written.append(self._write(notice))
            except ObsoleteError as error:
                self._results.append(
                    (notice, Result(notice.id, DeliveryState.SKIPPED, None, None, str(error), tried=0))
                )
            except ValueError:
                result = Result(notice.id, DeliveryState.REJECTED, None, None, _NOT_WRITABLE)
                self._results.append((notice, result))
            except Exception as error:  # a notice that cannot be written must not delay the others
                # The text of an error that we do not know may contain an address.
                reason = str(error) if isinstance(error, DigestError) else type(error).__name__
                log.error("a notice could not be written: %s", reason)
                self._conclude(notice, Receipt(notice.id, Outcome.DEFERRED, reply=reason))
            else:
                self._on_wire[notice.id] = notice
        return written

    def _note(self, receipts: Sequence[Receipt]) -> None:
        for receipt in receipts:
            notice = self._on_wire.pop(receipt.key, None)
            if notice is not None:
                self._conclude(notice, receipt)
                if receipt.outcome is not Outcome.ACCEPTED:
                    self._gate.hear(receipt, notice.address or "")
        # If the clock was put back, nobody knows how long ago that was.
        if self._results or abs(self._clock() - self._renewed_at) > self._outbox.lease / 3:
            self._waiting.unless_away(self._settle, otherwise=None)

    def _conclude(self, notice: NoticeRecord, receipt: Receipt) -> None:
        result = result_of(receipt, tries=notice.tries + 1, now=self._clock(), rules=self._outbox.rules)
        self._results.append((notice, result))


def _note_dead_mailbox(connection: Connection, notice: NoticeRecord, result: Result, now: datetime) -> None:
    """Record a bounce if the server says that the mailbox does not exist; the rules decide what follows."""
    if result.state is DeliveryState.REJECTED and is_dead(result.code, result.reply):
        reason = plain_reason(f"{result.code} {result.reply}")
        bounce = Bounce(kind=BounceKind.HARD, at=now, source=SERVER, edition=notice.name, reason=reason)
        take_bounce(connection, notice.address_hash, bounce, report=notice.name)
