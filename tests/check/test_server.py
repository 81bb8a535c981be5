"""`digest check` says what a PostgreSQL server can forget, and whether it has connections for all nodes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from digest.check.check import check_all
from digest.check.server import marks_findings, node_findings, room_finding, server_findings
from digest.model.nodes import KnownNode, Node
from digest.model.run_context import utc_now
from digest.sources.start import write_samples
from digest.storage.database import CONNECTIONS, Database, open_database
from digest.storage.nodes import beat
from digest.storage.server import Durability, durability, room
from tests.poolers import pooled

SAFE = Durability(
    role="digest", flushes=True, commit="on", standby_names="ANY 1 (b, c)", standbys=2, synchronous=2
)
NOW = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize("commit", ["on", "remote_apply", "remote_write"])
def test_nothing_is_said_against_a_server_whose_commits_wait_for_a_standby(commit: str) -> None:
    (found,) = marks_findings(replace(SAFE, commit=commit))
    assert (found.ok, found.warning) == (True, False)
    assert "a failover forgets none" in found.detail


def test_one_server_alone_keeps_its_commits_on_its_disk() -> None:
    (found,) = marks_findings(replace(SAFE, standby_names="", standbys=0, synchronous=0))
    assert (found.ok, found.warning) == (True, False)
    assert found.detail.endswith("no standby is connected")


@pytest.mark.parametrize(
    ("server", "detail"),
    [
        (replace(SAFE, commit="off"), "a crash of the server forgets the last moments"),
        (replace(SAFE, commit="local"), "a failover forgets the last moments"),
        (replace(SAFE, standby_names=""), "no commit waits for a standby, so a failover forgets"),
        (replace(SAFE, flushes=False), "fsync is off, so a power cut can damage the database"),
    ],
)
def test_whatever_can_be_forgotten_is_a_warning_with_its_mend(server: Durability, detail: str) -> None:
    first = next(iter(marks_findings(server)))
    assert (first.ok, first.warning) == (True, True)
    assert detail in first.detail
    assert "readers can get an edition twice; " in first.detail


def test_commits_that_wait_for_a_standby_that_is_not_there_are_an_error() -> None:
    (found,) = marks_findings(replace(SAFE, standbys=1, synchronous=0))
    assert not found.ok
    assert "nothing is sent; start one of those in synchronous_standby_names (ANY 1 (b, c))" in found.detail


@pytest.mark.parametrize("commit", ["on", "off"])
def test_the_setting_of_the_role_counts(postgresql_url: str, commit: str) -> None:
    with as_role(postgresql_url, f"SET synchronous_commit = {commit}") as database:
        with database.read() as connection:
            found = durability(connection)
        assert (found.commit, found.role) == (commit, ROLE)
        assert (f"ALTER ROLE {ROLE} SET synchronous_commit" in " ".join(details(database))) == (
            commit == "off"
        )


def test_a_standby_is_seen_by_a_role_without_rights(postgresql_url: str) -> None:
    with as_role(postgresql_url, "SET synchronous_commit = on") as database:
        assert "no commit waits for a standby" not in " ".join(details(database))
        # Without this parameter of libpq, the connection is no standby's.
        with psycopg.connect(postgresql_url, replication="true", autocommit=True):
            assert "no commit waits for a standby" in " ".join(details(database))


def test_a_limit_of_the_role_counts_connections_that_are_in_use(postgresql_url: str) -> None:
    with as_role(postgresql_url, "CONNECTION LIMIT 9") as database:
        with database.read() as connection, database.read():
            assert room(connection) == 9
        assert "PostgreSQL allows 9, so some work has to wait" in " ".join(details(database))


def test_connections_of_others_are_not_there_for_nodes(postgresql_url: str) -> None:
    with as_role(postgresql_url, "CONNECTION LIMIT -1") as database:
        with database.read() as connection:
            before = room(connection)
        with psycopg.connect(postgresql_url), database.read() as connection:
            assert room(connection) == before - 1


def test_a_pooler_that_mixes_sessions_is_named(postgresql_url: str) -> None:
    with pooled(postgresql_url, "transaction") as url:
        database = open_database(url)
        assert "a pooler in transaction mode mixes the sessions" in " ".join(details(database))
        database.close()


def test_silent_nodes_need_no_connections() -> None:
    need = CONNECTIONS + sum(each.node.connections for each in (node(4), node(40)))
    nodes = [node(4), node(40), node(9, silent=timedelta(minutes=1))]
    assert not room_finding(need, nodes).warning
    assert room_finding(need - 1, nodes).warning
    assert "2 nodes with 44 lines up to 52; PostgreSQL allows 67" in room_finding(need, nodes).detail


def test_the_living_nodes_are_counted(postgresql_url: str) -> None:
    database = open_database(postgresql_url)
    (idle,) = node_findings(database)
    assert (idle.ok, idle.warning) == (True, True)
    assert idle.detail.endswith("Start `digest work` on each machine that should do something.")
    with database.write() as connection:
        beat(connection, replace(node(500).node, beat_at=utc_now() - timedelta(minutes=5)))
    assert "1 node with 500 lines up to 504" in " ".join(details(database))
    working, late = node_findings(database)
    assert (working.detail, working.warning) == ("One node is at work.", False)
    assert "harbour 1 takes no more jobs, because its clock is 5 minutes behind" in late.detail
    database.close()


def test_digest_check_says_what_the_server_and_its_jobs_need(postgresql_url: str, tmp_path: Path) -> None:
    list(write_samples(tmp_path))
    path = tmp_path / "config.toml"
    path.write_text(path.read_text("utf-8").replace('#engine = "none"', 'engine = "procrastinate"'), "utf-8")
    environ = {"DIGEST_DATABASE_URL": postgresql_url}
    found = {each.subject: each for each in check_all(path, environ, utc_now())}
    assert found["engine"].detail == "its tables have this version"
    assert found["nodes"].warning
    assert found["connections"].detail.startswith("each `digest serve` opens up to 15 connections")
    # The server of the tests does not wait for its disk, so that the tests are faster.
    assert found["durability"].warning
    assert "run ALTER ROLE postgres SET synchronous_commit = on" in found["durability"].detail


def test_sqlite_has_nothing_to_check(sqlite: Database) -> None:
    assert list(server_findings(sqlite)) == []


# ── in short ────────────────────────────────────────────────────────────────────────────────

ROLE = "digest_check"


def node(lines: int, *, silent: timedelta = timedelta()) -> KnownNode:
    value = Node(id="a", host="harbour", pid=1, version="1.0", lines=lines, started_at=NOW, beat_at=NOW)
    return KnownNode(node=value, silent=silent)


def details(database: Database) -> list[str]:
    return [each.detail for each in server_findings(database)]


@contextmanager
def as_role(url: str, setting: str) -> Iterator[Database]:
    """Yield the database as a new role without rights of its own has it, with one setting."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {ROLE} LOGIN")
        connection.execute(f"ALTER ROLE {ROLE} {setting}")
        connection.execute(f"GRANT SELECT ON nodes TO {ROLE}")
        database = open_database(url.replace("//postgres:", f"//{ROLE}:"))
        try:
            yield database
        finally:
            database.close()
            connection.execute(f"DROP OWNED BY {ROLE}")
            connection.execute(f"DROP ROLE {ROLE}")
