"""In any order of claims, marks, receipts, sleeps, deaths and unsubscribes, no reader is mailed wrongly."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from digest.model.deliveries import DeliveryState, Result
from digest.model.editions import EditionState, StepCause
from digest.model.messages import Outcome, Receipt
from digest.send.retries import RetryRules, result_of
from digest.storage.database import open_database
from digest.storage.editions.steps import advance
from digest.storage.ledger import addressing
from digest.storage.ledger import deliveries as ledger
from digest.storage.ledger.outcomes import counts, list_deliveries
from digest.storage.ledger.queue import START, end_queue
from digest.storage.ledger.senders import Sender, expire, release, renew
from subscribers.store.mailable import mailable
from tests.databases import create_tables
from tests.send.world import EDITION, NOW, add_edition, add_readers, leave

READERS = 8
LEASE = timedelta(minutes=2)
SENDERS = [Sender(edition_id=EDITION, owner=owner, lease=LEASE) for owner in ("ana", "ben", "cem")]
senders = st.sampled_from(SENDERS)
outcomes = st.sampled_from(Outcome)


class Ledger(RuleBasedStateMachine):
    """Senders that interleave in any order, with `doubt = "hold"`."""

    def __init__(self) -> None:
        super().__init__()
        self.database = open_database("sqlite://")
        with self.database.write() as connection:
            create_tables(connection)
        add_edition(self.database)
        add_readers(self.database, READERS)
        self.now = NOW
        self.claims: dict[str, dict[int, int]] = {sender.owner: {} for sender in SENDERS}
        self.wires: dict[str, dict[int, int]] = {sender.owner: {} for sender in SENDERS}
        self.places = {sender.owner: START for sender in SENDERS}
        self.left: set[int] = set()
        self.may_have_arrived: set[int] = set()
        with self.database.write() as connection:
            advance(connection, EDITION, EditionState.SENDING, StepCause(at=NOW))
            addressing.address(connection, EDITION, mailable("daily", NOW), now=NOW)

    @rule(sender=senders, limit=st.integers(min_value=1, max_value=4))
    def claim(self, sender: Sender, limit: int) -> None:
        with self.database.write() as connection:
            page, self.places[sender.owner] = ledger.claim(
                connection,
                sender,
                mailable("daily", self.now),
                after=self.places[sender.owner],
                now=self.now,
                limit=limit,
            )
        if page is None:
            self.nobody_is_left_that_is_due()
        for reader in page or ():
            assert reader.subscriber_id not in self.left
            self.claims[sender.owner][reader.subscriber_id] = reader.tries

    @rule(sender=senders, count=st.integers(min_value=1, max_value=4))
    def mark(self, sender: Sender, count: int) -> None:
        claims = self.claims[sender.owner]
        group = list(claims)[:count]
        if not group:
            return
        with self.database.write() as connection:
            readers = mailable("daily", self.now)
            marked = ledger.exchange(connection, sender, readers, marks=group, now=self.now)
        assert not marked & self.left
        assert not marked & self.may_have_arrived, "written twice though it may have arrived"
        self.wires[sender.owner] |= {key: claims[key] + 1 for key in marked}
        self.may_have_arrived |= marked
        for key in group:
            del claims[key]

    @rule(sender=senders, outcome=outcomes, limit=st.integers(min_value=1, max_value=4))
    def take(self, sender: Sender, outcome: Outcome, limit: int) -> None:
        results = self.answered(sender, outcome, limit)
        with self.database.write() as connection:
            group, self.places[sender.owner] = ledger.take(
                connection,
                sender,
                mailable("daily", self.now),
                results=results,
                after=self.places[sender.owner],
                limit=limit,
                now=self.now,
            )
        if group is None:
            self.nobody_is_left_that_is_due()
        for reader in group or ():
            assert reader.subscriber_id not in self.left
            assert reader.subscriber_id not in self.may_have_arrived, (
                "written twice though it may have arrived"
            )
            self.wires[sender.owner][reader.subscriber_id] = reader.tries + 1
            self.may_have_arrived.add(reader.subscriber_id)

    def nobody_is_left_that_is_due(self) -> None:
        with self.database.read() as connection:
            rows = list_deliveries(connection, EDITION, states=[DeliveryState.QUEUED, DeliveryState.DEFERRED])
        assert not [row.subscriber_id for row in rows if row.due_at is None or row.due_at <= self.now]

    @rule(sender=senders)
    def begin_again(self, sender: Sender) -> None:
        self.places[sender.owner] = START

    @rule(sender=senders, outcome=outcomes, count=st.integers(min_value=1, max_value=4))
    def receipts(self, sender: Sender, outcome: Outcome, count: int) -> None:
        results = self.answered(sender, outcome, count)
        with self.database.write() as connection:
            readers = mailable("daily", self.now)
            ledger.exchange(connection, sender, readers, results=results, now=self.now)

    def answered(self, sender: Sender, outcome: Outcome, count: int) -> list[Result]:
        wire = self.wires[sender.owner]
        answered = {key: wire.pop(key) for key in list(wire)[:count]}
        if outcome in (Outcome.DEFERRED, Outcome.UNSENT):
            self.may_have_arrived -= set(answered)
        rules = RetryRules(lifetime=timedelta(minutes=30))
        return [
            result_of(Receipt(key, outcome), tries=tries, now=self.now, rules=rules)
            for key, tries in answered.items()
        ]

    @rule(sender=senders)
    def die(self, sender: Sender) -> None:
        self.claims[sender.owner].clear()
        self.wires[sender.owner].clear()

    @rule(sender=senders)
    def stop(self, sender: Sender) -> None:
        self.die(sender)
        with self.database.write() as connection:
            release(connection, sender, now=self.now)

    @rule(sender=senders)
    def renew(self, sender: Sender) -> None:
        with self.database.write() as connection:
            renew(connection, sender, now=self.now)

    @rule(minutes=st.integers(min_value=0, max_value=20))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def expire(self) -> None:
        with self.database.write() as connection:
            expire(connection, EDITION, now=self.now)

    @rule()
    def look_whether_any_goes_at_once(self) -> None:
        with self.database.write() as connection:
            end_queue(connection, EDITION)

    @rule(number=st.integers(min_value=1, max_value=READERS))
    def unsubscribe(self, number: int) -> None:
        leave(self.database, number)
        self.left.add(number)

    @invariant()
    def everybody_has_one_delivery(self) -> None:
        with self.database.read() as connection:
            assert counts(connection, EDITION).total == READERS

    @invariant()
    def what_has_ended_belongs_to_nobody(self) -> None:
        with self.database.read() as connection:
            rows = list_deliveries(connection, EDITION)
        for row in rows:
            if row.state in (DeliveryState.QUEUED, DeliveryState.DEFERRED):
                assert row.subscriber_id not in self.may_have_arrived

    def teardown(self) -> None:
        with self.database.write() as connection:
            expire(connection, EDITION, now=self.now + LEASE)
            open_states = DeliveryState.CLAIMED, DeliveryState.WIRE
            assert counts(connection, EDITION).of(*open_states) == 0
        self.database.close()


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
