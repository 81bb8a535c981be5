"""Answers that come after another sender has taken the slice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from digest.model.deliveries import Result
from digest.model.editions import EditionState, StepCause
from digest.storage.database import Database
from digest.storage.editions.records import lock_edition
from digest.storage.editions.steps import advance
from digest.storage.ledger.outcomes import list_deliveries, retry
from tests.send.world import EDITION, NOW
from tests.storage.ledger import (
    LATER,
    STATE,
    accepted,
    begin,
    deferred,
    late,
    next_look,
    rejected,
    states,
    step,
    taken,
    until_it_waits,
    with_tables,
)


def lost(database: Database, readers: int) -> None:
    """Let Ana put everybody on the wire, and lose her slice to Ben, who leaves it."""
    begin(database, readers=readers)
    step(database, taken(database), wire=range(1, readers + 1))
    step(database, taken(database, "ben", now=LATER), leaves=True)


def test_a_late_receipt_settles_an_uncertain_delivery(database: Database) -> None:
    lost(database, readers=3)
    late(database, accepted(1), rejected(2))
    assert states(database) == {1: STATE.ACCEPTED, 2: STATE.REJECTED, 3: STATE.UNCERTAIN}


@pytest.mark.parametrize("over", [False, True])
def test_a_late_answer_reopens_a_delivery_only_while_the_edition_is_being_sent(
    database: Database, over: bool
) -> None:
    lost(database, readers=2)
    if over:
        with database.write() as connection:
            advance(connection, EDITION, EditionState.SENT, StepCause(at=LATER))
    late(database, deferred(1, LATER), Result(2, STATE.QUEUED, NOW, None, "not sent"))
    expected = dict.fromkeys((1, 2), STATE.UNCERTAIN) if over else {1: STATE.DEFERRED, 2: STATE.QUEUED}
    assert states(database) == expected
    with database.read() as connection:
        rows = list_deliveries(connection, EDITION)
    assert [(row.code, row.reply) for row in rows] == [(451, "4.7.1 later"), (None, "not sent")]
    assert [row.due_at is None for row in rows] == [over, over]
    assert next_look(database) == (None if over else NOW)


def test_a_late_answer_waits_until_it_is_known_whether_the_edition_is_over(postgresql_url: str) -> None:
    database = with_tables(postgresql_url)
    lost(database, readers=1)
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            lock_edition(connection, EDITION)
            advance(connection, EDITION, EditionState.SENT, StepCause(at=LATER))
            waiting = pool.submit(late, database, deferred(1, LATER))
            until_it_waits(database, waiting)
        waiting.result(timeout=60)
    assert states(database) == {1: STATE.UNCERTAIN}
    database.close()


def test_accepted_is_final_from_any_sender(database: Database) -> None:
    lost(database, readers=1)
    with database.write() as connection:
        retry(connection, EDITION, [STATE.UNCERTAIN], now=NOW)
    ben = taken(database, "ben")
    late(database, accepted(1), owner="ana")
    step(database, ben, rejected(1))
    assert states(database) == {1: STATE.ACCEPTED}


def test_a_late_receipt_other_than_accepted_does_not_change_what_another_sender_has(
    database: Database,
) -> None:
    begin(database, readers=1)
    step(database, taken(database, "ben"), wire=[1])
    late(database, rejected(1), owner="ana")
    assert states(database) == {1: STATE.WIRE}
