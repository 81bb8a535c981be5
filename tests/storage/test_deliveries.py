from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, select, text, update

from digest.model import DeliveryState, EditionState
from digest.send.message import Addressee
from digest.send.retries import Result
from digest.storage import addressing, senders, settling
from digest.storage import deliveries as ledger
from digest.storage.database import Database, open_database
from digest.storage.migrate import migrate
from digest.storage.outcomes import choices, counts, list_deliveries, next_due, retry
from digest.storage.queue import START, Place, end_queue
from digest.storage.senders import Sender
from digest.storage.steps import advance
from digest.storage.steps import pause as stop
from digest.storage.tables import deliveries, editions, metadata
from digest.storage.upgrade import upgrade
from subscribers.store import mailable
from tests.send.world import EDITION, NOW, add_edition, add_reader, add_readers, leave, pause, suppress

LEASE = timedelta(minutes=2)
ANA = Sender(edition_id=EDITION, owner="ana", lease=LEASE)
BEN = Sender(edition_id=EDITION, owner="ben", lease=LEASE)
LATER = NOW + LEASE
STATE = DeliveryState


def begin(database: Database, readers: int = 0) -> None:
    add_edition(database)
    add_readers(database, readers)
    with database.write() as connection:
        advance(connection, EDITION, EditionState.SENDING, NOW)
    addressed(database)


def addressed(database: Database) -> int:
    with database.write() as connection:
        return addressing.address(connection, EDITION, mailable("daily", NOW), now=NOW)


def claimed(database: Database, sender: Sender = ANA, *, at: int = 0, limit: int = 100) -> list[Addressee]:
    now = NOW + timedelta(seconds=at)
    with database.write() as connection:
        page, _ = ledger.claim(connection, sender, mailable("daily", now), now=now, limit=limit)
    return list(page or ())


def marked(database: Database, ids: Sequence[int], sender: Sender = ANA) -> list[int]:
    with database.write() as connection:
        return sorted(ledger.exchange(connection, sender, mailable("daily", NOW), marks=ids, now=NOW))


def settled(database: Database, *results: Result, sender: Sender = ANA) -> None:
    with database.write() as connection:
        ledger.exchange(connection, sender, mailable("daily", NOW), results=results, now=NOW)


def taken(
    database: Database, sender: Sender = ANA, *results: Result, after: Place = START, limit: int = 2
) -> tuple[list[int] | None, Place]:
    with database.write() as connection:
        readers = mailable("daily", NOW)
        group, place = ledger.take(
            connection, sender, readers, results=results, after=after, limit=limit, now=NOW
        )
    return None if group is None else [reader.subscriber_id for reader in group], place


def states(database: Database) -> dict[int, DeliveryState]:
    with database.read() as connection:
        rows = list_deliveries(connection, EDITION, limit=1000)
    return {row.subscriber_id: row.state for row in rows}


def accepted(key: int) -> Result:
    return Result(key, STATE.ACCEPTED, None, 250, "2.0.0 queued")


def ids(page: Sequence[Addressee]) -> list[int]:
    return [reader.subscriber_id for reader in page]


def test_addressing_twice_gives_everybody_one_delivery(database: Database) -> None:
    begin(database, readers=5)
    assert addressed(database) == 0
    add_reader(database, 6)
    assert addressed(database) == 1
    assert states(database) == dict.fromkeys(range(1, 7), STATE.QUEUED)


def test_only_who_may_be_mailed_is_addressed(database: Database) -> None:
    add_edition(database)
    add_readers(database, 4)
    leave(database, 1)
    suppress(database, 2)
    pause(database, 3, NOW + timedelta(days=1))
    addressed(database)
    assert list(states(database)) == [4]


def test_a_claim_brings_what_a_letter_needs(database: Database) -> None:
    begin(database)
    add_reader(database, 7, "climate", form="text")
    addressed(database)
    assert claimed(database) == [Addressee(7, "reader7@example.org", "climate", "text", 0, "en")]


