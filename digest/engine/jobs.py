"""Store jobs in the database, in the caller's transaction, and remove those that no worker will end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from digest.schedule.jobs import Job, JobKind, values_of
from digest.storage.database import Connection

if TYPE_CHECKING:  # Procrastinate is imported where it is used, because most installations do not need it
    from procrastinate.jobs import Job as EngineJob
    from procrastinate.manager import JobManager

_DEAD_AFTER = 30  # seconds without a heartbeat
_FIRST = frozenset({JobKind.ADDRESS, JobKind.FINISH})  # are done before slices, of which there are many
_AT_ONCE = 1_000  # jobs in one statement
_FAR = 90  # seconds ahead; no node whose clock is right puts a job off for so long


def defer(connection: Connection, jobs: Sequence[Job], *, unless_running: bool = False) -> int:
    """Store jobs, but none that waits already, or `unless_running` is done now; return how many are new.

    They are fetched when the transaction is committed. A job that waits for a time far ahead, because a node
    with a wrong clock put it off, is fetched at once. Raises what the database raises.
    """
    _hasten(connection, jobs)
    waiting = _waiting(connection, jobs, ["todo", "doing"] if unless_running else ["todo"])
    new = [job for job in dict.fromkeys(jobs) if job.name not in waiting]
    return sum(_defer(connection, new[at : at + _AT_ONCE]) for at in range(0, len(new), _AT_ONCE))


@cache
def _manager() -> JobManager:
    """Return Procrastinate's functions for jobs, without a connection of their own."""
    from procrastinate import App, SyncPsycopgConnector

    return App(connector=SyncPsycopgConnector()).job_manager


def _defer(connection: Connection, jobs: Sequence[Job]) -> int:
    from procrastinate.exceptions import AlreadyEnqueued, ConnectorException

    try:
        with connection.begin_nested():
            raw = connection.connection.driver_connection
            _manager().batch_defer_jobs([_engine_job(job) for job in jobs], connection=raw)
    except AlreadyEnqueued:
        # Another process has stored one of them since we looked.
        return sum(_defer(connection, [job]) for job in jobs) if len(jobs) > 1 else 0
    except ConnectorException as error:
        raise error.__cause__ or error from None  # the driver's errors mean something to Database
    return len(jobs)


def _engine_job(job: Job) -> EngineJob:
    from procrastinate.jobs import Job as EngineJob

    return EngineJob(
        queue=job.kind.queue,
        task_name=job.kind.value,
        queueing_lock=job.name,
        # One node at a time reads a mailbox. Nothing else has a lock, because the ledger's fences are enough,
        # and a job whose worker is dead keeps its lock until it is removed.
        lock=job.name if job.kind is JobKind.RECEIVE else None,
        priority=1 if job.kind in _FIRST else 0,
        task_kwargs=values_of(job),
    )


def _waiting(connection: Connection, jobs: Sequence[Job], states: Sequence[str]) -> frozenset[str]:
    query = (
        "SELECT queueing_lock FROM procrastinate_jobs"
        " WHERE queueing_lock = ANY(%s) AND status::text = ANY(%s)"
    )
    return frozenset(name for (name,) in _run(connection, query, [job.name for job in jobs], states))


def _hasten(connection: Connection, jobs: Sequence[Job]) -> None:
    query = (
        "UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo' AND queueing_lock = ANY(%s)"
        f" AND scheduled_at > now() + make_interval(secs => {_FAR}) RETURNING id"
    )
    _run(connection, query, [job.name for job in jobs])


# ── upkeep ──────────────────────────────────────────────────────────────────────────────────


def waits(connection: Connection, queues: Sequence[str]) -> bool:
    """Tell whether a job of these queues could be fetched now."""
    query = (
        "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = ANY(%s)"
        " AND (scheduled_at IS NULL OR scheduled_at <= now())"
        " AND (lock IS NULL OR lock NOT IN (SELECT lock FROM procrastinate_jobs WHERE status = 'doing'"
        " AND lock IS NOT NULL)))"
    )
    return bool(_run(connection, query, list(queues))[0][0])


def heartbeat_of(connection: Connection, worker_id: int) -> datetime | None:
    """Return when a worker last wrote to its own row; None if the row is gone."""
    found = _run(connection, "SELECT last_heartbeat FROM procrastinate_workers WHERE id = %s", worker_id)
    return found[0][0] if found else None


def remove_dead(connection: Connection, after: float = _DEAD_AFTER) -> int:
    """Remove the jobs of workers that are dead; the ledger knows what they were about. Return how many.

    A worker without a heartbeat for so many seconds is dead. The time when the database was stopped does not
    count.
    """
    query = (
        "WITH gone AS (DELETE FROM procrastinate_jobs AS job WHERE status = 'doing' AND NOT EXISTS ("
        "SELECT FROM procrastinate_workers AS worker WHERE worker.id = job.worker_id"
        " AND greatest(worker.last_heartbeat, pg_postmaster_start_time())"
        " > now() - make_interval(secs => %s)) RETURNING 1)"
        " SELECT count(*) FROM gone"
    )
    return int(_run(connection, query, after)[0][0])


def doing(connection: Connection, worker_id: int) -> frozenset[int]:
    """Return the ids of the jobs that a worker is doing, as the engine's tables say."""
    query = "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = %s"
    return frozenset(number for (number,) in _run(connection, query, worker_id))


def remove(connection: Connection, ids: Collection[int]) -> None:
    """Remove jobs whose end could not be written."""
    _run(connection, "DELETE FROM procrastinate_jobs WHERE id = ANY(%s) RETURNING id", list(ids))


def _run(connection: Connection, query: str, *values: object) -> Sequence[Any]:
    cursor = connection.connection.cursor()
    cursor.execute(query, values)
    rows: Sequence[Any] = cursor.fetchall()
    cursor.close()
    return rows
