"""The deliveries of an edition are sent in slices, each by one sender at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import text

from digest.model.deliveries import Recipient
from digest.storage.database import Database, open_database
from digest.storage.ledger import deliveries as ledger
from digest.storage.ledger import settling, slices
from digest.storage.ledger.outcomes import list_deliveries, retry
from digest.storage.ledger.slices import Sender
from digest.storage.migrate import migrate, upgrade
from tests.send.world import EDITION, NOW, add_reader, add_readers, leave, pause, suppress
from tests.storage.ledger import (
    LATER,
    STATE,
    accepted,
    addressed,
    begin,
    deferred,
    late,
    next_look,
    put_off,
    recipients,
    rejected,
    states,
    step,
    take,
    taken,
    until_it_waits,
    with_tables,
)

# ── taking ──────────────────────────────────────────────────────────────────────────────────


def test_two_senders_never_have_the_same_slice(database: Database) -> None:
    begin(database, readers=6, slices_of=2)
    assert [taken(database, owner).due for owner in ("ana", "ben", "ana")] == [[1, 2], [3, 4], [5, 6]]
    assert take(database, "ben") is None


def test_a_sender_that_takes_a_slice_does_not_wait_for_one_that_writes(postgresql_url: str) -> None:
    database = with_tables(postgresql_url)
    begin(database, readers=4, slices_of=2)
    ana = taken(database)
    with ThreadPoolExecutor(1) as pool, database.write() as connection:
        assert ledger.write(connection, ledger.Step(slice=ana.held, wire=[1, 2]), now=NOW)
        # Her transaction is open. Ben takes another slice, writes to it and leaves it.
        ben = pool.submit(lambda: taken(database, "ben")).result(timeout=60)
        assert pool.submit(lambda: step(database, ben, wire=[3])).result(timeout=60)
        assert pool.submit(lambda: step(database, ben, accepted(3), leaves=True)).result(timeout=60)
    assert states(database) == {1: STATE.WIRE, 2: STATE.WIRE, 3: STATE.ACCEPTED, 4: STATE.QUEUED}
    database.close()


def test_the_slice_that_has_been_due_longest_is_taken_first(database: Database) -> None:
    begin(database, readers=6, slices_of=2)
    first, second = taken(database), taken(database)
    step(database, first, leaves=True, now=NOW + timedelta(minutes=5))
    step(database, second, leaves=True, now=NOW + timedelta(minutes=3))
    now = NOW + timedelta(minutes=6)
    assert [taken(database, now=now).due for _ in range(3)] == [[5, 6], [3, 4], [1, 2]]


def test_those_whose_time_has_not_come_wait_in_their_slice(database: Database) -> None:
    begin(database, readers=3)
    put_off(database, 1, NOW - timedelta(minutes=5))
    put_off(database, 3, NOW + timedelta(minutes=9))
    ana = taken(database)
    assert ana.due == [1, 2]
    step(database, ana, accepted(1), accepted(2), leaves=True)
    assert next_look(database) == NOW + timedelta(minutes=9)
    assert take(database, now=NOW + timedelta(minutes=8)) is None
    assert taken(database, now=NOW + timedelta(minutes=9)).due == [3]


def test_a_slice_of_which_nothing_is_open_is_never_taken_again(database: Database) -> None:
    begin(database, readers=2)
    ana = taken(database)
    step(database, ana, accepted(1), rejected(2), leaves=True)
    assert next_look(database) is None
    assert take(database, now=NOW + timedelta(days=9)) is None


# ── recipients ──────────────────────────────────────────────────────────────────────────────


def test_a_recipient_has_what_a_message_needs(database: Database) -> None:
    begin(database)
    add_reader(database, 7, "climate", form="text")
    addressed(database)
    ana = taken(database)
    assert recipients(database, ana) == [Recipient(7, "reader7@example.org", "climate", "text", 0, "en")]


def test_those_who_may_no_longer_be_mailed_are_no_recipients(database: Database) -> None:
    begin(database, readers=4)
    ana = taken(database)
    leave(database, 1)
    suppress(database, 2)
    pause(database, 3, NOW + timedelta(days=1))
    assert [reader.subscriber_id for reader in recipients(database, ana)] == [4]
    step(database, ana, *settling.skipped([1, 2, 3]), wire=[4])
    with database.read() as connection:
        rows = list_deliveries(connection, EDITION, states=[STATE.SKIPPED])
    assert [(row.subscriber_id, row.reply, row.tries) for row in rows] == [
        (key, settling.NO_LONGER_MAILABLE, 0) for key in (1, 2, 3)
    ]


def test_a_delivery_that_a_late_answer_has_settled_does_not_go(database: Database) -> None:
    begin(database, readers=3)
    step(database, taken(database), wire=[1, 2])
    ben = taken(database, "ben", now=LATER, again=lambda _tries: True)
    assert ben.due == [1, 2, 3]
    late(database, accepted(1))
    assert [reader.subscriber_id for reader in recipients(database, ben)] == [2, 3]


# ── steps ───────────────────────────────────────────────────────────────────────────────────


def test_a_step_marks_and_settles(database: Database) -> None:
    begin(database, readers=3)
    ana = taken(database)
    assert step(database, ana, wire=[1, 2])
    assert states(database) == {1: STATE.WIRE, 2: STATE.WIRE, 3: STATE.QUEUED}
    assert step(database, ana, accepted(1), wire=[2, 3])
    assert states(database) == {1: STATE.ACCEPTED, 2: STATE.WIRE, 3: STATE.WIRE}


def test_a_receipt_is_kept_with_code_and_reply(database: Database) -> None:
    begin(database, readers=1)
    ana = taken(database)
    step(database, ana, wire=[1])
    step(database, ana, rejected(1))
    with database.read() as connection:
        (row,) = list_deliveries(connection, EDITION)
    assert (row.code, row.reply, row.tries) == (550, "5.1.1 no such user", 1)
    assert (row.address, row.due_at) == ("reader1@example.org", None)


def test_a_deferred_delivery_comes_back_at_its_time(database: Database) -> None:
    begin(database, readers=1)
    ana = taken(database)
    step(database, ana, wire=[1])
    due_at = NOW + timedelta(minutes=5)
    step(database, ana, deferred(1, due_at), leaves=True)
    assert next_look(database) == due_at
    assert take(database, now=due_at - timedelta(seconds=1)) is None
    assert [reader.tries for reader in recipients(database, taken(database, now=due_at))] == [1]


def test_a_delivery_that_waits_for_a_limit_is_due_at_its_turn(database: Database) -> None:
    begin(database, readers=2)
    ana = taken(database)
    turn = NOW + timedelta(hours=1)
    step(database, ana, accepted(1), turns=[(2, turn)], leaves=True)
    assert next_look(database) == turn
    assert states(database) == {1: STATE.ACCEPTED, 2: STATE.QUEUED}


# ── fences ──────────────────────────────────────────────────────────────────────────────────


def test_a_sender_that_overslept_its_lease_writes_nothing(database: Database) -> None:
    begin(database, readers=3)
    ana = taken(database)
    assert take(database, "ben", now=LATER - timedelta(seconds=1)) is None
    ben = taken(database, "ben", now=LATER)
    assert ben.due == ana.due
    assert not step(database, ana, rejected(1), wire=[2], turns=[(3, LATER)], leaves=True)
    assert states(database) == dict.fromkeys((1, 2, 3), STATE.QUEUED)
    assert step(database, ben, accepted(1), wire=[2])


def test_each_step_renews_the_lease(database: Database) -> None:
    begin(database, readers=2)
    step(database, taken(database), now=LATER - timedelta(seconds=1))
    assert take(database, "ben", now=LATER) is None
    assert take(database, "ben", now=LATER + timedelta(minutes=2))


def test_a_slice_of_a_sender_that_has_ended_is_free_at_once(database: Database) -> None:
    begin(database, readers=2)
    taken(database)
    assert take(database, "ben", ended=["cem"]) is None
    assert take(database, "ben", ended=["ana"])


def test_deliveries_on_the_wire_of_a_dead_sender_are_uncertain(database: Database) -> None:
    begin(database, readers=3)
    step(database, taken(database), wire=[2])
    ben = taken(database, "ben", now=LATER)
    assert (ben.doubted, ben.due) == (1, [1, 3])
    assert states(database) == {1: STATE.QUEUED, 2: STATE.UNCERTAIN, 3: STATE.QUEUED}


def test_deliveries_of_a_dead_sender_can_be_sent_again_but_not_forever(database: Database) -> None:
    begin(database, readers=1)
    seen = []
    for number in range(5):
        now = NOW + number * timedelta(minutes=2)
        hand = take(database, f"sender {number}", now=now, again=lambda tries: tries <= 3)
        if hand and hand.due:
            seen += [reader.tries for reader in recipients(database, hand)]
            step(database, hand, wire=[1], now=now)
    assert seen == [0, 1, 2, 3]
    assert states(database) == {1: STATE.UNCERTAIN}


def test_each_delivery_of_a_dead_sender_is_decided_by_its_own_tries(database: Database) -> None:
    begin(database, readers=3)
    ana = taken(database)
    step(database, ana, wire=[1, 2])
    step(database, ana, deferred(1, NOW), wire=[2])
    step(database, ana, wire=[1, 2, 3])
    asked: list[int] = []

    def is_second(tries: int) -> bool:
        asked.append(tries)
        return tries == 2

    taken(database, "ben", now=LATER, again=is_second)
    assert sorted(asked) == [1, 1, 2]
    assert states(database) == {1: STATE.DEFERRED, 2: STATE.UNCERTAIN, 3: STATE.UNCERTAIN}
    with database.read() as connection:
        rows = list_deliveries(connection, EDITION)
    assert [(row.tries, row.due_at) for row in rows] == [(2, NOW), (1, None), (1, None)]


def test_a_sender_that_is_taken_from_waits_for_the_one_that_takes_and_then_writes_nothing(
    postgresql_url: str,
) -> None:
    database = with_tables(postgresql_url)
    begin(database, readers=2)
    ana = taken(database)
    step(database, ana, wire=[1])
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            ben = Sender(edition_id=EDITION, owner="ben")
            assert slices.take(connection, ben, now=LATER, due_by=LATER)
            writing = pool.submit(step, database, ana, rejected(1))
            until_it_waits(database, writing)
        assert writing.result(timeout=60) is False
    assert states(database) == {1: STATE.UNCERTAIN, 2: STATE.QUEUED}
    database.close()


def test_a_sender_gives_back_slices_that_it_does_not_know_it_has(database: Database) -> None:
    begin(database, readers=4, slices_of=2)
    first = taken(database)
    taken(database)  # the connection was lost after the commit
    with database.write() as connection:
        ana = Sender(edition_id=EDITION, owner="ana")
        slices.keep_only(connection, ana, [first.held.number], now=NOW)
    assert taken(database, "ben").due == [3, 4]
    assert step(database, first, wire=[1])


# ── changes from outside ────────────────────────────────────────────────────────────────────


def test_a_retry_is_seen_by_a_sender_that_is_leaving_the_slice(postgresql_url: str) -> None:
    database = with_tables(postgresql_url)
    begin(database, readers=2)
    ana = taken(database)
    step(database, ana, rejected(1), accepted(2))
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            assert retry(connection, EDITION, [STATE.REJECTED], now=NOW) == 1
            leaving = pool.submit(step, database, ana, leaves=True)
            until_it_waits(database, leaving)
        assert leaving.result(timeout=60)
    assert next_look(database) == NOW
    assert taken(database).due == [1]
    database.close()


def test_only_slices_with_deliveries_that_are_tried_again_are_due_again(database: Database) -> None:
    begin(database, readers=6, slices_of=2)
    for _ in range(3):
        ana = taken(database)
        step(database, ana, *(rejected(key) if key == 4 else accepted(key) for key in ana.due), leaves=True)
    with database.write() as connection:
        retry(connection, EDITION, [STATE.REJECTED], now=LATER)
    assert taken(database, now=LATER).due == [4]
    assert take(database, now=LATER) is None


def test_a_ledger_from_before_there_were_slices_goes_on_where_it_was(empty_url: str) -> None:
    database = open_database(empty_url)
    upgrade(database, "0032")
    add_readers(database, 5)
    now = "2026-11-22 07:00:00"
    with database.write() as connection:
        for edition_id, state in ((EDITION, "sending"), ("daily-2026-11-21", "sent")):
            connection.execute(
                text(
                    "INSERT INTO editions"
                    " (id, digest, local_date, state, cutoff_at, send_at, started_at, snapshot, hash)"
                    " VALUES (:id, 'daily', :day, :state, :now, :now, :now, '', '')"
                ),
                {"id": edition_id, "day": edition_id[6:], "state": state, "now": now},
            )
        queued = "queued", "accepted", "deferred", "queued", "queued"
        rejected_once = ["accepted"] * 4 + ["rejected"]
        for edition_id, found in ((EDITION, queued), ("daily-2026-11-21", rejected_once)):
            for number, state in enumerate(found, start=1):
                connection.execute(
                    text(
                        "INSERT INTO deliveries"
                        " (edition_id, subscriber_id, variant, state, due_at, tries, changed_at)"
                        " VALUES (:id, :number, '', :state, :due, 0, :now)"
                    ),
                    {
                        "id": edition_id,
                        "number": number,
                        "state": state,
                        "due": now if state == "deferred" else None,
                        "now": now,
                    },
                )
        connection.execute(
            text("INSERT INTO senders VALUES (:id, 'ana', :now, :none, :four)"),
            {"id": EDITION, "now": now, "none": b"", "four": (4).to_bytes(8, "little")},
        )
    migrate(database)
    assert taken(database).due == [1, 3, 5]
    assert states(database)[4] is STATE.UNCERTAIN
    with database.write() as connection:
        assert retry(connection, "daily-2026-11-21", [STATE.REJECTED], now=NOW) == 1
        earlier = Sender(edition_id="daily-2026-11-21", owner="ana")
        assert slices.take(connection, earlier, now=NOW, due_by=NOW)
    database.close()
