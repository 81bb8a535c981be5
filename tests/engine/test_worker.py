from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Barrier, Event
from time import monotonic, sleep

import pytest
from sqlalchemy import text

from digest.engine.jobs import defer, heartbeat_of
from digest.engine.worker import Terms, Worker
from digest.model.errors import NotFoundError, OutageError, TransportError
from digest.schedule.jobs import QUEUES, Job, JobKind
from digest.storage.database import Database

SLICES = [Job(kind=JobKind.SEND, subject="daily-1", part=str(number)) for number in range(3)]


def store(database: Database, *jobs: Job) -> None:
    with database.write() as connection:
        defer(connection, jobs)


def rows(database: Database) -> list[tuple[object, ...]]:
    query = "SELECT task_name, status, scheduled_at > now() FROM procrastinate_jobs ORDER BY id"
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def wait_for(condition: Callable[[], bool]) -> None:
    end = monotonic() + 20
    while not condition():
        assert monotonic() < end, "it has not happened within 20 seconds"
        sleep(0.02)


@contextmanager
def working(database: Database, do: Callable[[Job], None], lines: int = 3) -> Iterator[Worker]:
    worker = Worker(database.connect_args(), do, Terms(queues=QUEUES, lines=lines))
    worker.start()
    try:
        yield worker
    finally:
        assert worker.end(20)


def test_each_line_does_a_job_at_the_same_time_as_the_others(jobs_database: Database) -> None:
    together, done = Barrier(3, timeout=20), list[Job]()

    def do(job: Job) -> None:
        together.wait()
        done.append(job)

    store(jobs_database, *SLICES)
    with working(jobs_database, do) as worker:
        wait_for(lambda: len(done) == 3)
        wait_for(lambda: rows(jobs_database) == [])
        assert worker.work == ()
    assert set(done) == set(SLICES)


def test_a_worker_says_what_its_lines_do(jobs_database: Database) -> None:
    go_on = Event()
    store(jobs_database, SLICES[1])
    with working(jobs_database, lambda _job: wait_for(go_on.is_set)) as worker:
        wait_for(lambda: bool(worker.work))
        assert [(work.kind, work.subject) for work in worker.work] == [("send", "daily-1 1")]
        assert len(worker.running) == 1
        go_on.set()


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (OutageError("the database is away"), [("send", "todo", True)]),
        (TransportError("smtp.example.org", "cannot be reached"), [("send", "todo", True)]),
        (ZeroDivisionError("a bug"), [("send", "todo", True)]),
        (NotFoundError("edition", "daily-1", ()), []),
    ],
)
def test_a_job_that_fails_waits_for_its_next_try_unless_its_subject_was_erased(
    jobs_database: Database,
    error: Exception,
    left: list[tuple[object, ...]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    done = Event()

    def fail(_job: Job) -> None:
        done.set()
        raise error

    store(jobs_database, SLICES[0])
    with working(jobs_database, fail):
        assert done.wait(20)
        wait_for(lambda: rows(jobs_database) == left)
    said = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(said) == (0 if isinstance(error, OutageError) else 1)


def test_a_job_of_an_unknown_kind_is_left_to_newer_nodes(
    jobs_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with jobs_database.write() as connection:
        columns = "queue_name, task_name, args"
        values = "'compose', 'translate', '{\"version\": 2, \"subject\": \"daily\"}'"
        connection.execute(text(f"INSERT INTO procrastinate_jobs ({columns}) VALUES ({values})"))
    with working(jobs_database, lambda _job: None):
        wait_for(lambda: rows(jobs_database) == [("translate", "todo", True)])
    assert "made the job 'translate daily', so a newer node does it: update this one" in caplog.text


def test_a_worker_goes_on_after_its_connections_were_cut(jobs_database: Database) -> None:
    done = list[Job]()
    with working(jobs_database, done.append) as worker:
        store(jobs_database, SLICES[0])
        wait_for(lambda: done == SLICES[:1])
        before = _heartbeat(jobs_database, worker)
        with jobs_database.write() as connection:
            others = "pid <> pg_backend_pid() AND datname = current_database()"
            connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
        store(jobs_database, SLICES[1])
        wait_for(lambda: done == SLICES[:2])
        wait_for(lambda: _heartbeat(jobs_database, worker) != before)
        assert worker.is_alive


def _heartbeat(database: Database, worker: Worker) -> object:
    with database.read() as connection:
        return heartbeat_of(connection, worker.id or 0)


def test_a_worker_that_is_stopped_ends_its_jobs_and_takes_no_more(jobs_database: Database) -> None:
    go_on, done = Event(), list[Job]()

    def do(job: Job) -> None:
        go_on.wait(20)
        done.append(job)

    store(jobs_database, *SLICES[:1])
    worker = Worker(jobs_database.connect_args(), do, Terms(queues=QUEUES, lines=1))
    worker.start()
    wait_for(lambda: bool(worker.work))
    store(jobs_database, *SLICES[1:])
    worker.stop()
    assert not worker.end(0)
    go_on.set()
    assert worker.end(20)
    assert done == SLICES[:1]
    assert [row[1] for row in rows(jobs_database)] == ["todo", "todo"]
