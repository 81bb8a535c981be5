from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, text

from digest.model.deliveries import Result
from digest.model.editions import StepCause
from digest.storage.database import Database, open_database
from digest.storage.editions.steps import pause as stop
from digest.storage.ledger import deliveries as ledger
from digest.storage.ledger import senders
from digest.storage.ledger.outcomes import list_deliveries, next_due
from digest.storage.ledger.queue import end_queue
from digest.storage.migrate import migrate, upgrade
from subscribers.store.mailable import mailable
from tests.send.world import EDITION, NOW, add_reader, add_readers, leave
from tests.storage.ledger import (
    ANA,
    BEN,
    LATER,
    STATE,
    accepted,
    addressed,
    begin,
    goes_at_once,
    put_off,
    states,
    taken,
    with_tables,
)


def test_deliveries_with_a_time_are_found_by_the_index(database: Database) -> None:
    begin(database, readers=20)
    with database.read() as connection:
        assert "ix_deliveries_due" in plan(connection)


NEXT_AT_ONCE = (
    f"SELECT subscriber_id FROM deliveries WHERE edition_id = '{EDITION}' AND state IN ('queued', 'deferred')"
    " AND due_at IS NULL AND subscriber_id > 5 ORDER BY subscriber_id LIMIT 10"
)


def test_an_edition_without_statistics_is_not_sorted_for_each_group(
    postgresql_url: str,
) -> None:
    database = with_tables(postgresql_url)
    begin(database, readers=2_000)
    with database.write() as connection:
        before = "\n".join(connection.scalars(text(f"EXPLAIN {NEXT_AT_ONCE}")))
        ledger.take(connection, ANA, mailable("daily", NOW), limit=2, now=NOW)
        after = "\n".join(connection.scalars(text(f"EXPLAIN {NEXT_AT_ONCE}")))
    database.close()
    assert ("Sort" in before, "Sort" in after) == (True, False)


def test_deliveries_that_go_at_once_are_in_no_index_and_are_found_by_reader(database: Database) -> None:
    begin(database, readers=20)
    with database.read() as connection:
        found = explained(connection, NEXT_AT_ONCE).lower()
    assert "ix_deliveries_due" not in found
    assert "pk_deliveries" in found or "primary key" in found
    assert "subscriber_id>" in found.replace(" ", "")


def test_a_sender_that_continues_from_a_place_does_not_read_the_rows_before_it(database: Database) -> None:
    begin(database, readers=20)
    behind = "(due_at, subscriber_id) > ('2026-11-22 07:00:00.000000', 5)"
    with database.read() as connection:
        found = plan(connection, f"AND {behind}")
    index, _, condition = found.partition("ix_deliveries_due")
    assert index
    assert "due_at,subscriber_id)>" in condition.replace("ROW", "").replace(" ", "")


def plan(connection: Connection, more: str = "") -> str:
    query = (
        "SELECT subscriber_id FROM deliveries WHERE edition_id = 'x' AND state IN ('queued', 'deferred')"
        f" AND due_at <= '2026-11-22 07:00:00.000000' {more} ORDER BY due_at, subscriber_id LIMIT 10"
    )
    return explained(connection, query)


def explained(connection: Connection, query: str) -> str:
    if connection.dialect.name == "postgresql":  # for twenty rows, no planner uses an index
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        return "\n".join(connection.scalars(text(f"EXPLAIN {query}")))
    return "\n".join(row[-1] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}")))


def test_take_claims_and_marks_in_one_step(database: Database) -> None:
    begin(database, 3)
    assert taken(database)[0] == [1, 2]
    assert states(database) == {1: STATE.WIRE, 2: STATE.WIRE, 3: STATE.QUEUED}


def test_a_sender_continues_at_its_place_and_starts_over_for_deliveries_that_came_back(
    database: Database,
) -> None:
    begin(database, 5)
    first, place = taken(database)
    second, place = taken(database, ANA, Result(1, STATE.QUEUED, NOW, None, "not sent"), after=place)
    third, place = taken(database, after=place)
    fourth, place = taken(database, after=place)
    assert (first, second, third, fourth) == ([1, 2], [3, 4], [5], [1])
    assert taken(database, after=place)[0] is None


def test_senders_that_take_at_the_same_time_never_take_the_same_delivery(database: Database) -> None:
    begin(database, 6)
    assert taken(database)[0] == [1, 2]
    other, place = taken(database, BEN)
    assert other == [3, 4]
    assert taken(database)[0] == [5, 6]
    assert taken(database, BEN, after=place)[0] is None


def test_an_unsubscribed_reader_is_skipped_and_not_taken(database: Database) -> None:
    begin(database, 3)
    leave(database, 1)
    leave(database, 2)
    group, place = taken(database)
    assert group == [3]
    assert not taken(database, after=place)[0]
    assert states(database) == {1: STATE.SKIPPED, 2: STATE.SKIPPED, 3: STATE.WIRE}


