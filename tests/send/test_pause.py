"""Editions are paused and resumed by an operator, and paused when every message is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import timedelta

import pytest

from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState, StepCause
from digest.model.errors import StateError
from digest.model.messages import Message, Outcome, Receipt
from digest.send.answers.refusals import ENOUGH
from digest.send.send import send
from digest.storage.database import Database, open_database
from digest.storage.editions.records import load_edition
from digest.storage.editions.steps import advance, pause, resume
from digest.storage.ledger.outcomes import list_deliveries
from subscribers.rules.answers import Answered
from tests.send.world import EDITION, NOW, Clock, Recorder, add_edition, add_readers, outbox, run


def pause_now(database: Database) -> None:
    with database.write() as connection:
        pause(connection, EDITION, StepCause(at=NOW, why="wrong lead?"))


def resume_now(database: Database) -> None:
    with database.write() as connection:
        resume(connection, EDITION, StepCause(at=NOW))


def test_nothing_more_of_a_paused_edition_is_taken_after_the_commit(
    database_url: str, database: Database
) -> None:
    add_edition(database)
    add_readers(database, 30)
    transport, elsewhere = Recorder(), open_database(database_url)

    def pause_once() -> None:
        if len(transport.messages) == 6:
            pause_now(elsewhere)

    transport.before_answer = pause_once
    sent = run(database, transport)
    elsewhere.close()
    assert len(transport.messages) == 6
    assert (sent.record.state, sent.next_at) == (EditionState.SENDING, None)
    assert sent.counts.of(DeliveryState.QUEUED) == 24
    assert sent.outlook == f"paused (wrong lead?): run `digest resume {EDITION}` to continue"


def test_a_resumed_edition_goes_to_all_readers_who_have_not_had_it(database: Database) -> None:
    add_edition(database)
    add_readers(database, 30)
    transport = Recorder()
    transport.before_answer = lambda: pause_now(database) if len(transport.messages) == 9 else None
    run(database, transport)
    resume_now(database)
    sent = run(database, transport)
    assert sent.record.state is EditionState.SENT
    assert transport.keys == list(range(1, 31))
    assert (sent.record.reason, sent.record.paused_at) == ("", None)


@pytest.mark.parametrize("approved", [True, False])
def test_a_paused_edition_does_not_begin(database: Database, approved: bool) -> None:
    add_edition(database, approved=approved)
    add_readers(database, 3)
    pause_now(database)
    with pytest.raises(
        StateError, match=f"and paused and cannot be sent; resume it with: digest resume {EDITION}"
    ):
        run(database, Recorder())


def test_an_approved_edition_that_is_resumed_late_counts_as_approved_then(database: Database) -> None:
    add_edition(database)
    pause_now(database)
    later = NOW + timedelta(hours=9)
    with database.write() as connection:
        assert resume(connection, EDITION, StepCause(at=later)).approved_at == later


def test_a_draft_is_still_a_draft_when_it_is_resumed(database: Database) -> None:
    add_edition(database, approved=False)
    pause_now(database)
    resume_now(database)
    with database.read() as connection:
        record = load_edition(connection, EDITION)
    assert (record.state, record.approved_at) == (EditionState.DRAFT, None)


def test_pausing_twice_and_resuming_an_edition_that_is_not_paused_are_refused(database: Database) -> None:
    add_edition(database)
    with pytest.raises(StateError, match="is approved and cannot be resumed"):
        resume_now(database)
    pause_now(database)
    with pytest.raises(StateError, match="is approved and paused and cannot be paused"):
        pause_now(database)


def test_a_paused_edition_can_be_cancelled_and_then_is_not_paused_any_more(database: Database) -> None:
    add_edition(database)
    pause_now(database)
    with database.write() as connection:
        record = advance(connection, EDITION, EditionState.CANCELLED, StepCause(at=NOW, why="wrong lead"))
    assert (record.state, record.paused_at, record.reason) == (EditionState.CANCELLED, None, "wrong lead")


def test_an_edition_whose_messages_are_all_refused_with_one_code_is_paused(database: Database) -> None:
    add_edition(database)
    add_readers(database, 200)
    transport = Recorder(lambda _: Outcome.REJECTED)
    sent = run(database, transport)
    assert len(transport.messages) <= ENOUGH + 3
    assert sent.record.paused_at == NOW
    assert (
        "51 messages were refused with none accepted between them; the last answer was: 550 no such user"
        in sent.record.reason
    )
    assert sent.counts.of(DeliveryState.QUEUED) == 200 - len(transport.messages)


def test_messages_deferred_with_one_code_do_not_pause_it(database: Database) -> None:
    add_edition(database)
    add_readers(database, 200)
    sent = run(database, Recorder(lambda _: Outcome.DEFERRED))
    assert sent.record.paused_at is None
    assert sent.counts.of(DeliveryState.DEFERRED) == 200


def test_a_stopped_sender_waits_for_a_silent_server_only_as_long_as_drain_says(database: Database) -> None:
    add_edition(database)
    add_readers(database, 30)
    clock = Clock()
    transport = _Silent(clock)
    box = outbox(transport, drain=timedelta(seconds=20))
    sent = send(database, EDITION, outbox=box, clock=clock, stop=lambda: bool(transport.messages))
    assert clock.now == NOW + timedelta(seconds=20)
    assert sent.counts.of(DeliveryState.UNCERTAIN) == len(transport.messages) == 3
    assert sent.counts.of(DeliveryState.QUEUED) == 27


class _Silent(Recorder):
    """Takes messages and answers none; yields an empty list each second."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
        for group in groups:
            self.messages += group
            yield []
        while True:
            self.clock.forward(timedelta(seconds=1))
            yield []


