"""Our whole way from a list to its readers, and the lists."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import publisher
from benchmarks.senders import Sender, Task
from digest.model import DeliveryState, Security, SmtpServer
from digest.send.pipeline import Pace
from digest.send.send import send
from digest.send.transport import SmtpTransport


def ours(path: Path, *, pace: Pace = Pace.CHUNKING, in_flight: int = 8) -> Sender:
    """Give our sender: claim, personalise, send, keep every answer in SQLite with synchronous=FULL."""
    return lambda task: carry(path, task, pace=pace, in_flight=in_flight)


def carry(path: Path, task: Task, *, pace: Pace = Pace.CHUNKING, in_flight: int = 8) -> None:
    """Send the edition in the database at `path` to everybody, as `digest send` does."""
    server = SmtpServer(
        host="127.0.0.1",
        port=task.port,
        security=Security.STARTTLS if task.ca_file else Security.NONE,
        ca_file=task.ca_file,
        connections=task.connections,
    )
    transport = SmtpTransport([server], pace=pace, in_flight=in_flight)
    with closing(publisher.open_at(path)) as database:
        outbox = publisher.outbox(transport)
        sent = send(database, publisher.EDITION, outbox=outbox, clock=lambda: datetime.now(UTC))
    accepted = sent.counts.of(DeliveryState.ACCEPTED)
    if accepted != task.messages:
        raise SystemExit(f"{accepted} of {task.messages} messages were accepted: {sent.counts}")


class Lists:
    """Databases to send from: made once for each size, and copied for each run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copy(self, readers: int, choices: int = 1) -> Path:
        """Give a fresh list of so many readers; the one given before is no more."""
        original = self._folder / f"{readers}-{choices}.db"
        if not original.exists():
            publisher.found(original, readers, choices)
        for old in self._folder.glob("run.db*"):
            old.unlink()
        return Path(shutil.copy(original, self._folder / "run.db"))


def main() -> None:
    """Send one list in a process of its own; print seconds, CPU seconds and the peak of its memory in KB.

    python -m benchmarks.endtoend DATABASE PORT READERS
    """
    path, port, readers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    start, used = time.perf_counter(), time.process_time()
    carry(path, Task(port=port, messages=readers))
    peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    print(time.perf_counter() - start, time.process_time() - used, peak)


if __name__ == "__main__":
    main()
