from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Update, select, text, update

from digest.model.nodes import KnownNode, Node, Work
from digest.model.run_context import utc_now
from digest.storage.database import Database, open_database
from digest.storage.nodes import (
    beat,
    forget_silent,
    is_watched,
    known_nodes,
    leave,
    newest_version,
    take_watch,
)
from digest.storage.tables.nodes import nodes
from digest.storage.tables.schedules import WATCH, WATCH_RESUMED, reports
from tests.storage.ledger import until_it_waits

START = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
A_MOMENT = timedelta(seconds=5)  # a beat is saved and read within this time


def node(name: str = "a", *, version: str = "0.1.0", now: datetime | None = None) -> Node:
    return Node(
        id=name,
        host="harbour",
        pid=100 + ord(name[0]),
        version=version,
        queues=("send", "address"),
        lines=4,
        started_at=START,
        beat_at=now or utc_now(),
        work=(Work(kind="send", subject="daily-2026-11-22 slice 3", since_at=START),),
        sent=5_000_000_000,
        rate=812.5,
        note="Version 0.2.0 is at work, so this node takes no more.",
    )


def beats(database: Database, *found: Node) -> None:
    with database.write() as connection:
        for each in found:
            beat(connection, each)


def known(database: Database) -> tuple[KnownNode, ...]:
    with database.read() as connection:
        return known_nodes(connection)


def move(database: Database, name: str, by: timedelta) -> None:
    """Let the last beat of a node be earlier or later."""
    (at,) = [each.node.beat_at for each in known(database) if each.node.id == name]
    with database.write() as connection:
        connection.execute(update(nodes).where(nodes.c.id == name).values(beat_at=at + by))


def names(found: Sequence[KnownNode]) -> list[str]:
    return [each.node.id for each in found]


def test_what_a_node_says_is_kept_until_it_says_something_else(database: Database) -> None:
    said = node()
    beats(database, replace(said, sent=1, rate=0.0, work=()), said)
    (found,) = known(database)
    assert found.silent < A_MOMENT
    assert abs(found.node.ahead) < A_MOMENT
    begun = found.node.work[0].since_at
    assert abs(found.node.started_at - START) < A_MOMENT
    assert abs(begun - START) < A_MOMENT
    work = (replace(said.work[0], since_at=begun),)
    exact = replace(said, beat_at=found.node.beat_at, started_at=found.node.started_at, work=work)
    assert found.node == replace(exact, ahead=found.node.ahead)


def test_a_node_that_ends_in_order_is_forgotten_at_once(database: Database) -> None:
    beats(database, node("a"), node("b"))
    with database.write() as connection:
        leave(connection, "a")
    assert names(known(database)) == ["b"]


def test_a_node_without_three_beats_is_silent_and_forgotten_after_a_day(database: Database) -> None:
    beats(database, node("a"), node("b"), node("c"))
    move(database, "a", -timedelta(hours=25))
    move(database, "b", -timedelta(seconds=9))
    assert [each.is_silent for each in known(database)] == [True, True, False]
    with database.write() as connection:
        assert forget_silent(connection) == 1
    assert names(known(database)) == ["b", "c"]


def test_a_beat_later_than_now_is_of_a_node_that_is_gone(database: Database) -> None:
    """The clock of the database was put back; a living node beats again within three seconds."""
    beats(database, node("a"))
    move(database, "a", timedelta(minutes=5))
    assert known(database)[0].is_silent


@pytest.mark.parametrize("minutes", [-5, 5])
def test_the_times_of_a_node_with_a_wrong_clock_are_corrected(postgresql_url: str, minutes: int) -> None:
    database, off = open_database(postgresql_url), timedelta(minutes=minutes)
    its_now = utc_now() + off
    work = (Work(kind="send", subject="daily-2026-11-22 slice 3", since_at=its_now - timedelta(seconds=20)),)
    with database.write() as connection:
        ahead = beat(connection, replace(node(), beat_at=its_now, started_at=its_now, work=work))
    (found,) = known(database)
    database.close()
    assert abs(ahead - off) < A_MOMENT
    assert found.node.ahead == ahead
    assert found.has_wrong_clock
    assert found.silent < A_MOMENT
    assert abs(found.node.started_at - found.node.beat_at) < A_MOMENT
    assert abs(found.node.beat_at - found.node.work[0].since_at - timedelta(seconds=20)) < A_MOMENT


