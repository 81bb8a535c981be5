from __future__ import annotations

from collections.abc import Sequence
from threading import Barrier, Thread

import pytest
from sqlalchemy import text

from digest.engine.jobs import defer, doing, remove, remove_dead, waits
from digest.model.errors import OutageError
from digest.schedule.jobs import QUEUES, Job, JobKind, NewerJobError, job_of, values_of
from digest.storage.database import Database

SLICES = [Job(kind=JobKind.SEND, subject="daily-1", part=str(number)) for number in range(1, 6)]


def store(database: Database, jobs: Sequence[Job]) -> int:
    with database.write() as connection:
        return defer(connection, jobs)


def stored(database: Database, columns: str = "queueing_lock") -> list[tuple[object, ...]]:
    with database.read() as connection:
        return [
            tuple(row)
            for row in connection.execute(text(f"SELECT {columns} FROM procrastinate_jobs ORDER BY id"))
        ]


def test_jobs_are_stored_with_the_transaction_that_causes_them(jobs_database: Database) -> None:
    with pytest.raises(ZeroDivisionError), jobs_database.write() as connection:
        defer(connection, SLICES)
        raise ZeroDivisionError
    assert stored(jobs_database) == []
    assert store(jobs_database, SLICES) == 5
    assert stored(jobs_database) == [(f"send daily-1 {number}",) for number in range(1, 6)]


def test_a_job_that_waits_already_is_not_stored_again(jobs_database: Database) -> None:
    assert store(jobs_database, SLICES[:2]) == 2
    assert store(jobs_database, [*SLICES[1:4], SLICES[3]]) == 2
    assert len(stored(jobs_database)) == 4


def test_a_job_that_two_processes_store_at_the_same_time_is_stored_once(jobs_database: Database) -> None:
    # Both have looked before either has committed: the second waits for the first, and then stores the rest.
    looked, counts = Barrier(2), list[int]()

    def one_more(job: Job) -> None:
        with jobs_database.write() as connection:
            looked.wait()
            counts.append(defer(connection, [*SLICES[:3], job]))

    threads = [Thread(target=one_more, args=(job,)) for job in SLICES[3:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 5
    assert len(stored(jobs_database)) == 5


def test_a_firing_stores_no_job_that_is_being_done(jobs_database: Database) -> None:
    store(jobs_database, SLICES[:1])
    with jobs_database.write() as connection:
        connection.execute(text("SELECT procrastinate_fetch_job_v2(NULL, NULL)"))
        assert defer(connection, SLICES[:2], unless_running=True) == 1
        assert defer(connection, SLICES[:2]) == 1


def test_a_thousand_slices_cost_a_few_statements_and_the_edition_comes_first(jobs_database: Database) -> None:
    many = [Job(kind=JobKind.SEND, subject="daily-1", part=str(number)) for number in range(2_500)]
    assert store(jobs_database, many) == 2_500
    store(jobs_database, [Job(kind=JobKind.FINISH, subject="daily-2")])
    with jobs_database.read() as connection:
        first = connection.execute(
            text("SELECT task_name FROM procrastinate_fetch_job_v2(ARRAY['send'], NULL)")
        )
        assert first.scalar() == "finish"


def test_no_job_has_a_lock_but_one_that_reads_a_mailbox(jobs_database: Database) -> None:
    store(jobs_database, [Job(kind=kind, subject="s", part="1") for kind in JobKind])
    locked = {row[0] for row in stored(jobs_database, "task_name, lock") if row[1]}
    assert locked == {"receive"}


def test_each_kind_of_job_has_a_queue() -> None:
    assert (
        {kind.queue for kind in JobKind} == set(QUEUES) == {"collect", "compose", "send", "receive", "clean"}
    )


def test_an_outage_while_a_job_is_stored_is_an_outage(jobs_database: Database) -> None:
    with pytest.raises(OutageError), jobs_database.write() as connection:
        with jobs_database.write() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": _pid(connection)})
        defer(connection, SLICES)
    assert store(jobs_database, SLICES) == 5


def _pid(connection: object) -> int:
    return connection.connection.driver_connection.info.backend_pid  # type: ignore[attr-defined, no-any-return]


def test_the_jobs_of_dead_workers_are_removed_and_those_of_living_ones_stay(jobs_database: Database) -> None:
    store(jobs_database, SLICES)
    with jobs_database.write() as connection:
        new = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + interval '{}') RETURNING id"
        dead, living = (connection.scalar(text(new.format(seconds))) for seconds in ("-31 s", "9 s"))
        for worker in (dead, living, None):
            connection.execute(text("SELECT procrastinate_fetch_job_v2(NULL, :worker)"), {"worker": worker})
        assert len(doing(connection, living)) == 1
        # The server was started less than an hour ago, so no worker can be known to be dead for so long.
        assert remove_dead(connection, after=3_600) == 1
        assert remove_dead(connection, after=0) == 1
        assert len(doing(connection, living)) == 1
        remove(connection, doing(connection, living))
        assert doing(connection, living) == frozenset()
    assert len(stored(jobs_database)) == 2


def test_jobs_wait_only_in_their_queue_and_at_their_time(jobs_database: Database) -> None:
    with jobs_database.write() as connection:
        assert not waits(connection, QUEUES)
        defer(connection, SLICES[:1])
        assert waits(connection, ["send"])
        assert not waits(connection, ["collect", "compose"])
        connection.execute(text("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 minute'"))
        assert not waits(connection, ["send"])


def test_a_job_that_a_node_with_a_wrong_clock_has_put_off_is_done_when_it_is_stored_again(
    jobs_database: Database,
) -> None:
    with jobs_database.write() as connection:
        defer(connection, SLICES[:2])
        put_off = "UPDATE procrastinate_jobs SET scheduled_at = now() + CAST(:ahead AS interval)"
        connection.execute(text(put_off), {"ahead": "6 minutes"})
        assert defer(connection, SLICES[:1]) == 0
        assert waits(connection, ["send"])
        connection.execute(text(put_off), {"ahead": "1 minute"})
        assert defer(connection, SLICES[:1]) == 0
        assert not waits(connection, ["send"]), "a job that has failed is not tried again at once"


def test_a_mailbox_that_is_being_read_keeps_nobody_waiting(jobs_database: Database) -> None:
    mailbox = Job(kind=JobKind.RECEIVE, subject="/var/mail")
    with jobs_database.write() as connection:
        defer(connection, [mailbox])
        connection.execute(text("SELECT procrastinate_fetch_job_v2(NULL, NULL)"))
        defer(connection, [mailbox])
        assert not waits(connection, ["receive"])


def test_what_is_stored_with_a_job_names_it_again() -> None:
    assert job_of("send", values_of(SLICES[2])) == SLICES[2]


@pytest.mark.parametrize(("kind", "version"), [("send", 2), ("send", "x"), ("translate", 1)])
def test_a_job_of_a_newer_version_is_left_to_newer_nodes(kind: str, version: object) -> None:
    with pytest.raises(
        NewerJobError, match=f"made the job '{kind} daily-1 7', so a newer node does it: update"
    ):
        job_of(kind, {"version": version, "subject": "daily-1", "part": "7"})
