"""Measure how exactly a limit is kept in real time, with one and with three processes.

Run `python -m benchmarks.rate`. All processes send one edition from one SQLite file, over real connections,
to a server that records when each message arrived. There are two runs of `--seconds`, and a few seconds to
start. The deviation is measured from one second after the first message. Beside it is the number of messages
in the busiest second.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import publisher
from digest.limits.limits import Limits, Rules, parse_limit
from digest.model.messages import Security, SmtpServer
from digest.send.send import send
from digest.smtp.transport import SmtpTransport

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


def work(path: Path, port: int, limit: str, until: float) -> None:
    """Send the edition at `path` until a time on the monotonic clock, as one process of several."""
    server = SmtpServer(host="127.0.0.1", port=port, security=Security.NONE)
    transport = SmtpTransport([server])
    limits = Limits(server=Rules(scope="server sink", limits=(parse_limit(limit),)))
    with closing(publisher.open_at(path)) as database:
        outbox = replace(publisher.outbox(transport), limits=limits)
        send(
            database,
            publisher.EDITION,
            outbox=outbox,
            clock=lambda: datetime.now(UTC),
            stop=lambda: time.monotonic() > until,
        )


def measure(folder: Path, processes: int, rate: int, seconds: int) -> tuple[float, int]:
    """Return the messages per second that arrived, and the most in any second."""
    path = folder / f"{processes}.db"
    publisher.create(path, rate * (seconds + _START), 1)
    with sink() as taken:
        until = time.monotonic() + seconds + _START
        start = multiprocessing.get_context("spawn").Process
        limit = f"{rate} per second"
        workers = [start(target=work, args=(path, taken.port, limit, until)) for _ in range(processes)]
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
    options = parser.parse_args()
    print(f"a limit of {options.rate} per second, measured over {options.seconds} s")
    print(f"{'processes':>9} {'messages/s':>10} {'deviation':>10} {'busiest second':>15}")
    with tempfile.TemporaryDirectory() as folder:
        for processes in (1, 3):
            rate, most = measure(Path(folder), processes, options.rate, options.seconds)
            off = rate / options.rate - 1
            print(f"{processes:>9} {rate:>10.2f} {off:>+10.2%} {most:>15}", flush=True)


if __name__ == "__main__":
    main()