def test_the_newest_version_is_that_of_a_node_at_work(database: Database) -> None:
    with database.read() as connection:
        assert newest_version(connection) == ""
    beats(database, node("a", version="0.9"), node("b", version="0.10"), node("c", version="0.11"))
    move(database, "c", -timedelta(seconds=9))
    with database.read() as connection:
        assert newest_version(connection) == "0.10"


def watch(database: Database, name: str) -> bool:
    with database.write() as connection:
        return take_watch(connection, name)


def test_one_of_many_nodes_has_the_watch_for_two_seconds(database: Database) -> None:
    def taken() -> int:
        return sum(pool.map(lambda name: watch(database, name), "abcdefgh"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: known(database), range(8)))  # opens the connections, which can take a while
        assert taken() == 1
        for ago in (timedelta(seconds=2), -timedelta(hours=1)):  # it is over, or the clock was put back
            with database.write() as connection:
                connection.execute(update(reports).values(at=utc_now() - ago))
            assert taken() == 1
        assert not watch(database, "a")


def test_a_node_that_is_frozen_with_the_watch_does_not_keep_it(postgresql_url: str) -> None:
    """A frozen node does not commit. PostgreSQL then ends its transaction, on which the other nodes wait."""
    longest = text("SHOW idle_in_transaction_session_timeout")
    database = open_database(postgresql_url)
    with database.read() as connection:
        usual = connection.execute(longest).scalar_one()
    with database.write() as connection:
        assert take_watch(connection, "a")
        assert connection.execute(longest).scalar_one() == "5s"
    with database.read() as connection:
        assert connection.execute(longest).scalar_one() == usual
    database.close()


def test_asking_for_the_watch_writes_nothing_while_another_has_it(postgresql_url: str) -> None:
    """PostgreSQL numbers only the transactions that write, and each of these waits for the disk."""
    database = open_database(postgresql_url)
    assert watch(database, "a")
    with database.write() as connection:
        assert not take_watch(connection, "b")
        assert connection.execute(text("SELECT pg_current_xact_id_if_assigned()::text")).scalar() is None
    database.close()


def resumed(database: Database) -> datetime | None:
    with database.read() as connection:
        return connection.scalar(select(reports.c.at).where(reports.c.subject == WATCH_RESUMED))


def seen(ago: timedelta) -> Update:
    """Return the statement that lets the watch be taken some time ago."""
    return update(reports).where(reports.c.subject == WATCH).values(at=utc_now() - ago)


@pytest.mark.parametrize(("ago", "is_gap"), [(20, False), (31, True), (-60, True)])
def test_the_end_of_a_gap_in_the_watch_is_noted(postgresql_url: str, ago: int, is_gap: bool) -> None:
    """A minus sign stands for a clock that was put back."""
    database = open_database(postgresql_url)

    def noted_after(seconds: int) -> datetime | None:
        with database.write() as connection:
            connection.execute(seen(timedelta(seconds=seconds)))
            assert take_watch(connection, "a")
        return resumed(database)

    assert watch(database, "a")
    noted = noted_after(ago)
    assert (noted is not None) is is_gap
    assert noted_after(3) == noted, "there was no other"
    database.close()


def test_a_gap_is_noted_that_began_while_a_node_took_the_watch(postgresql_url: str) -> None:
    """A commit that waits for a standby ends with the time of its beginning, which may be minutes ago."""
    database = open_database(postgresql_url)
    assert watch(database, "a")
    with database.write() as connection:
        connection.execute(seen(timedelta(seconds=3)))
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            connection.execute(seen(timedelta(minutes=10)))
            other = pool.submit(watch, database, "b")
            until_it_waits(database, other)
        assert other.result()
    assert resumed(database)
    database.close()


def test_a_node_whose_commit_took_minutes_has_the_watch_no_more(database: Database) -> None:
    def is_still_watched(ago: timedelta) -> bool:
        with database.write() as connection:
            connection.execute(seen(ago))
            return is_watched(connection)

    assert watch(database, "a")
    assert is_still_watched(timedelta(seconds=1))
    assert not is_still_watched(timedelta(minutes=1))
    assert not is_still_watched(-timedelta(hours=1)), "the clock was put back"