def test_nothing_is_taken_of_a_paused_edition_and_answers_are_kept(database: Database) -> None:
    begin(database, 3)
    taken(database)
    with database.write() as connection:
        stop(connection, EDITION, StepCause(at=NOW, why=""))
    assert taken(database, ANA, Result(1, STATE.ACCEPTED, None, 250, "ok"))[0] is None
    assert states(database) == {1: STATE.ACCEPTED, 2: STATE.WIRE, 3: STATE.QUEUED}


def test_a_marked_delivery_that_was_never_written_is_due_again(database: Database) -> None:
    begin(database, 2)
    taken(database)
    with database.write() as connection:
        senders.let_go(connection, ANA, [1], now=NOW)
    assert states(database) == {1: STATE.QUEUED, 2: STATE.WIRE}
    assert taken(database, BEN)[0] == [1]


def test_deliveries_that_were_passed_by_are_found_in_the_final_pass(database: Database) -> None:
    begin(database, 7)
    assert taken(database, BEN)[0] == [1, 2]
    first, place = taken(database, limit=3)
    with database.write() as connection:
        senders.release(connection, BEN, now=NOW, again=lambda _: True)
    second, place = taken(database, after=place, limit=3)
    third, place = taken(database, after=place, limit=3)
    fourth, place = taken(database, after=place, limit=3)
    assert (first, second, third, fourth) == ([3], [4, 5, 6], [7], [1, 2])
    assert taken(database, after=place)[0] is None


def test_those_whose_time_has_come_go_after_those_that_go_at_once(database: Database) -> None:
    begin(database, 5)
    put_off(database, 1, NOW - timedelta(minutes=5))
    put_off(database, 2, NOW - timedelta(minutes=9))
    put_off(database, 3, NOW + timedelta(minutes=1))
    first, place = taken(database, limit=3)
    second, place = taken(database, after=place, limit=3)
    assert (first, second) == ([4, 5], [2, 1])
    assert taken(database, after=place)[0] is None


def test_in_a_queue_that_others_hold_the_next_that_is_free_is_taken(database: Database) -> None:
    begin(database, 9)
    assert taken(database, BEN, limit=7)[0] == [1, 2, 3, 4, 5, 6, 7]
    assert taken(database, limit=3)[0] == [8, 9]


def test_once_nobody_is_left_to_go_at_once_nobody_is_looked_for_again(database: Database) -> None:
    begin(database, 2)
    taken(database)
    with database.write() as connection:
        end_queue(connection, EDITION)
    assert goes_at_once(database), "while they are on the wire they may come back"
    taken(database, ANA, accepted(1), Result(2, STATE.DEFERRED, LATER, 451, "later"))
    with database.write() as connection:
        end_queue(connection, EDITION)
        assert next_due(connection, EDITION) == LATER
    assert not goes_at_once(database)
    add_reader(database, 3)
    addressed(database)
    assert goes_at_once(database)
    assert taken(database)[0] == [3]


def test_a_sender_that_finds_nobody_left_to_go_at_once_notes_it(database: Database) -> None:
    begin(database, 2)
    _, place = taken(database)
    _, place = taken(database, after=place)
    assert goes_at_once(database), "they are still on the wire"
    taken(database, ANA, accepted(1), accepted(2), after=place)
    assert not goes_at_once(database)


def test_deliveries_that_go_at_once_are_due_since_the_edition_began(database: Database) -> None:
    begin(database, 2)
    put_off(database, 1, LATER)
    with database.read() as connection:
        assert next_due(connection, EDITION) == NOW


def test_a_settled_delivery_has_no_due_time(database: Database) -> None:
    begin(database, 3)
    for number in (1, 2, 3):
        put_off(database, number, NOW)
    leave(database, 3)
    taken(database, limit=3)
    taken(database, ANA, accepted(1), Result(2, STATE.REJECTED, None, 550, "no"))
    with database.read() as connection:
        assert {row.due_at for row in list_deliveries(connection, EDITION)} == {None}


def test_an_older_ledger_continues_where_it_was(empty_url: str) -> None:
    database = open_database(empty_url)
    upgrade(database, "0004")
    with database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO editions"
                " (id, digest, local_date, state, cutoff_at, send_at, started_at, snapshot, hash)"
                " VALUES (:id, 'daily', '2026-11-22', 'sending', :now, :now, :now, '', '')"
            ),
            {"id": EDITION, "now": "2026-11-22 07:00:00"},
        )
    add_readers(database, 3)
    with database.write() as connection:
        for number, state in enumerate(("queued", "accepted", "deferred"), start=1):
            connection.execute(
                text(
                    "INSERT INTO deliveries"
                    " (edition_id, subscriber_id, variant, state, due_at, tries, changed_at)"
                    " VALUES (:id, :number, '', :state, :now, 1, :now)"
                ),
                {"id": EDITION, "number": number, "state": state, "now": "2026-11-22 07:00:00"},
            )
    migrate(database)
    assert taken(database)[0] == [1, 3]
    with database.read() as connection:
        assert [row.tries for row in list_deliveries(connection, EDITION)] == [1, 1, 1]
    database.close()
