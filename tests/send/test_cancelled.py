"""An edition is cancelled while it goes out: written messages get their answers, all others are skipped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Lock

import pytest

from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState, StepCause
from digest.model.errors import StateError, TransportError
from digest.model.messages import Outcome
from digest.send.answers.retries import Doubt, RetryRules
from digest.storage.database import Database, open_database
from digest.storage.editions.steps import advance
from digest.storage.ledger.cancelled import (
    CANCELLED,
    cancelled_unsettled,
    settle_all_cancelled,
    settle_cancelled,
)
from digest.storage.ledger.outcomes import counts, list_deliveries
from tests.send.world import EDITION, NOW, Recorder, add_edition, add_readers, run
from tests.storage.ledger import LATER, accepted, begin, step, taken, until_it_waits, with_tables


def cancel(database: Database) -> None:
    with database.write() as connection:
        advance(connection, EDITION, EditionState.CANCELLED, StepCause(at=NOW, why="wrong lead"))


def tally(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {state.value: count for state, count in counts(connection, EDITION).by_state}


def test_unsent_deliveries_of_a_cancelled_edition_are_skipped_with_a_reason(
    database_url: str, database: Database
) -> None:
    add_edition(database)
    add_readers(database, 30)
    transport, elsewhere = Recorder(), open_database(database_url)
    transport.before_answer = lambda: cancel(elsewhere) if len(transport.messages) == 6 else None
    sent = run(database, transport)
    elsewhere.close()
    assert len(transport.messages) == 6
    assert sent.record.state is EditionState.CANCELLED
    assert (sent.next_at, sent.outlook) == (None, "")
    assert tally(database) == {"accepted": 6, "skipped": 24}
    with database.read() as connection:
        skipped = list_deliveries(connection, EDITION, states=[DeliveryState.SKIPPED])
    assert {each.reply for each in skipped} == {CANCELLED}


def test_a_message_deferred_after_the_cancellation_is_skipped_too(
    database_url: str, database: Database
) -> None:
    add_edition(database)
    add_readers(database, 30)
    transport, elsewhere = Recorder(lambda _: Outcome.DEFERRED), open_database(database_url)
    transport.before_answer = lambda: cancel(elsewhere) if len(transport.messages) == 3 else None
    run(database, transport)
    elsewhere.close()
    assert tally(database) == {"skipped": 30}


def test_a_slice_of_a_sender_that_is_running_is_left_to_it(database: Database) -> None:
    begin(database, readers=12, slices_of=6)
    ana = taken(database)
    step(database, ana, wire=[1, 2])
    cancel(database)
    settle_cancelled(database, EDITION, NOW)
    assert tally(database) == {"wire": 2, "queued": 4, "skipped": 6}
    assert step(database, ana, accepted(1), accepted(2), leaves=True), "it records its answers and ends"
    settle_cancelled(database, EDITION, NOW)
    assert tally(database) == {"accepted": 2, "skipped": 10}


def test_deliveries_on_the_wire_of_a_dead_sender_are_uncertain_when_its_lease_is_over(
    database: Database,
) -> None:
    begin(database, readers=12)
    step(database, taken(database), wire=[1, 2])
    cancel(database)
    settle_all_cancelled(database, NOW)
    assert tally(database) == {"wire": 2, "queued": 10}
    settle_all_cancelled(database, LATER)
    assert tally(database) == {"uncertain": 2, "skipped": 10}
    with database.read() as connection:
        assert cancelled_unsettled(connection) == ()


def test_unanswered_messages_of_a_cancelled_edition_are_uncertain_even_if_doubt_is_resent(
    database_url: str, database: Database
) -> None:
    add_edition(database)
    add_readers(database, 12)
    transport, elsewhere = Recorder(), open_database(database_url)

    def be_cancelled_and_break() -> None:
        cancel(elsewhere)
        raise TransportError("mail.example.org", "the connection broke")

    transport.before_answer = be_cancelled_and_break
    with pytest.raises(TransportError):
        run(database, transport, rules=RetryRules(doubt=Doubt.RESEND))
    elsewhere.close()
    settle_all_cancelled(database, NOW)
    assert tally(database) == {"uncertain": 3, "skipped": 9}


def test_a_sender_that_ends_while_its_edition_is_being_cancelled_hides_no_doubt(
    postgresql_url: str,
) -> None:
    database = with_tables(postgresql_url)
    add_edition(database)
    add_readers(database, 12)
    transport, ready, go_on = Recorder(), Event(), Event()

    def break_off() -> None:
        ready.set()
        go_on.wait(timeout=60)
        raise TransportError("mail.example.org", "the connection broke")

    transport.before_answer = break_off
    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(run, database, transport, rules=RetryRules(doubt=Doubt.RESEND))
        ready.wait(timeout=60)
        with database.write() as connection:
            advance(connection, EDITION, EditionState.CANCELLED, StepCause(at=NOW))
            go_on.set()
            until_it_waits(database, ending)
        with pytest.raises(TransportError):
            ending.result(timeout=60)
    settle_cancelled(database, EDITION, NOW)
    assert tally(database) == {"uncertain": 3, "skipped": 9}
    database.close()


def test_a_cancellation_that_was_interrupted_is_finished_at_the_next_tick(database: Database) -> None:
    begin(database, readers=12, slices_of=5)
    cancel(database)  # the process died before it had skipped anything
    assert tally(database) == {"queued": 12}
    settle_all_cancelled(database, NOW)
    assert tally(database) == {"skipped": 12}


@pytest.mark.parametrize("state", [EditionState.SENDING, EditionState.SENT])
def test_an_edition_that_is_not_cancelled_is_left_alone(database: Database, state: EditionState) -> None:
    begin(database, readers=3)
    if state is EditionState.SENT:
        with database.write() as connection:
            advance(connection, EDITION, state, StepCause(at=NOW))
    settle_cancelled(database, EDITION, NOW)
    settle_all_cancelled(database, NOW)
    assert tally(database) == {"queued": 3}


def test_with_several_senders_a_cancelled_edition_was_sent_just_to_those_accepted(
    database_url: str, database: Database
) -> None:
    add_edition(database)
    add_readers(database, 400)
    transport = Recorder()

    def cancel_in_the_middle() -> None:
        """Cancel once, while all senders have messages on the wire; on SQLite they could keep us waiting."""
        if len(transport.messages) <= 40:
            return
        with one_at_a_time:
            if not cancelled:
                elsewhere = open_database(database_url)
                cancel(elsewhere)
                settle_cancelled(elsewhere, EDITION, NOW)
                elsewhere.close()
                cancelled.append(True)

    def send_along(_: int) -> None:
        own = open_database(database_url)
        with suppress(StateError):  # it was cancelled before this sender began
            run(own, transport)
        own.close()

    one_at_a_time, cancelled = Lock(), list[bool]()
    transport.before_answer = cancel_in_the_middle
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(send_along, range(3)))
    with database.read() as connection:
        found = list_deliveries(connection, EDITION, limit=400)
    accepted = sorted(each.subscriber_id for each in found if each.state is DeliveryState.ACCEPTED)
    assert 40 < len(accepted) <= 40 + 3 * 3  # one group for each sender
    assert transport.keys == accepted
    assert tally(database) == {"accepted": len(accepted), "skipped": 400 - len(accepted)}
