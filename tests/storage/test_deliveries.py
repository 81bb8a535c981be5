from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from digest.model.deliveries import Recipient, Result
from digest.model.editions import EditionState, StepCause
from digest.storage.database import Database
from digest.storage.editions.records import lock_edition
from digest.storage.editions.steps import advance
from digest.storage.editions.steps import pause as pause_edition
from digest.storage.ledger import addressing, senders, settling
from digest.storage.ledger import deliveries as ledger
from digest.storage.ledger.outcomes import counts, list_deliveries, next_due, retry
from subscribers.store.mailable import mailable
from tests.send.world import EDITION, NOW, add_edition, add_reader, add_readers, leave, pause, suppress
from tests.storage.ledger import (
    ANA,
    BEN,
    LATER,
    STATE,
    accepted,
    addressed,
    begin,
    claimed,
    ids,
    marked,
    settled,
    states,
    until_it_waits,
    with_tables,
)


def test_addressing_twice_gives_everybody_one_delivery(database: Database) -> None:
    begin(database, readers=5)
    assert addressed(database) == 0
    add_reader(database, 6)
    assert addressed(database) == 1
    assert states(database) == dict.fromkeys(range(1, 7), STATE.QUEUED)


def test_only_mailable_readers_are_addressed(database: Database) -> None:
    add_edition(database)
    add_readers(database, 4)
    leave(database, 1)
    suppress(database, 2)
    pause(database, 3, NOW + timedelta(days=1))
    addressed(database)
    assert list(states(database)) == [4]


def test_a_claim_returns_what_a_message_needs(database: Database) -> None:
    begin(database)
    add_reader(database, 7, "climate", form="text")
    addressed(database)
    assert claimed(database) == [Recipient(7, "reader7@example.org", "climate", "text", 0, "en")]


