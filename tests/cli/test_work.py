"""The command work, before it begins: what it needs, and what it says if that is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from digest.cli.work import start_worker
from digest.schedule.jobs import QUEUES
from tests.cli.conftest import Terminal
from tests.poolers import pooled
from tests.scheduler.by_nodes import ENGINE
from tests.scheduler.installation import Place, place_of


@pytest.fixture
def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> Terminal:
    place = place_of("nodes", tmp_path, request)
    return Terminal(place, dict(place.environ))


def test_with_sqlite_nodes_have_nothing_to_share(place: Place, terminal: Terminal) -> None:
    said = terminal.says("work", fails=1)
    assert "database.url: `digest work` needs PostgreSQL, because several processes share its jobs." in said
    assert "With SQLite, `digest serve` does all the work itself" in said
    place.change('\n[[feed]]\nname = "Harbour', f'{ENGINE}\n[[feed]]\nname = "Harbour')
    said = terminal.says("check", fails=1)
    assert "jobs.engine: needs PostgreSQL, because several processes share its jobs" in said


def test_without_an_engine_there_are_no_jobs(nodes: Terminal) -> None:
    nodes.place.change('engine = "procrastinate"', 'engine = "none"')
    assert 'set engine = "procrastinate" in [jobs]' in nodes.says("work", fails=1)


def test_an_unknown_queue_is_refused_with_the_names_of_all(nodes: Terminal) -> None:
    said = nodes.says("work", "--queues", "send,clena", fails=2)
    assert "clena is no queue; there are collect, compose, send, receive, clean" in said
    assert "nothing is no queue" in nodes.says("work", "--queues", ",", fails=2)


def test_tables_of_a_newer_engine_are_refused_once_and_not_again_and_again(nodes: Terminal) -> None:
    nodes.says("check")
    with nodes.place.app() as app, app.database.write() as connection:
        comment = "COMMENT ON TABLE procrastinate_jobs IS 'newsletter-digest: 99.00.00_01_later'"
        connection.execute(text(comment))
    said = nodes.says("work", fails=1)
    assert "the tables of the engine are of a newer version (99.00.00_01_later) than this program" in said


def test_a_pooler_that_mixes_sessions_is_refused(nodes: Terminal) -> None:
    with pooled(nodes.environ["DIGEST_DATABASE_URL"], "transaction") as url:
        nodes.environ["DIGEST_DATABASE_URL"] = url
        said = nodes.says("work", fails=1)
    assert "a pooler in transaction mode mixes the sessions" in said
    assert "connect to PostgreSQL directly, or set the pooler to session mode" in said


def test_a_worker_that_meets_such_a_pooler_later_does_not_begin(
    nodes: Terminal, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The database was away when the supervisor began, or config.toml has changed since."""
    with pooled(nodes.environ["DIGEST_DATABASE_URL"], "transaction") as url:
        for name, value in {**nodes.environ, "DIGEST_DATABASE_URL": url}.items():
            monkeypatch.setenv(name, value)
        worker = start_worker(nodes.place.config_path, QUEUES, 1)
        worker.join(60)
    assert worker.exitcode == 75
    assert "a pooler in transaction mode mixes the sessions" in capfd.readouterr().err
