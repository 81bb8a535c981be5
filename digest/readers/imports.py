"""Import readers from CSV, after a dry run, and export the list as CSV; `subscribers` has the rules."""

from __future__ import annotations

import gc
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO

from digest.config import Config
from digest.config.parts import Parts
from digest.editions.schedules import begin_digests
from digest.model.errors import DigestError
from digest.readers.subscribers import offered, terms_of
from digest.storage.database import Database
from subscribers.files.columns import Reading, Stop
from subscribers.files.csv_lines import Fault, Remark
from subscribers.files.imports import may_restrict, parse_tags, read_entries
from subscribers.files.standings import Standings, open_standings
from subscribers.files.states import plain_name
from subscribers.files.writing import write_readers
from subscribers.model import Choice, ConsentAction, Frequency, Preferences
from subscribers.rules.decisions import SubscriptionRequest
from subscribers.rules.imports import ImportedReader, ImportOutcome, ImportTerms
from subscribers.rules.signup import check_requests
from subscribers.store.imports import import_entries, plan_entries
from subscribers.store.readers import export_readers

Progress = Callable[[int], None]  # is called with the number of lines read so far


class UnclearListError(DigestError):
    """A file may say who must not be mailed, and is not understood; the text has a line for each column."""

    def __init__(self, stops: list[Stop]) -> None:
        super().__init__("\n".join([*map(str, stops), "nothing was imported"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """The request of an operator to import one file."""

    source: str  # where these readers agreed
    digests: tuple[str, ...] = ()  # for lines that name none
    ignored: tuple[str, ...] = ()  # columns that are not read
    tags: tuple[str, ...] = ()  # "Sport=daily:sport": the topics that tags of the file stand for
    file_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The result of an import or of its dry run: entries for each outcome, faulty lines and remarks."""

    outcomes: Counter[ImportOutcome]
    faults: tuple[Fault, ...] = field(repr=False)
    remarks: tuple[Remark, ...] = field(repr=False)


@contextmanager
def open_import(parts: Parts, file: IO[bytes], request: ImportRequest) -> Iterator[ImportedList]:
    """Give a file for a dry run and an import; nothing is written yet. Raises ConfigError, ChoiceError.

    A pipe is copied to a temporary file, because the file is read several times: only its end tells whether
    an address is restricted.
    """
    reading = _reading(parts.config, request)
    with _rereadable(file) as source, open_standings() as standings:
        terms = terms_of(parts.config, ConsentAction.IMPORTED, request.source)
        yield ImportedList(parts, source, reading, terms, standings)


class ImportedList:
    """A file. If it has states, it is read once first, to find the most restrictive one of each address."""

    def __init__(
        self,
        parts: Parts,
        file: IO[bytes],
        reading: Reading,
        terms: ImportTerms,
        standings: Standings,
    ) -> None:
        self._parts, self._file, self._reading, self._terms = parts, file, reading, terms
        self._standings = standings
        self._start = file.tell()
        self._is_surveyed = False
        self._faults: list[Fault] = []
        self._remarks: list[Remark] = []

    def plan(self, now: datetime, progress: Progress) -> Imported:
        """Return what an import would do now, and write nothing. Raises UnclearListError."""
        self._survey(progress)
        repeated: Counter[ImportOutcome] = Counter()

        def once() -> Iterator[ImportedReader]:
            for entry in self._entries(progress):
                outcome = self._standings.repeated(entry)
                if outcome is None:
                    yield entry
                else:
                    repeated[outcome] += 1

        parts = self._parts
        outcomes = plan_entries(parts.database.read, once(), secret=parts.secret, terms=self._terms, now=now)
        return self._imported(outcomes + repeated)

    def write(self, now: datetime, progress: Progress) -> Imported:
        """Import the file. A line that cannot be used is a fault with its number; the others are imported.

        Raises UnclearListError.
        """
        self._survey(progress)
        parts = self._parts
        begin_digests(parts.database, parts.config, now)
        with _heap_at_rest():
            outcomes = import_entries(
                parts.database.write, self._entries(progress), secret=parts.secret, terms=self._terms, now=now
            )
        return self._imported(outcomes)

    def _survey(self, progress: Progress) -> None:
        """Read the file once for its restrictions, if it can have any. Raises UnclearListError."""
        if self._is_surveyed:
            return
        self._file.seek(self._start)
        if may_restrict(self._file, self._reading):
            for entry in self._read(progress):
                self._standings.note(entry)
        self._is_surveyed = True

    def _entries(self, progress: Progress) -> Iterator[ImportedReader]:
        return map(self._standings.resolved, self._read(progress))

    def _read(self, progress: Progress) -> Iterator[ImportedReader]:
        """Yield the entries of the whole file; faults and remarks are those of the latest reading."""
        self._file.seek(self._start)
        self._faults, self._remarks = [], []
        stops = []
        remarked: set[tuple[str, Frequency]] = set()
        for found in read_entries(self._file, self._reading):
            progress(found.line)
            if isinstance(found, ImportedReader):
                self._remarks.extend(_not_gathered(self._parts.config, found, remarked))
                yield found
            elif isinstance(found, Fault):
                self._faults.append(found)
            elif isinstance(found, Remark):
                self._remarks.append(found)
            else:
                stops.append(found)
        if stops:
            raise UnclearListError(stops)

    def _imported(self, outcomes: Counter[ImportOutcome]) -> Imported:
        return Imported(outcomes=outcomes, faults=tuple(self._faults), remarks=tuple(self._remarks))


def _reading(config: Config, request: ImportRequest) -> Reading:
    for slug in request.digests:
        config.digest(slug)
    tags = parse_tags(request.tags)
    for digest, topic in {choice for choices in tags.values() for choice in choices}:
        preferences = Preferences(topics=Choice(include=frozenset({topic})))
        check_requests((SubscriptionRequest(digest=digest, preferences=preferences),), offered(config))
    return Reading(
        digests=request.digests,
        offered=offered(config),
        ignored=frozenset(map(plain_name, request.ignored)),
        tags=tags,
        file_name=request.file_name,
    )


@contextmanager
def _rereadable(file: IO[bytes]) -> Iterator[IO[bytes]]:
    if file.seekable():
        yield file
        return
    with TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield copy


def _not_gathered(
    config: Config, entry: ImportedReader, remarked: set[tuple[str, Frequency]]
) -> Iterator[Remark]:
    """Yield a remark for each frequency that its digest does not offer, once per file."""
    for each in () if entry.state else entry.requests:
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
    yield from write_readers(export_readers(database.read))
