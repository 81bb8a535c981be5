from __future__ import annotations

from time import monotonic, sleep

import pytest
from sqlalchemy import text

from digest.engine.jobs import defer
from digest.engine.worker import Terms, Worker
from digest.schedule.jobs import QUEUES, Job, JobKind
from digest.storage.database import Database, open_database
from digest.storage.server import shares_sessions
from tests.poolers import pooled

PID = text("SELECT pg_backend_pid()")


@pytest.mark.parametrize(("mode", "is_shared"), [("transaction", True), ("session", False)])
def test_sessions_are_shared_behind_a_pooler_in_transaction_mode(
    postgresql_url: str, mode: str, is_shared: bool
) -> None:
    with pooled(postgresql_url, mode) as url:
        behind = open_database(url)
        assert shares_sessions(behind) is is_shared
        behind.close()


def test_sessions_that_are_used_in_turn_are_shared(postgresql_url: str) -> None:
    with pooled(postgresql_url, "transaction", in_turn=True) as url:
        behind = open_database(url)
        with behind.read() as one, behind.read() as other:
            assert len({each.execute(PID).scalar_one() for each in (one, other)}) == 2
        assert shares_sessions(behind)
        behind.close()


def test_a_worker_does_jobs_behind_a_pooler_in_session_mode(
    jobs_database: Database, postgresql_url: str
) -> None:
    done: list[Job] = []
    job = Job(kind=JobKind.SEND, subject="daily-1", part="1")
    with pooled(postgresql_url, "session") as url:
        behind = open_database(url)
        worker = Worker(behind.connect_args(), done.append, Terms(queues=QUEUES, lines=1))
        worker.start()
        with jobs_database.write() as connection:
            defer(connection, [job])
        end = monotonic() + 20
        while not done:
            assert monotonic() < end, "the job was not done within 20 seconds"
            sleep(0.02)
        assert worker.end(20)
        behind.close()
    assert done == [job]
