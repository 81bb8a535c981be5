"""Import readers from CSV and export the list as CSV; `subscribers` has the rules."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from digest.config import Config
from digest.editions.schedules import begin_digests
from digest.readers.parts import ReaderParts
from digest.readers.subscribers import offered, terms_of
from digest.storage.database import Database
from subscribers.files.csv_lines import ByteFile, Fault, Remark
from subscribers.files.imports import Reading, read_entries, write_readers
from subscribers.model import (
    ConsentAction,
    Frequency,
)
from subscribers.rules.imports import ImportedReader, ImportOutcome
from subscribers.store.imports import import_entries
from subscribers.store.readers import export_readers


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The result of an import: the number of entries for each outcome, faulty lines and remarks."""

    outcomes: Counter[ImportOutcome]
    faults: tuple[Fault, ...] = field(repr=False)
    remarks: tuple[Remark, ...] = field(repr=False)


def import_readers(
    parts: ReaderParts,
    file: ByteFile,
    digests: Sequence[str],
    *,
    source: str,
    now: datetime,
    progress: Callable[[int], None],
) -> Imported:
    """Import a CSV file. A line that cannot be used becomes a fault with its number; the others are imported.

    `digests` are for lines that name none. `progress` is called with the number of lines read so far.
    """
    for slug in digests:
        parts.config.digest(slug)
    begin_digests(parts.database, parts.config, now)
    faults: list[Fault] = []
    remarks: list[Remark] = []
    remarked: set[tuple[str, Frequency]] = set()

    def usable() -> Iterator[ImportedReader]:
        reading = Reading(digests=tuple(digests), offered=offered(parts.config))
        for found in read_entries(file, reading):
            progress(found.line)
            if isinstance(found, ImportedReader):
                remarks.extend(_not_gathered(parts.config, found, remarked))
                yield found
            elif isinstance(found, Fault):
                faults.append(found)
            else:
                remarks.append(found)

    terms = terms_of(parts.config, ConsentAction.IMPORTED, source)
    with _heap_at_rest():
        outcomes = import_entries(parts.database.write, usable(), secret=parts.secret, terms=terms, now=now)
    return Imported(outcomes=outcomes, faults=tuple(faults), remarks=tuple(remarks))


def _not_gathered(
    config: Config, entry: ImportedReader, remarked: set[tuple[str, Frequency]]
) -> Iterator[Remark]:
    """Yield a remark for each frequency that its digest does not offer, once per file."""
    for each in () if entry.unsubscribed else entry.requests:
        frequency = each.preferences.frequency
        key = (each.digest, frequency)
        if frequency is Frequency.EACH or key in remarked:
            continue
        remarked.add(key)
        if frequency not in config.digest(each.digest).frequencies:
            text = f"{each.digest} is not gathered {frequency}; until it is, who chose that gets each edition"
            yield Remark(entry.line, text)


@contextmanager
def _heap_at_rest() -> Iterator[None]:
    """Exclude existing objects from garbage collection, which took a quarter of an import's time."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def export_csv(database: Database) -> Iterator[str]:
    """Yield the whole list as CSV text, in pieces."""
    with database.read() as connection:
        yield from write_readers(export_readers(connection))
