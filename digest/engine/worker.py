"""Fetch jobs, and run each in a line of its own, which is a thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock, Thread
from time import monotonic
from typing import Any

from digest.engine.connector import (  # first, because it says so if Procrastinate is missing
    PatientConnector,
    prepare_session,
    unchecked_pool,
)

# isort: split
from procrastinate import App, JobContext, RetryDecision
from procrastinate.jobs import Job as EngineJob
from procrastinate.retry import BaseRetryStrategy
from procrastinate.worker import Worker as EngineWorker

from digest.engine.decisions import pause_after
from digest.model.errors import DigestError, OutageError
from digest.model.nodes import BEAT, Work
from digest.model.run_context import utc_now
from digest.schedule.jobs import Job, JobKind, job_of

log = logging.getLogger(__name__)

_LOOK = 0.2  # seconds between two looks whether a worker has ended
_GOODBYE = 3.0  # seconds for a worker without jobs to remove its row
_POLL = 1.0  # seconds between two looks for jobs, besides notifications
_POOL_TIMEOUT = 5.0  # seconds to wait for a connection before the database counts as away
# The pool's own pauses between two tries double without a limit. After this many seconds it gives up, and the
# next query, which waits two seconds at most, makes it try again.
_POOL_PATIENCE = 1.0

_UNKNOWN = "unknown"
Do = Callable[[Job], None]


class Retries(BaseRetryStrategy):
    """Say when a job that has failed is tried again. Without this, a lost connection would end it."""

    def get_retry_decision(self, *, exception: BaseException, job: EngineJob) -> RetryDecision | None:
        """Return when; None for a job whose subject no longer exists."""
        seconds = pause_after(exception, job.attempts)
        return None if seconds is None else RetryDecision(retry_in={"seconds": seconds})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a worker works: the queues it takes jobs of, and how many lines it has."""

    queues: Sequence[str]
    lines: int


class _Tasks(dict[str, Any]):
    """The tasks by name. A name that only a newer version knows is done by a task that says so."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the task for jobs of this name."""
        return super().get(key, default) or self[_UNKNOWN]


class Worker:
    """The engine's worker, in a thread of its own. `do` is called in one of `lines` threads for each job.

    The worker ends only after `stop`. Until then, it waits for a database that is away.
    """

    def __init__(self, connect_args: Mapping[str, Any], do: Do, terms: Terms) -> None:
        self._do, self._terms = do, terms
        self._running: dict[int, Work] = {}
        self._lock = Lock()
        self.fetched = 0
        self.is_stopped = False
        # One connection for its queries; one more is for notifications.
        connector = PatientConnector(
            pool_factory=unchecked_pool,
            kwargs=dict(connect_args),
            min_size=1,
            max_size=1,
            timeout=_POOL_TIMEOUT,
            reconnect_timeout=_POOL_PATIENCE,
            configure=prepare_session,
        )
        app = App(connector=connector)
        for name in (*JobKind, _UNKNOWN):
            app.task(name=str(name), retry=Retries(), pass_context=True)(self._run)
        app.tasks = _Tasks(app.tasks)
        self._app = app
        self._worker: Any = EngineWorker(  # some of its methods have no types
            self._app,
            queues=list(terms.queues),
            concurrency=terms.lines,
            fetch_job_polling_interval=_POLL,
            update_heartbeat_interval=BEAT.total_seconds(),
            delete_jobs="always",  # the ledger says what has become of everything
            install_signal_handlers=False,
        )
        self._thread = Thread(target=self._work, name="engine", daemon=True)

    @property
    def id(self) -> int | None:
        """Return the number of its row in the engine's table of workers; None before it has one."""
        number: int | None = self._worker.worker_id
        return number

    @property
    def is_alive(self) -> bool:
        """Tell whether it works."""
        return self._thread.is_alive()

    @property
    def work(self) -> tuple[Work, ...]:
        """Return what its lines do now."""
        with self._lock:
            return tuple(self._running.values())

    @property
    def running(self) -> frozenset[int]:
        """Return the ids of the jobs that its lines do now."""
        with self._lock:
            return frozenset(self._running)

    def start(self) -> None:
        """Begin to fetch jobs."""
        self._thread.start()

    def stop(self) -> None:
        """Fetch no more jobs, and end when those that run have ended."""
        self.is_stopped = True
        self._worker.stop()

    def end(self, timeout: float) -> bool:
        """Stop, and wait until no line does a job; False if some still do after `timeout` seconds."""
        until = monotonic() + timeout
        while self.is_alive and monotonic() < until:
            self.stop()  # again and again, because Procrastinate forgets a stop that comes as it starts
            self._thread.join(_LOOK)
            if not self.running and monotonic() > until - timeout + _GOODBYE:
                break  # the database is away, or its loop has stopped
        return not self.running

    def _work(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception:
            log.exception("the engine has failed")

    async def _main(self) -> None:
        lines = ThreadPoolExecutor(self._terms.lines + 1, thread_name_prefix="line")
        asyncio.get_running_loop().set_default_executor(lines)
        async with self._app.open_async():
            await self._worker.run()

    def _run(self, context: JobContext, /, **values: Any) -> None:
        number, kind = context.job.id or 0, context.job.task_name
        work = Work(kind=kind, subject=_subject(values), since_at=utc_now())
        with self._lock:
            self.fetched += 1
            self._running[number] = work
        try:
            self._do(job_of(kind, values))
        except OutageError as error:
            log.debug("%s %s waits for the database: %s", kind, work.subject, error)
            raise
        except DigestError as error:
            log.error("%s %s has failed: %s", kind, work.subject, error)
            raise
        except Exception:
            log.exception("%s %s has failed", kind, work.subject)
            raise
        finally:
            with self._lock:
                self._running.pop(number, None)


def _subject(values: Mapping[str, Any]) -> str:
    return " ".join(str(values.get(key, "")) for key in ("subject", "part")).strip()