class Answering(Recorder):
    """A transport that answers each message as a server would."""

    def __init__(self, reply: Callable[[int], Receipt]) -> None:
        super().__init__()
        self._reply = reply

    def receipt(self, message: Message) -> Receipt:
        return self._reply(len(self.messages))._replace(key=message.key)


TAKEN = Receipt(0, Outcome.ACCEPTED, 250, "2.0.0", "queued")
QUOTA = Receipt(0, Outcome.REJECTED, 550, "5.1.1", "you have used up your daily limit", Answered.RECIPIENT)
STRANGE = Receipt(0, Outcome.REJECTED, 554, None, "no")


def test_a_quota_that_is_used_up_pauses_the_edition_and_nobody_loses_a_try(database: Database) -> None:
    add_edition(database)
    add_readers(database, 200)
    transport = Answering(lambda sent: TAKEN if sent <= 60 else QUOTA)
    sent = run(database, transport)
    assert sent.record.paused_at == NOW
    assert "the quota of this sending account is used up" in sent.record.reason
    assert sent.counts.of(DeliveryState.REJECTED) == 0
    assert len(transport.messages) <= 60 + ENOUGH + 3
    assert tries(database) == {0: 140, 1: 60}


def test_when_sending_is_paused_what_was_rejected_in_the_row_waits_again(database: Database) -> None:
    add_edition(database)
    add_readers(database, 200)
    transport = Answering(lambda sent: TAKEN if sent <= 60 else STRANGE)
    sent = run(database, transport)
    assert (sent.counts.of(DeliveryState.REJECTED), sent.counts.of(DeliveryState.ACCEPTED)) == (0, 60)
    assert tries(database) == {0: 140, 1: 60}
    with database.write() as connection:
        resume(connection, EDITION, StepCause(at=NOW))
    transport = Answering(lambda _: TAKEN)
    assert run(database, transport).counts.of(DeliveryState.ACCEPTED) == 200


def test_a_small_edition_that_is_refused_because_of_us_is_paused_at_its_end(database: Database) -> None:
    add_edition(database)
    add_readers(database, 5)
    denied = Receipt(0, Outcome.REJECTED, 554, "5.7.1", "Relay access denied", Answered.RECIPIENT)
    sent = run(database, Answering(lambda _: denied))
    assert sent.record.paused_at == NOW
    assert sent.counts.of(DeliveryState.DEFERRED) == 5
    assert tries(database) == {0: 5}


def tries(database: Database) -> Counter[int]:
    with database.read() as connection:
        return Counter(row.tries for row in list_deliveries(connection, EDITION, limit=1_000))
