"""In any order of steps, answers, sleeps, deaths, retries and unsubscribes, no reader is mailed wrongly."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from digest.model.deliveries import DeliveryState, Recipient, Result
from digest.model.editions import EditionState, StepCause
from digest.model.messages import Outcome, Receipt
from digest.send.answers.retries import RetryRules, result_of
from digest.storage.database import open_database
from digest.storage.editions.steps import advance
from digest.storage.ledger import addressing, slices
from digest.storage.ledger import deliveries as ledger
from digest.storage.ledger.deliveries import Step
from digest.storage.ledger.outcomes import counts, list_deliveries, retry
from digest.storage.ledger.settling import settle_late, skipped
from digest.storage.ledger.slices import Slice
from subscribers.store.mailable import mailable
from tests.databases import create_tables
from tests.send.world import EDITION, NOW, add_edition, add_readers, leave

READERS = 8
owners = st.sampled_from(["ana", "ben", "cem"])
outcomes = st.sampled_from(Outcome)
few = st.integers(min_value=1, max_value=4)


@dataclass(slots=True)
class Sender:
    """What a sender has in its memory: a slice, who is next in it, and what is on the wire."""

    held: Slice
    ahead: list[int]
    wire: dict[int, Recipient] = field(default_factory=dict)


class Ledger(RuleBasedStateMachine):
    """Senders that interleave in any order, with `doubt = "hold"`. A sender that sleeps is still alive."""

    def __init__(self) -> None:
        super().__init__()
        self.database = open_database("sqlite://")
        with self.database.write() as connection:
            create_tables(connection)
        add_edition(self.database)
        add_readers(self.database, READERS)
        self.now = NOW
        self.senders: dict[str, Sender] = {}
        self.left: set[int] = set()
        self.may_have_arrived: set[int] = set()
        with self.database.write() as connection:
            advance(connection, EDITION, EditionState.SENDING, StepCause(at=NOW))
            addressing.address(connection, EDITION, mailable("daily", NOW), now=NOW)
            connection.exec_driver_sql("DELETE FROM slices")
            slices.cut(connection, EDITION, size=3, now=NOW)

    @rule(owner=owners)
    def take(self, owner: str) -> None:
        if owner in self.senders:
            return
        with self.database.write() as connection:
            sender = slices.Sender(edition_id=EDITION, owner=owner)
            taken = slices.take(connection, sender, now=self.now, due_by=self.now)
            if taken:
                due = ledger.due_in(connection, taken[0], self.now)
                self.senders[owner] = Sender(taken[0], due)
        if not taken:
            self.nobody_is_due_in_a_free_slice()

    def nobody_is_due_in_a_free_slice(self) -> None:
        with self.database.read() as connection:
            rows = list_deliveries(connection, EDITION, states=[DeliveryState.QUEUED, DeliveryState.DEFERRED])
            held = connection.exec_driver_sql(
                "SELECT first_id, last_id FROM slices WHERE owner IS NOT NULL"
            ).all()
        due = [row.subscriber_id for row in rows if row.due_at is None or row.due_at <= self.now]
        assert not [key for key in due if not any(first <= key <= last for first, last in held)]

    @rule(owner=owners, outcome=outcomes, count=few, leaves=st.booleans())
    def step(self, owner: str, outcome: Outcome, count: int, leaves: bool) -> None:
        sender = self.senders.get(owner)
        if not sender:
            return
        results = self.answered(sender, outcome, count)
        group = [] if leaves else sender.ahead[:count]
        with self.database.write() as connection:
            readers = ledger.recipients(connection, mailable("daily", self.now), EDITION, group, self.now)
            going = {reader.subscriber_id: reader for reader in readers}
            gone = skipped(key for key in group if key not in going)
            over = leaves and not sender.wire
            wire = [*sender.wire, *going]
            step = Step(slice=sender.held, wire=wire, results=[*results, *gone], leaves=over)
            written = ledger.write(connection, step, now=self.now)
        if not written:
            self.record_late(owner, results)
            del self.senders[owner]
            return
        assert not going.keys() & self.left
        assert not going.keys() & self.may_have_arrived, "written twice though it may have arrived"
        self.may_have_arrived |= going.keys()
        sender.wire |= going
        sender.ahead = sender.ahead[len(group) :]
        if over:
            del self.senders[owner]

    def answered(self, sender: Sender, outcome: Outcome, count: int) -> list[Result]:
        answered = {key: sender.wire.pop(key) for key in list(sender.wire)[:count]}
        if outcome in (Outcome.DEFERRED, Outcome.UNSENT):
            self.may_have_arrived -= set(answered)
        rules = RetryRules(lifetime=timedelta(minutes=30))
        return [
            result_of(Receipt(key, outcome), tries=reader.tries + 1, now=self.now, rules=rules)
            for key, reader in answered.items()
        ]

    def record_late(self, owner: str, results: list[Result]) -> None:
        with self.database.write() as connection:
            settle_late(connection, EDITION, owner, results, now=self.now)

    @rule(owner=owners)
    def die(self, owner: str) -> None:
        self.senders.pop(owner, None)

    @rule(minutes=st.integers(min_value=0, max_value=20))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def retry_rejected(self) -> None:
        with self.database.write() as connection:
            rejected = list_deliveries(connection, EDITION, states=[DeliveryState.REJECTED])
            retry(connection, EDITION, [DeliveryState.REJECTED], now=self.now)
        self.may_have_arrived -= {row.subscriber_id for row in rejected}

    @rule(number=st.integers(min_value=1, max_value=READERS))
    def unsubscribe(self, number: int) -> None:
        leave(self.database, number)
        self.left.add(number)

    @invariant()
    def everybody_has_one_delivery(self) -> None:
        with self.database.read() as connection:
            assert counts(connection, EDITION).total == READERS

    @invariant()
    def nothing_that_may_have_arrived_waits_to_be_sent(self) -> None:
        with self.database.read() as connection:
            rows = list_deliveries(connection, EDITION)
        for row in rows:
            if row.state in (DeliveryState.QUEUED, DeliveryState.DEFERRED):
                assert row.subscriber_id not in self.may_have_arrived

    def teardown(self) -> None:
        """Let one sender finish: then nothing is on the wire, and everybody has an outcome or a next try."""
        self.senders.clear()
        later = self.now + timedelta(days=1)
        with self.database.write() as connection:
            dora = slices.Sender(edition_id=EDITION, owner="dora")
            while taken := slices.take(connection, dora, now=later, due_by=later):
                due = ledger.due_in(connection, taken[0], later)
                results = [Result(key, DeliveryState.ACCEPTED, None, 250, "") for key in due]
                assert ledger.write(
                    connection, Step(slice=taken[0], wire=(), results=results, leaves=True), now=later
                )
            assert counts(connection, EDITION).open == 0
        self.database.close()


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