def test_two_senders_never_claim_the_same_delivery(database: Database) -> None:
    begin(database, readers=7)
    pages = [claimed(database, sender, limit=3) for sender in (ANA, BEN, ANA, BEN)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert sorted(key for page in pages for key in ids(page)) == list(range(1, 8))


def test_two_senders_who_claim_at_once_claim_in_turn(postgresql_url: str) -> None:
    postgresql_database = with_tables(postgresql_url)
    begin(postgresql_database, readers=6)
    with ThreadPoolExecutor(1) as pool:
        with postgresql_database.write() as connection:
            first, _ = ledger.claim(connection, ANA, mailable("daily", NOW), now=NOW, limit=4)
            waiting = pool.submit(claimed, postgresql_database, BEN, limit=4)
        second = waiting.result(timeout=60)
    assert [ids(first or ()), ids(second)] == [[1, 2, 3, 4], [5, 6]]
    postgresql_database.close()


def test_a_reader_who_unsubscribed_before_the_claim_is_skipped_with_a_reason(database: Database) -> None:
    begin(database, readers=4)
    leave(database, 1)
    suppress(database, 2)
    pause(database, 3, NOW + timedelta(days=1))
    assert ids(claimed(database)) == [4]
    assert ids(claimed(database)) == []
    with database.read() as connection:
        skipped = list_deliveries(connection, EDITION, states=[STATE.SKIPPED])
    assert {row.subscriber_id: row.reply for row in skipped} == dict.fromkeys(
        (1, 2, 3), settling.NO_LONGER_MAILABLE
    )


def test_a_reader_who_unsubscribed_after_the_claim_is_not_written_to(database: Database) -> None:
    begin(database, readers=4)
    page = ids(claimed(database))
    leave(database, 2)
    assert marked(database, page) == [1, 3, 4]
    assert states(database) == {1: STATE.WIRE, 2: STATE.SKIPPED, 3: STATE.WIRE, 4: STATE.WIRE}


def test_nothing_of_a_cancelled_edition_is_claimed_or_marked(database: Database) -> None:
    begin(database, readers=4)
    page = ids(claimed(database, limit=2))
    with database.write() as connection:
        advance(connection, EDITION, EditionState.CANCELLED, StepCause(at=NOW))
    assert marked(database, page) == []
    assert claimed(database) == []
    assert states(database) == {1: STATE.CLAIMED, 2: STATE.CLAIMED, 3: STATE.QUEUED, 4: STATE.QUEUED}


def test_a_step_that_marks_waits_for_a_pause(postgresql_url: str) -> None:
    database = with_tables(postgresql_url)
    begin(database, readers=2)
    claimed(database)
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            pause_edition(connection, EDITION, StepCause(at=NOW, why="wrong lead?"))
            marking = pool.submit(marked, database, [1, 2])
            until_it_waits(database, marking)
        assert marking.result() == []
    database.close()


def test_a_sender_that_overslept_its_lease_marks_nothing(database: Database) -> None:
    begin(database, readers=2)
    page = ids(claimed(database))
    with database.write() as connection:
        assert senders.expire(connection, EDITION, now=LATER) == 2
    assert ids(claimed(database, BEN)) == page
    assert marked(database, page, ANA) == []
    assert marked(database, page, BEN) == page


def test_a_lease_that_is_renewed_does_not_run_out(database: Database) -> None:
    begin(database, readers=2)
    claimed(database)
    with database.write() as connection:
        senders.renew(connection, ANA, now=LATER - timedelta(seconds=1))
        assert senders.expire(connection, EDITION, now=LATER) == 0


def test_deliveries_on_the_wire_of_a_dead_sender_are_uncertain(database: Database) -> None:
    begin(database, readers=3)
    claimed(database)
    marked(database, [2])
    with database.write() as connection:
        assert senders.expire(connection, EDITION, now=LATER) == 3
    assert states(database) == {1: STATE.QUEUED, 2: STATE.UNCERTAIN, 3: STATE.QUEUED}


def test_deliveries_of_a_dead_sender_can_be_sent_again_but_not_forever(database: Database) -> None:
    begin(database, readers=1)
    seen = []
    for _ in range(4):
        seen += [reader.tries for reader in claimed(database)]
        marked(database, [1])
        with database.write() as connection:
            senders.expire(connection, EDITION, now=LATER, again=lambda tries: tries <= 3)
    assert seen == [0, 1, 2, 3]
    assert states(database) == {1: STATE.UNCERTAIN}


def test_each_delivery_of_a_dead_sender_is_decided_by_its_own_tries(database: Database) -> None:
    begin(database, readers=3)
    claimed(database)
    marked(database, [1, 2])
    settled(database, Result(1, STATE.DEFERRED, NOW, 451, "later"))
    claimed(database)
    marked(database, [1, 3])
    asked: list[int] = []

    def is_second(tries: int) -> bool:
        asked.append(tries)
        return tries == 2

    with database.write() as connection:
        senders.expire(connection, EDITION, now=LATER, again=is_second)
    assert sorted(asked) == [1, 1, 2]
    assert states(database) == {1: STATE.DEFERRED, 2: STATE.UNCERTAIN, 3: STATE.UNCERTAIN}
    with database.read() as connection:
        rows = list_deliveries(connection, EDITION)
    assert [(row.tries, row.due_at) for row in rows] == [(2, NOW), (1, None), (1, None)]


def test_a_late_receipt_settles_an_uncertain_delivery(database: Database) -> None:
    begin(database, readers=3)
    claimed(database)
    marked(database, [1, 2, 3])
    with database.write() as connection:
        senders.expire(connection, EDITION, now=LATER)
    settled(database, accepted(1), Result(2, STATE.REJECTED, None, 550, "no such user"))
    assert states(database) == {1: STATE.ACCEPTED, 2: STATE.REJECTED, 3: STATE.UNCERTAIN}


@pytest.mark.parametrize("over", [False, True])
def test_a_late_answer_reopens_a_delivery_only_while_the_edition_is_being_sent(
    database: Database, over: bool
) -> None:
    begin(database, readers=2)
    claimed(database)
    marked(database, [1, 2])
    with database.write() as connection:
        senders.expire(connection, EDITION, now=LATER)
        if over:
            advance(connection, EDITION, EditionState.SENT, StepCause(at=LATER))
    deferred, unsent = (
        (1, STATE.DEFERRED, LATER, 451, "4.7.1 later"),
        (2, STATE.QUEUED, NOW, None, "not sent"),
    )
    settled(database, Result(*deferred), Result(*unsent))
    expected = dict.fromkeys((1, 2), STATE.UNCERTAIN) if over else {1: STATE.DEFERRED, 2: STATE.QUEUED}
    assert states(database) == expected
    with database.read() as connection:
        rows = list_deliveries(connection, EDITION)
    assert [(row.code, row.reply) for row in rows] == [(451, "4.7.1 later"), (None, "not sent")]
    assert [row.due_at is None for row in rows] == [over, over]


def test_a_late_answer_waits_until_it_is_known_whether_the_edition_is_over(postgresql_url: str) -> None:
    database = with_tables(postgresql_url)
    begin(database, readers=1)
    claimed(database)
    marked(database, [1])
    with database.write() as connection:
        senders.expire(connection, EDITION, now=LATER)
    deferred = Result(1, STATE.DEFERRED, LATER, 451, "later")
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            lock_edition(connection, EDITION)
            advance(connection, EDITION, EditionState.SENT, StepCause(at=LATER))
            waiting = pool.submit(settled, database, deferred)
            until_it_waits(database, waiting)
        waiting.result(timeout=60)
    assert states(database) == {1: STATE.UNCERTAIN}
    database.close()


def test_accepted_is_final_from_any_sender(database: Database) -> None:
    begin(database, readers=1)
    claimed(database)
    marked(database, [1])
    with database.write() as connection:
        senders.expire(connection, EDITION, now=LATER)
        retry(connection, EDITION, [STATE.UNCERTAIN], now=NOW)
    assert ids(claimed(database, BEN)) == [1]
    settled(database, accepted(1), sender=ANA)
    assert marked(database, [1], BEN) == []
    settled(database, Result(1, STATE.REJECTED, None, 550, ""), sender=BEN)
    assert states(database) == {1: STATE.ACCEPTED}


def test_a_late_receipt_other_than_accepted_does_not_change_what_another_sender_owns(
    database: Database,
) -> None:
    begin(database, readers=1)
    claimed(database, BEN)
    marked(database, [1], BEN)
    settled(database, Result(1, STATE.REJECTED, None, 550, "no"), sender=ANA)
    assert states(database) == {1: STATE.WIRE}


def test_a_deferred_delivery_comes_back_at_its_time(database: Database) -> None:
    begin(database, readers=1)
    claimed(database)
    marked(database, [1])
    due_at = NOW + timedelta(minutes=5)
    settled(database, Result(1, STATE.DEFERRED, due_at, 451, "4.7.1 later"))
    assert claimed(database, at=299) == []
    with database.read() as connection:
        assert next_due(connection, EDITION) == due_at
    assert [reader.tries for reader in claimed(database, at=300)] == [1]


def test_a_receipt_is_kept_with_code_and_reply(database: Database) -> None:
    begin(database, readers=1)
    claimed(database)
    marked(database, [1])
    settled(database, Result(1, STATE.REJECTED, None, 550, "5.1.1 no such user"))
    with database.read() as connection:
        (row,) = list_deliveries(connection, EDITION)
    assert (row.code, row.reply, row.tries, row.address) == (
        550,
        "5.1.1 no such user",
        1,
        "reader1@example.org",
    )


def test_a_release_queues_claims_and_makes_deliveries_on_the_wire_uncertain(database: Database) -> None:
    begin(database, readers=4)
    claimed(database, limit=2)
    claimed(database, BEN)
    marked(database, [1])
    with database.write() as connection:
        assert senders.release(connection, ANA, now=NOW) == 2
    assert states(database) == {1: STATE.UNCERTAIN, 2: STATE.QUEUED, 3: STATE.CLAIMED, 4: STATE.CLAIMED}


def test_a_release_waits_for_a_lock_on_the_senders_row(postgresql_url: str) -> None:
    database = with_tables(postgresql_url)
    begin(database, readers=2)
    claimed(database)

    def release() -> int:
        with database.write() as connection:
            return senders.release(connection, ANA, now=NOW)

    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            senders.renew(connection, ANA, now=NOW)
            releasing = pool.submit(release)
            until_it_waits(database, releasing)
        assert releasing.result(timeout=60) == 2
    assert states(database) == dict.fromkeys((1, 2), STATE.QUEUED)
    database.close()


def test_choices_that_leave_nothing_are_skipped(database: Database) -> None:
    begin(database, readers=8)
    with database.write() as connection:
        assert addressing.variants(connection, EDITION) == ("", "-sport", "climate", "space")
        chosen = ["climate", "space"]
        assert addressing.skip_variants(connection, EDITION, chosen, reason="nothing", now=NOW) == 4
        assert dict(counts(connection, EDITION).by_state) == {STATE.QUEUED: 4, STATE.SKIPPED: 4}
