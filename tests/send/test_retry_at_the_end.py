"""An operator retries deliveries in the moment in which the edition ends: none of them is forgotten."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

from sqlalchemy import text

from digest.editions.send import try_again
from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState, StepCause
from digest.model.messages import Outcome
from digest.send.finish import Sent
from digest.send.send import send
from digest.storage.database import Database
from digest.storage.editions.records import load_edition, lock_edition
from digest.storage.editions.steps import advance
from digest.storage.ledger.outcomes import counts, retry
from tests.send.world import EDITION, NOW, Clock, Recorder, add_edition, add_readers, outbox
from tests.storage.ledger import STATE, until_it_waits, with_tables

REJECTED = [DeliveryState.REJECTED]


def test_an_edition_does_not_end_while_deliveries_are_being_retried(postgresql_url: str) -> None:
    database = with_tables(postgresql_url)
    add_edition(database)
    add_readers(database, 3)
    on_the_wire, retrying = Event(), Event()
    transport = Recorder(lambda _: Outcome.REJECTED)

    def wait_for_the_operator() -> None:
        on_the_wire.set()
        retrying.wait(timeout=60)

    transport.before_answer = wait_for_the_operator
    with ThreadPoolExecutor(1) as pool:
        sending: Future[Sent] = pool.submit(
            send,
            database,
            EDITION,
            outbox=outbox(transport),
            clock=Clock(),
            stop=lambda: bool(transport.messages),
        )
        on_the_wire.wait(timeout=60)
        with database.write() as connection:
            # This lock lets the sender record its answers.
            locked = f"SELECT state FROM editions WHERE id = '{EDITION}' FOR NO KEY UPDATE"
            connection.execute(text(locked))
            retrying.set()
            until_it_waits(database, sending)
            assert retry(connection, EDITION, REJECTED, now=NOW) == 3
        sent = sending.result(timeout=60)
    assert sent.record.state is EditionState.SENDING
    assert queued_in_state(database) == (EditionState.SENDING, 3)
    database.close()


def test_a_retry_waits_until_the_edition_has_ended(postgresql_url: str) -> None:
    database = with_tables(postgresql_url)
    add_edition(database)
    add_readers(database, 3)
    send(database, EDITION, outbox=outbox(Recorder(lambda _: Outcome.REJECTED)), clock=Clock())
    with database.write() as connection:
        connection.execute(text("UPDATE editions SET state = 'sending'"))
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            lock_edition(connection, EDITION)
            assert not counts(connection, EDITION).open
            retrying = pool.submit(try_again, database, EDITION, REJECTED, now=NOW)
            until_it_waits(database, retrying)
            advance(connection, EDITION, EditionState.SENT, StepCause(at=NOW))
        assert retrying.result(timeout=60) == 3
    assert queued_in_state(database) == (EditionState.SENDING, 3)
    database.close()


def queued_in_state(database: Database) -> tuple[EditionState, int]:
    with database.read() as connection:
        return load_edition(connection, EDITION).state, counts(connection, EDITION).of(STATE.QUEUED)
