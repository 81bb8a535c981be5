"""Ten thousand sign-ups from one client: for the same address, then for different ones.

    python -m benchmarks.signups [COUNT]

Prints how many were answered how, how many mails were written, and the memory before and after.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from digest.storage.database import open_database
from digest.storage.migrate import migrate
from tests.web.parlour import Parlour, parlour


def main() -> None:
    """Run both halves and print a line for each."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/digest.db")
        migrate(database)
        place = parlour(database, Path(folder))
        for name, address in (("same", "eve@example.org"), ("different", "reader{}@example.org")):
            _knock(place, name, [address.format(number) for number in range(count)])
        database.close()


def _knock(place: Parlour, name: str, addresses: list[str]) -> None:
    before, began = _memory(), time.perf_counter()
    answers = Counter(place.fill_in({"address": address}).status_code for address in addresses)
    place.settle()
    seconds = time.perf_counter() - began
    mails = Counter(str(mail["To"]) for mail in place.mails())
    print(
        f"{name}: {len(addresses):,} in {seconds:.0f} s, answers {dict(answers)}, "
        f"mails {mails.total():,} to {len(mails):,} addresses, "
        f"at most {max(mails.values(), default=0)} each, "
        f"memory {before:.0f} → {_memory():.0f} MB"
    )


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
