"""An edition is cancelled while it goes out: written messages get their answers, all others are skipped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Lock

import pytest

from digest.model.deliveries import DeliveryState, Result
from digest.model.editions import EditionState, StepCause
from digest.model.errors import StateError, TransportError
from digest.model.messages import Outcome
from digest.send.retries import Doubt, RetryRules
from digest.storage.database import Database, open_database
from digest.storage.editions.steps import advance
from digest.storage.ledger import addressing
from digest.storage.ledger import deliveries as ledger
from digest.storage.ledger.cancelled import (
    CANCELLED,
    cancelled_unsettled,
    settle_all_cancelled,
    settle_cancelled,
    skip_unsent,
)
from digest.storage.ledger.outcomes import counts, list_deliveries
from digest.storage.ledger.senders import Sender, release
from subscribers.store.mailable import mailable
from tests.send.world import EDITION, NOW, Recorder, add_edition, add_readers, run
from tests.storage.ledger import until_it_waits, with_tables

LEASE = timedelta(minutes=2)
ANA = Sender(edition_id=EDITION, owner="ana", lease=LEASE)


def cancel(database: Database) -> None:
    with database.write() as connection:
        advance(connection, EDITION, EditionState.CANCELLED, StepCause(at=NOW, why="wrong lead"))


def tally(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {state.value: count for state, count in counts(connection, EDITION).by_state}


def begin(database: Database, readers: int) -> None:
    add_edition(database)
    add_readers(database, readers)
    with database.write() as connection:
        advance(connection, EDITION, EditionState.SENDING, StepCause(at=NOW))
        addressing.address(connection, EDITION, mailable("daily", NOW), now=NOW)


def put_on_the_wire(database: Database, *, claimed: int, marked: int) -> frozenset[int]:
    """Let Ana claim some deliveries and mark the first of them."""
    with database.write() as connection:
        page, _ = ledger.claim(connection, ANA, mailable("daily", NOW), now=NOW, limit=claimed)
        assert page
        first = [reader.subscriber_id for reader in page][:marked]
        return ledger.exchange(connection, ANA, mailable("daily", NOW), marks=first, now=NOW)


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


def test_deliveries_on_the_wire_elsewhere_are_left_to_their_sender(database: Database) -> None:
    begin(database, 12)
    on_wire = put_on_the_wire(database, claimed=6, marked=2)
    cancel(database)
    settle_cancelled(database, EDITION, NOW)
    assert tally(database) == {"wire": 2, "skipped": 10}
    with database.write() as connection:
        claimed = {3, 4, 5, 6}
        assert not ledger.exchange(connection, ANA, mailable("daily", NOW), marks=claimed, now=NOW)
        results = [Result(key, DeliveryState.ACCEPTED, None, 250, "queued") for key in on_wire]
        ledger.exchange(connection, ANA, mailable("daily", NOW), results=results, now=NOW)
    assert tally(database) == {"accepted": 2, "skipped": 10}


def test_deliveries_on_the_wire_of_a_dead_sender_are_uncertain_when_its_lease_is_over(
    database: Database,
) -> None:
    begin(database, 12)
    put_on_the_wire(database, claimed=6, marked=2)
    cancel(database)
    settle_all_cancelled(database, NOW)
    assert tally(database) == {"wire": 2, "skipped": 10}
    settle_all_cancelled(database, NOW + LEASE)
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


def test_a_sender_that_ends_while_its_edition_is_being_cancelled_hides_no_doubt(postgresql_url: str) -> None:
    database = with_tables(postgresql_url)
    begin(database, 12)
    put_on_the_wire(database, claimed=6, marked=2)

    def end() -> None:
        with database.write() as connection:
            release(connection, ANA, now=NOW, again=lambda _: True)

    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            advance(connection, EDITION, EditionState.CANCELLED, StepCause(at=NOW))
            ending = pool.submit(end)
            until_it_waits(database, ending)
        ending.result(timeout=60)
    settle_cancelled(database, EDITION, NOW)
    assert tally(database) == {"uncertain": 2, "skipped": 10}
    database.close()


def test_a_cancellation_that_was_interrupted_is_finished_at_the_next_tick(database: Database) -> None:
    begin(database, 12)
    cancel(database)  # the process died before it had skipped anything
    with database.write() as connection:
        assert skip_unsent(connection, EDITION, now=NOW, limit=5) == 5
        assert skip_unsent(connection, EDITION, now=NOW, after=10, limit=5) == 12
        assert skip_unsent(connection, EDITION, now=NOW, after=10, limit=5) is None
    assert tally(database) == {"queued": 5, "skipped": 7}
    settle_all_cancelled(database, NOW)
    assert tally(database) == {"skipped": 12}


@pytest.mark.parametrize("state", [EditionState.SENDING, EditionState.SENT])
def test_an_edition_that_is_not_cancelled_is_left_alone(database: Database, state: EditionState) -> None:
    begin(database, 3)
    if state is EditionState.SENT:
        with database.write() as connection:
            advance(connection, EDITION, state, StepCause(at=NOW))
    settle_cancelled(database, EDITION, NOW)
    settle_all_cancelled(database, NOW)
    with database.write() as connection:
        assert skip_unsent(connection, EDITION, now=NOW, limit=5) is None
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
