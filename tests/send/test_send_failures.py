"""Sending fails: messages are deferred, refused or uncertain, and senders stop, die or share an edition."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from digest.model.deliveries import DeliveryState
from digest.model.editions import Edition, EditionState, StepCause
from digest.model.errors import TemplateError, TransportError
from digest.model.messages import Email, Message, Outcome, ReaderLinks, Receipt
from digest.send.answers.retries import Doubt, RetryRules, pause_of, rest_through
from digest.send.send import send
from digest.storage.database import Database, open_database
from digest.storage.editions.records import load_edition
from digest.storage.editions.steps import advance, reopen
from digest.storage.ledger.outcomes import retry
from tests.send.world import (
    EDITION,
    NOW,
    SETTINGS,
    Clock,
    Recorder,
    add_edition,
    add_reader,
    add_readers,
    outbox,
    read,
    replies,
    run,
)
from tests.storage.ledger import begin

STATE = DeliveryState


def test_a_deferred_message_comes_back_with_the_same_bytes(database: Database) -> None:
    add_edition(database)
    add_readers(database, 3)
    clock, recorder = (
        Clock(),
        Recorder(lambda message: Outcome.DEFERRED if message.key == 2 else Outcome.ACCEPTED),
    )
    first = run(database, recorder, clock)
    assert (first.record.state, first.next_at) == (EditionState.SENDING, NOW + timedelta(minutes=5))
    recorder.answer = lambda _message: Outcome.ACCEPTED
    clock.forward(timedelta(minutes=4))
    run(database, recorder, clock)
    clock.forward(timedelta(minutes=1))
    assert run(database, recorder, clock).record.state is EditionState.SENT
    assert recorder.keys == [1, 2, 2, 3]
    assert len({message.data for message in recorder.messages if message.key == 2}) == 1


def test_messages_deferred_in_one_second_come_back_a_few_at_a_time(database: Database) -> None:
    add_edition(database)
    add_readers(database, 160)
    clock, recorder = Clock(), Recorder(lambda _message: Outcome.DEFERRED)
    sent = run(database, recorder, clock)
    recorder.answer = lambda _message: Outcome.ACCEPTED
    came_back: dict[timedelta, int] = {}
    while sent.next_at:
        clock.now = sent.next_at
        recorder.messages.clear()
        sent = run(database, recorder, clock)
        came_back[clock.now - NOW] = len(recorder.messages)
    assert sent.record.state is EditionState.SENT
    assert sum(came_back.values()) == 160
    assert max(came_back.values()) <= 16
    assert timedelta(minutes=5) == min(came_back) < max(came_back) < timedelta(minutes=6, seconds=15)


@pytest.mark.parametrize("number", [1, 8])
def test_a_delivery_is_tried_for_a_day_and_then_given_up(database: Database, number: int) -> None:
    add_edition(database)
    add_reader(database, number)
    clock, recorder = Clock(), Recorder(lambda _message: Outcome.DEFERRED)
    sent = run(database, recorder, clock)
    while sent.next_at:
        clock.now = sent.next_at
        sent = run(database, recorder, clock)
    assert sent.record.state is EditionState.SENT
    assert replies(database)[number] == (STATE.REJECTED, "gave up after 11 tries: try later")
    assert len(recorder.messages) == 11
    pauses = [pause_of(number, tries) for tries in range(1, 11)]
    assert clock.now == NOW + sum(pauses, timedelta())
    added = sum(pauses, timedelta()) - rest_through(10)
    assert rest_through(10) <= timedelta(hours=24)
    assert added == {1: timedelta(), 8: timedelta(hours=3, minutes=40, seconds=51)}[number]


def test_a_refused_delivery_is_rejected_at_once(database: Database) -> None:
    add_edition(database)
    add_readers(database, 3)
    recorder = Recorder(lambda message: Outcome.REJECTED if message.key == 2 else Outcome.ACCEPTED)
    sent = run(database, recorder)
    assert recorder.keys == [1, 2, 3]
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 2, STATE.REJECTED: 1}


def test_a_message_that_reached_no_server_is_handed_over_again(database: Database) -> None:
    add_edition(database)
    add_readers(database, 4)
    recorder = Recorder()
    recorder.answer = lambda message: (
        Outcome.UNSENT if recorder.keys.count(message.key) < 2 else Outcome.ACCEPTED
    )
    sent = run(database, recorder)
    assert recorder.keys == [1, 1, 2, 2, 3, 3, 4, 4]
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 4}


def test_a_server_that_takes_nothing_does_not_keep_us_busy_forever(database: Database) -> None:
    add_edition(database)
    add_readers(database, 2)
    recorder = Recorder(lambda _message: Outcome.UNSENT)
    sent = run(database, recorder)
    assert recorder.keys == [1, 1, 1, 2, 2, 2]
    assert sent.counts.of(STATE.DEFERRED) == 2


def test_an_uncertain_delivery_is_held_and_does_not_keep_the_edition_open(database: Database) -> None:
    add_edition(database)
    add_readers(database, 3)
    recorder = Recorder(lambda message: Outcome.UNCERTAIN if message.key == 3 else Outcome.ACCEPTED)
    sent = run(database, recorder)
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 2, STATE.UNCERTAIN: 1}
    assert sent.record.state is EditionState.SENT


def test_an_uncertain_delivery_can_be_sent_again_with_the_same_message_id(database: Database) -> None:
    add_edition(database)
    add_reader(database, 1)
    clock, recorder = Clock(), Recorder(lambda _message: Outcome.UNCERTAIN)
    rules = RetryRules(doubt=Doubt.RESEND)
    first = run(database, recorder, clock, rules=rules)
    recorder.answer = lambda _message: Outcome.ACCEPTED
    clock.now = first.next_at or NOW
    assert run(database, recorder, clock, rules=rules).record.state is EditionState.SENT
    assert len(recorder.messages) == 2
    assert len({read(message.data)["Message-ID"] for message in recorder.messages}) == 1


def test_failed_deliveries_of_a_sent_edition_can_be_sent_again(database: Database) -> None:
    add_edition(database)
    add_readers(database, 3)
    recorder = Recorder(lambda message: Outcome.REJECTED if message.key == 2 else Outcome.ACCEPTED)
    run(database, recorder)
    with database.write() as connection:
        assert retry(connection, EDITION, [STATE.REJECTED], now=NOW) == 1
        reopen(connection, EDITION)
    recorder.answer = lambda _message: Outcome.ACCEPTED
    sent = run(database, recorder)
    assert recorder.keys == [1, 2, 2, 3]
    assert (sent.record.state, sent.counts.of(STATE.ACCEPTED)) == (EditionState.SENT, 3)


def test_stop_finishes_what_is_on_the_wire_and_leaves_the_rest(database: Database) -> None:
    add_edition(database)
    add_readers(database, 9)
    recorder = Recorder()
    sent = send(
        database,
        EDITION,
        outbox=outbox(recorder),
        clock=Clock(),
        stop=lambda: len(recorder.messages) >= 6,
    )
    assert dict(sent.counts.by_state) == {STATE.QUEUED: 3, STATE.ACCEPTED: 6}
    assert sent.record.state is EditionState.SENDING
    run(database, recorder)
    assert recorder.keys == list(range(1, 10))


def test_a_cancelled_edition_stops_where_it_is(database: Database) -> None:
    add_edition(database)
    add_readers(database, 9)
    recorder = Recorder()

    def cancel() -> None:
        if len(recorder.messages) == 3:
            with database.write() as connection:
                advance(connection, EDITION, EditionState.CANCELLED, StepCause(at=NOW))

    recorder.before_answer = cancel
    sent = run(database, recorder)
    assert recorder.keys == [1, 2, 3]
    assert sent.record.state is EditionState.CANCELLED
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 3, STATE.SKIPPED: 6}


class Refusing(Recorder):
    """Answers the first group, takes the second, and then raises because nothing can be sent."""

    def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
        first, second = next(groups), next(groups)
        self.messages += [*first, *second]
        yield [self.receipt(message) for message in first]
        yield [self.receipt(message) for message in second[:1]]
        raise TransportError("mail.example.org", "login refused")


def test_when_no_message_can_be_sent_only_those_on_the_wire_are_uncertain(database: Database) -> None:
    add_edition(database)
    add_readers(database, 9)
    with pytest.raises(TransportError, match="login refused"):
        run(database, Refusing())
    recorder = Recorder()
    sent = run(database, recorder)
    assert recorder.keys == [7, 8, 9]
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 7, STATE.UNCERTAIN: 2}


def test_an_error_in_a_template_leaves_nothing_uncertain(database: Database) -> None:
    def broken(_chosen: Edition, _links: ReaderLinks, _language: str) -> Email:
        raise TemplateError("mail/edition.html", "no such name")

    add_edition(database)
    add_readers(database, 5)
    with pytest.raises(TemplateError):
        run(database, Recorder(), message_settings=replace(SETTINGS, render=broken))
    recorder = Recorder()
    assert run(database, recorder).record.state is EditionState.SENT
    assert recorder.keys == [1, 2, 3, 4, 5]


class Mute(Recorder):
    """Takes the first group, and is then silent for as long as `sleep` says."""

    def __init__(self, clock: Clock, others: Recorder, database: Database) -> None:
        super().__init__()
        self.clock, self.others, self.database = clock, others, database

    def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
        first = next(groups, ())
        self.messages += first
        self.clock.forward(timedelta(hours=1))
        run(self.database, self.others, self.clock)
        yield [self.receipt(message) for message in first]
        yield from super().carry(groups)


def test_a_sender_that_slept_past_its_lease_repeats_nobody(database: Database) -> None:
    add_edition(database)
    add_readers(database, 8)
    clock, others = Clock(), Recorder()
    sleeper = Mute(clock, others, database)
    sent = run(database, sleeper, clock)
    assert (sleeper.keys, others.keys) == ([1, 2, 3], [4, 5, 6, 7, 8])
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 8}


class Slow(Recorder):
    """Answers one message after the other."""

    def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
        for group in groups:
            yield from super().carry([message] for message in group)


def test_a_sender_at_work_keeps_its_leases(database: Database) -> None:
    add_edition(database)
    add_readers(database, 9)
    clock, slow, others = Clock(), Slow(), Recorder()

    def slowly() -> None:
        clock.forward(timedelta(seconds=50))
        run(database, others, clock)

    slow.before_answer = slowly
    run(database, slow, clock, group=9)
    assert (slow.keys, others.keys) == (list(range(1, 10)), [])


def test_senders_share_what_is_due_a_slice_at_a_time(database: Database) -> None:
    begin(database, readers=9, slices_of=5)
    recorder, others = Recorder(), Recorder()

    def meanwhile() -> None:
        run(database, others)

    recorder.before_answer = meanwhile
    run(database, recorder)
    assert (recorder.keys, others.keys) == ([1, 2, 3, 4, 5], [6, 7, 8, 9])


def test_two_senders_share_an_edition_and_nobody_gets_it_twice(database_url: str, database: Database) -> None:
    add_edition(database)
    add_readers(database, 120)
    start = Barrier(3)

    def one(_number: int) -> Recorder:
        mine, recorder = open_database(database_url), Recorder()
        start.wait()
        send(mine, EDITION, outbox=outbox(recorder), clock=Clock())
        mine.close()
        return recorder

    with ThreadPoolExecutor(3) as pool:
        recorders = list(pool.map(one, range(3)))
    assert sorted(key for recorder in recorders for key in recorder.keys) == list(range(1, 121))
    with database.read() as connection:
        assert load_edition(connection, EDITION).state is EditionState.SENT


def test_a_slice_that_waits_for_one_slow_answer_is_not_lost_while_others_go_out(database: Database) -> None:
    begin(database, readers=6, slices_of=2)
    clock = Clock()

    class OneIsSlow(Recorder):
        """Answers the first message last, and each other group after fifty seconds."""

        def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
            slow: list[Message] = []
            for group in groups:
                self.messages += group
                now = group if slow else group[1:]
                slow = slow or list(group[:1])
                clock.forward(timedelta(seconds=50))
                yield [self.receipt(message) for message in now]
            yield [self.receipt(message) for message in slow]

    slow = OneIsSlow()
    sent = run(database, slow, clock, group=1)
    assert slow.keys == [1, 2, 3, 4, 5, 6]
    assert sent.counts.of(DeliveryState.ACCEPTED) == 6
    assert sent.record.state is EditionState.SENT
