"""On PostgreSQL, leases go by the database's clock, so the clocks of the nodes need not agree."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from digest.editions.clocks import check_clock
from digest.model.editions import EditionState
from digest.model.errors import ClockError
from digest.model.messages import Message, Receipt
from digest.model.run_context import utc_now
from digest.send.answers.retries import Doubt, RetryRules
from digest.storage.database import Database, open_database
from digest.storage.ledger import slices
from digest.storage.ledger.senders import date_back_moves
from digest.storage.nodes import take_watch
from digest.storage.tables import deliveries as tables
from digest.storage.tables.schedules import reports
from tests.send.world import EDITION, NOW, Clock, Recorder, add_edition, add_readers, run
from tests.storage.ledger import STATE, begin, states, step, taken, with_tables

AHEAD = timedelta(seconds=125)  # more than a lease


@pytest.mark.parametrize("difference", [AHEAD, -AHEAD])
def test_a_node_with_another_time_takes_nothing_back_and_nobody_is_mailed_twice(
    postgresql_url: str, difference: timedelta
) -> None:
    with_tables(postgresql_url).close()
    database = open_database(postgresql_url)
    add_edition(database)
    add_readers(database, 80)
    here, there = Recorder(), Recorder()
    resend = RetryRules(doubt=Doubt.RESEND)

    def let_the_other_send() -> None:
        here.before_answer = lambda: None
        run(database, there, Clock(NOW + max(difference, timedelta())), rules=resend)

    here.before_answer = let_the_other_send
    sent = run(database, here, Clock(NOW + max(-difference, timedelta())), rules=resend)
    database.close()
    assert there.messages == [], "the first has the only slice"
    assert here.keys == list(range(1, 81))
    assert sent.record.state is EditionState.SENT


@pytest.mark.parametrize("difference", [AHEAD, -AHEAD])
def test_a_node_whose_clock_is_off_is_told_to_send_nothing(
    postgresql_url: str, difference: timedelta
) -> None:
    database = open_database(postgresql_url)
    with pytest.raises(ClockError, match=r"12[45] s (ahead of|behind) the clock of the database"):
        check_clock(database, utc_now() + difference)
    check_clock(database, utc_now() + timedelta(seconds=30))
    database.close()


def test_a_file_has_no_clock_of_its_own(sqlite: Database) -> None:
    check_clock(sqlite, utc_now() + 99 * AHEAD)


@pytest.mark.parametrize("node", [NOW - timedelta(days=9), NOW + timedelta(days=900)])
def test_a_lease_runs_out_by_the_databases_clock_alone(postgresql_url: str, node: datetime) -> None:
    with_tables(postgresql_url).close()
    database = open_database(postgresql_url)
    begin(database, readers=3)
    step(database, taken(database), wire=[1], now=node)
    with database.write() as connection:
        ben = slices.Sender(edition_id=EDITION, owner="ben")
        assert slices.take(connection, ben, now=node, due_by=None) is None
        assert slices.take(connection, replace(ben, lease=timedelta()), now=node, due_by=None)
    assert states(database) == {1: STATE.UNCERTAIN, 2: STATE.QUEUED, 3: STATE.QUEUED}
    database.close()


def test_after_a_failover_a_living_sender_has_a_lease_to_come_back(postgresql_url: str) -> None:
    with_tables(postgresql_url).close()
    database = open_database(postgresql_url)
    begin(database, readers=3)
    step(database, taken(database), wire=[1])
    with database.write() as connection:
        uptime = connection.execute(
            text("SELECT clock_timestamp() - pg_postmaster_start_time()")
        ).scalar_one()
        ben = slices.Sender(edition_id=EDITION, owner="ben", lease=uptime / 2)
        assert take_watch(connection, "a")
        ago = utc_now() - 2 * uptime
        connection.execute(update(tables.slices).values(moved_at=ago))
        connection.execute(update(reports).values(at=min(ago, utc_now() - timedelta(minutes=1))))
        assert take_watch(connection, "b"), "the first after the failover"
        assert slices.take(connection, ben, now=NOW, due_by=None) is None
        connection.execute(update(reports).values(at=ago))
        assert slices.take(connection, ben, now=NOW, due_by=None)
    database.close()


def test_a_start_later_than_now_keeps_no_lease_from_running_out(postgresql_url: str) -> None:
    """A machine that boots with a wrong clock starts PostgreSQL before its clock is put right."""
    with_tables(postgresql_url).close()
    database = open_database(postgresql_url)
    begin(database, readers=3)
    step(database, taken(database), wire=[1])
    tomorrow = (
        "CREATE FUNCTION pg_postmaster_start_time() RETURNS timestamptz RETURN clock_timestamp() + '1 day'"
    )
    with database.write() as connection:
        connection.execute(text("SET LOCAL search_path = public, pg_catalog"))
        connection.execute(text(tomorrow))
        connection.execute(update(tables.slices).values(moved_at=utc_now() - AHEAD))
        ben = slices.Sender(edition_id=EDITION, owner="ben")
        assert slices.take(connection, ben, now=NOW, due_by=None)
    database.close()


def test_a_slice_that_moved_later_than_now_waits_no_longer_than_a_lease(postgresql_url: str) -> None:
    with_tables(postgresql_url).close()
    database = open_database(postgresql_url)
    begin(database, readers=3)
    step(database, taken(database), wire=[1])
    with database.write() as connection:
        connection.execute(update(tables.slices).values(moved_at=utc_now() + timedelta(days=1)))
        date_back_moves(connection)
        moved_at = connection.execute(select(tables.slices.c.moved_at)).scalar_one()
        assert abs(utc_now() - moved_at) < timedelta(minutes=1)
        date_back_moves(connection)
        assert connection.scalar(select(tables.slices.c.moved_at)) == moved_at
    database.close()


def test_a_sender_whose_clock_is_put_back_while_it_waits_keeps_its_slice(postgresql_url: str) -> None:
    with_tables(postgresql_url).close()
    database = open_database(postgresql_url)
    add_edition(database)
    add_readers(database, 3)
    clock, moved = Clock(), list[datetime]()

    class Silent(Recorder):
        """Has no answer at first, and asks for nothing more meanwhile."""

        def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
            first = next(groups, ())
            clock.forward(-timedelta(hours=1))
            for _ in range(2):
                moved.append(_last_move(database))
                yield []
            yield [self.receipt(message) for message in first]

    run(database, Silent(), clock)
    database.close()
    assert moved[0] < moved[1]


def _last_move(database: Database) -> datetime:
    with database.read() as connection:
        moved_at: datetime = connection.execute(select(tables.slices.c.moved_at)).scalar_one()
    return moved_at
