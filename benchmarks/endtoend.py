"""Run our whole sender, from a list of readers to the mail server, and make the lists."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import publisher
from benchmarks.senders import Sender, Task
from digest.model.deliveries import DeliveryState
from digest.send.send import send
from digest.smtp.terms import Pace
from digest.smtp.transport import SmtpTransport


def ours(path: Path, *, pace: Pace = Pace.CHUNKING, in_flight: int = 8) -> Sender:
    """Return our sender, which claims, personalises, sends, and records every answer in SQLite."""
    return lambda task: carry(path, task, pace=pace, in_flight=in_flight)


def carry(path: Path, task: Task, *, pace: Pace = Pace.CHUNKING, in_flight: int = 8) -> None:
    """Send the edition in the database at `path` to all readers, as `digest send` does."""
    transport = SmtpTransport([task.server], pace=pace, in_flight=in_flight)
    with closing(publisher.open_at(path)) as database:
        outbox = publisher.outbox(transport)
        sent = send(database, publisher.EDITION, outbox=outbox, clock=lambda: datetime.now(UTC))
    accepted = sent.counts.of(DeliveryState.ACCEPTED)
    if accepted != task.messages:
        raise SystemExit(f"{accepted} of {task.messages} messages were accepted: {sent.counts}")


class Lists:
    """Databases to send from, made once for each size and copied for each run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copy(self, readers: int, choices: int = 1) -> Path:
        """Return a new list of so many readers, and delete the list of the run before."""
        original = self._folder / f"{readers}-{choices}.db"
        if not original.exists():
            publisher.create(original, readers, choices)
        for old in self._folder.glob("run.db*"):
            old.unlink()
        return Path(shutil.copy(original, self._folder / "run.db"))


def main() -> None:
    """Send to one list in a process of its own; print seconds, CPU seconds and peak memory in KB.

    python -m benchmarks.endtoend DATABASE PORT READERS
    """
    path, port, readers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    start, used = time.perf_counter(), time.process_time()
    carry(path, Task(port=port, messages=readers))
    peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    print(time.perf_counter() - start, time.process_time() - used, peak)


if __name__ == "__main__":
    main()