def test_two_senders_never_claim_the_same_delivery(database: Database) -> None:
    begin(database, readers=7)
    pages = [claimed(database, sender, limit=3) for sender in (ANA, BEN, ANA, BEN)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert sorted(key for page in pages for key in ids(page)) == list(range(1, 8))


def test_two_who_claim_at_once_claim_in_turn(postgresql_url: str) -> None:
    postgresql_database = with_tables(postgresql_url)
    begin(postgresql_database, readers=6)
    with ThreadPoolExecutor(1) as pool:
        with postgresql_database.write() as connection:
            first, _ = ledger.claim(connection, ANA, mailable("daily", NOW), now=NOW, limit=4)
            waiting = pool.submit(claimed, postgresql_database, BEN, limit=4)
        second = waiting.result(timeout=60)
    assert [ids(first or ()), ids(second)] == [[1, 2, 3, 4], [5, 6]]
    postgresql_database.close()


def test_who_left_before_the_claim_is_skipped_with_a_reason(database: Database) -> None:
    begin(database, readers=4)
    leave(database, 1)
    suppress(database, 2)
    pause(database, 3, NOW + timedelta(days=1))
    assert ids(claimed(database)) == [4]
    assert ids(claimed(database)) == []
    with database.read() as connection:
        skipped = list_deliveries(connection, EDITION, states=[STATE.SKIPPED])
    assert {row.subscriber_id: row.reply for row in skipped} == dict.fromkeys((1, 2, 3), settling.GONE)


def test_who_left_after_the_claim_is_not_written_to(database: Database) -> None:
    begin(database, readers=4)
    page = ids(claimed(database))
    leave(database, 2)
    assert marked(database, page) == [1, 3, 4]
    assert states(database) == {1: STATE.WIRE, 2: STATE.SKIPPED, 3: STATE.WIRE, 4: STATE.WIRE}


def test_nothing_of_a_cancelled_edition_is_claimed_or_marked(database: Database) -> None:
    begin(database, readers=4)
    page = ids(claimed(database, limit=2))
    with database.write() as connection:
        advance(connection, EDITION, EditionState.CANCELLED, NOW)
    assert marked(database, page) == []
    assert claimed(database) == []
    assert states(database) == {1: STATE.CLAIMED, 2: STATE.CLAIMED, 3: STATE.QUEUED, 4: STATE.QUEUED}


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


def test_what_was_on_the_wire_of_a_dead_sender_is_uncertain(database: Database) -> None:
    begin(database, readers=3)
    claimed(database)
    marked(database, [2])
    with database.write() as connection:
        assert senders.expire(connection, EDITION, now=LATER) == 3
    assert states(database) == {1: STATE.QUEUED, 2: STATE.UNCERTAIN, 3: STATE.QUEUED}


def test_or_is_sent_again_when_that_is_the_rule_but_not_for_ever(database: Database) -> None:
    begin(database, readers=1)
    seen = []
    for _ in range(4):
        seen += [reader.tries for reader in claimed(database)]
        marked(database, [1])
        with database.write() as connection:
            senders.expire(connection, EDITION, now=LATER, resends=3)
    assert seen == [0, 1, 2, 3]
    assert states(database) == {1: STATE.UNCERTAIN}


def test_a_receipt_that_comes_after_all_settles_a_doubt(database: Database) -> None:
    begin(database, readers=3)
    claimed(database)
    marked(database, [1, 2, 3])
    with database.write() as connection:
        senders.expire(connection, EDITION, now=LATER)
    settled(database, accepted(1), Result(2, STATE.REJECTED, None, 550, "no such user"))
    assert states(database) == {1: STATE.ACCEPTED, 2: STATE.REJECTED, 3: STATE.UNCERTAIN}


def test_accepted_is_final_whoever_says_so(database: Database) -> None:
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


def test_a_receipt_other_than_accepted_does_not_touch_what_another_sender_owns(database: Database) -> None:
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


def test_giving_up_queues_what_was_claimed_and_doubts_what_was_on_the_wire(database: Database) -> None:
    begin(database, readers=4)
    claimed(database, limit=2)
    claimed(database, BEN)
    marked(database, [1])
    with database.write() as connection:
        assert senders.release(connection, ANA, now=NOW) == 2
    assert states(database) == {1: STATE.UNCERTAIN, 2: STATE.QUEUED, 3: STATE.CLAIMED, 4: STATE.CLAIMED}


def test_choices_that_leave_nothing_are_skipped(database: Database) -> None:
    begin(database, readers=8)
    with database.write() as connection:
        assert addressing.variants(connection, EDITION) == ("", "-sport", "climate", "space")
        addressing.skip_variants(connection, EDITION, ["climate", "space"], reason="nothing", now=NOW)
        assert dict(counts(connection, EDITION).by_state) == {STATE.QUEUED: 4, STATE.SKIPPED: 4}


def test_deliveries_are_listed_in_pages(database: Database) -> None:
    begin(database, readers=5)
    with database.read() as connection:
        first = list_deliveries(connection, EDITION, limit=3)
        rest = list_deliveries(connection, EDITION, after=first[-1].subscriber_id, limit=3)
        none = list_deliveries(connection, EDITION, states=[STATE.REJECTED])
    assert [row.subscriber_id for row in (*first, *rest)] == [1, 2, 3, 4, 5]
    assert none == ()


def test_who_it_would_go_to_is_counted_by_choice(database: Database) -> None:
    begin(database, readers=4)
    add_reader(database, 5, "climate", form="text")
    with database.read() as connection:
        everybody = choices(connection, mailable("daily", NOW))
        waiting = choices(connection, mailable("daily", NOW), EDITION)
    assert everybody == (
        ("", "html", 1),
        ("-sport", "html", 1),
        ("climate", "html", 1),
        ("climate", "text", 1),
        ("space", "html", 1),
    )
    assert sum(count for _, _, count in waiting) == 4


@pytest.fixture
def failed(database: Database) -> Database:
    begin(database)
    for number, host in enumerate(["example.org", "Example.ORG", "other.test", "notexample.org"], start=1):
        add_reader(database, number, address=f"reader{number}@{host}")
    addressed(database)
    claimed(database)
    marked(database, [1, 2, 3, 4])
    settled(database, *(Result(key, STATE.REJECTED, None, 550 + key // 4, "no") for key in (1, 3, 4)))
    settled(database, Result(2, STATE.UNCERTAIN, None, None, "the line broke"))
    return database


def test_failed_deliveries_are_queued_again_by_state_code_and_domain(failed: Database) -> None:
    with failed.write() as connection:
        assert retry(connection, EDITION, [STATE.REJECTED], now=NOW, code=551) == 1
        assert (
            retry(connection, EDITION, [STATE.REJECTED, STATE.UNCERTAIN], now=NOW, domain="example.org") == 2
        )
    assert states(failed) == {1: STATE.QUEUED, 2: STATE.QUEUED, 3: STATE.REJECTED, 4: STATE.QUEUED}
    assert [reader.tries for reader in claimed(failed)] == [0, 0, 0]


def test_what_was_accepted_can_not_be_asked_for_again(failed: Database) -> None:
    with failed.write() as connection, pytest.raises(ValueError, match="only deferred, rejected, uncertain"):
        retry(connection, EDITION, [STATE.ACCEPTED], now=NOW)


def test_those_with_a_time_are_found_by_the_index_of_times(database: Database) -> None:
    begin(database, readers=20)
    with database.read() as connection:
        assert "ix_deliveries_due" in plan(connection)


NEXT_AT_ONCE = (
    f"SELECT subscriber_id FROM deliveries WHERE edition_id = '{EDITION}' AND state IN ('queued', 'deferred')"
    " AND due_at IS NULL AND subscriber_id > 5 ORDER BY subscriber_id LIMIT 10"
)


def test_an_edition_of_which_postgresql_knows_nothing_yet_is_not_sorted_for_each_group(
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


def test_those_that_go_at_once_stand_in_no_index_and_are_found_by_reader(database: Database) -> None:
    begin(database, readers=20)
    with database.read() as connection:
        found = explained(connection, NEXT_AT_ONCE).lower()
    assert "ix_deliveries_due" not in found
    assert "pk_deliveries" in found or "primary key" in found
    assert "subscriber_id>" in found.replace(" ", "")


def test_who_goes_on_from_a_place_does_not_read_what_lies_before_it(database: Database) -> None:
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
    if connection.dialect.name == "postgresql":  # twenty rows are fewer than any planner needs an index for
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        return "\n".join(connection.scalars(text(f"EXPLAIN {query}")))
    return "\n".join(row[-1] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}")))


def with_tables(url: str) -> Database:
    database = open_database(url)
    with database.write() as connection:
        metadata.create_all(connection)
    return database


def test_what_is_taken_is_claimed_and_marked_at_once(database: Database) -> None:
    begin(database, 3)
    assert taken(database)[0] == [1, 2]
    assert states(database) == {1: STATE.WIRE, 2: STATE.WIRE, 3: STATE.QUEUED}


def test_a_sender_goes_on_where_it_was_and_begins_again_for_what_came_back(database: Database) -> None:
    begin(database, 5)
    first, place = taken(database)
    second, place = taken(database, ANA, Result(1, STATE.QUEUED, NOW, None, "not sent"), after=place)
    third, place = taken(database, after=place)
    fourth, place = taken(database, after=place)
    assert (first, second, third, fourth) == ([1, 2], [3, 4], [5], [1])
    assert taken(database, after=place)[0] is None


def test_senders_that_take_at_the_same_time_never_take_the_same(database: Database) -> None:
    begin(database, 6)
    assert taken(database)[0] == [1, 2]
    other, place = taken(database, BEN)
    assert other == [3, 4]
    assert taken(database)[0] == [5, 6]
    assert taken(database, BEN, after=place)[0] is None


def test_whoever_left_is_skipped_and_not_taken(database: Database) -> None:
    begin(database, 3)
    leave(database, 1)
    leave(database, 2)
    group, place = taken(database)
    assert group == [3]
    assert not taken(database, after=place)[0]
    assert states(database) == {1: STATE.SKIPPED, 2: STATE.SKIPPED, 3: STATE.WIRE}


def test_nothing_is_taken_of_a_paused_edition_and_what_was_answered_is_kept(database: Database) -> None:
    begin(database, 3)
    taken(database)
    with database.write() as connection:
        stop(connection, EDITION, NOW, reason="")
    assert taken(database, ANA, Result(1, STATE.ACCEPTED, None, 250, "ok"))[0] is None
    assert states(database) == {1: STATE.ACCEPTED, 2: STATE.WIRE, 3: STATE.QUEUED}


def test_what_was_marked_and_never_written_is_due_again(database: Database) -> None:
    begin(database, 2)
    taken(database)
    with database.write() as connection:
        senders.let_go(connection, ANA, [1], now=NOW)
    assert states(database) == {1: STATE.QUEUED, 2: STATE.WIRE}
    assert taken(database, BEN)[0] == [1]


def test_who_was_passed_by_is_looked_for_at_the_end(database: Database) -> None:
    begin(database, 7)
    assert taken(database, BEN)[0] == [1, 2]
    first, place = taken(database, limit=3)
    with database.write() as connection:
        senders.release(connection, BEN, now=NOW, resends=1)
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


def test_what_goes_at_once_is_due_since_the_edition_began(database: Database) -> None:
    begin(database, 2)
    put_off(database, 1, LATER)
    with database.read() as connection:
        assert next_due(connection, EDITION) == NOW


def test_what_is_over_has_no_due_time(database: Database) -> None:
    begin(database, 3)
    for number in (1, 2, 3):
        put_off(database, number, NOW)
    leave(database, 3)
    taken(database, limit=3)
    taken(database, ANA, accepted(1), Result(2, STATE.REJECTED, None, 550, "no"))
    with database.read() as connection:
        assert {row.due_at for row in list_deliveries(connection, EDITION)} == {None}


def test_a_ledger_from_before_goes_on_where_it_was(database_url: str) -> None:
    database = open_database(database_url)
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


def put_off(database: Database, number: int, due_at: datetime) -> None:
    with database.write() as connection:
        connection.execute(
            update(deliveries).where(deliveries.c.subscriber_id == number).values(due_at=due_at)
        )


def goes_at_once(database: Database) -> bool:
    with database.read() as connection:
        return bool(connection.scalar(select(editions.c.at_once)))
