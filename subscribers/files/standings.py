"""Remember the most restrictive state of each address in a file, on disk, so that memory stays flat."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import blake2b

from subscribers.rules.imports import EntryState, ImportedReader, ImportOutcome

_TABLES = """
CREATE TABLE worst (key BLOB PRIMARY KEY, state INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE seen (key BLOB PRIMARY KEY) WITHOUT ROWID;
BEGIN
"""
_WORSEN = "INSERT INTO worst VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET state = max(state, excluded.state)"
_AGAIN = {
    EntryState.ACTIVE: ImportOutcome.KNOWN,
    EntryState.UNCONFIRMED: ImportOutcome.UNCONFIRMED,
    EntryState.UNSUBSCRIBED: ImportOutcome.LEFT,
    EntryState.BOUNCED: ImportOutcome.SUPPRESSED,
    EntryState.COMPLAINED: ImportOutcome.SUPPRESSED,
}


class Standings:
    """The restrictions that the lines of one file name, each for one digest or for all.

    They are in a private temporary file that SQLite removes. It contains no address, only hashes.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._any = False

    def note(self, entry: ImportedReader) -> None:
        """Remember what one line says."""
        if entry.state is not EntryState.ACTIVE:
            self._any = True
            self._connection.executemany(_WORSEN, [(key, entry.state) for key in _keys(entry)])

    def resolved(self, entry: ImportedReader) -> ImportedReader:
        """Return an entry as all lines of the file together have it: the most restrictive state counts.

        A digest that another line restricts is taken out of an active entry; if none is left, the entry has
        the state of that other line.
        """
        if not self._any or entry.state is not EntryState.ACTIVE:
            return entry
        everywhere = self._worst(_key(entry, ""))
        states = {each: max(everywhere, self._worst(_key(entry, each.digest))) for each in entry.requests}
        kept = tuple(each for each, state in states.items() if state is EntryState.ACTIVE)
        if kept:
            return replace(entry, requests=kept)
        return replace(entry, state=max(everywhere, *states.values()))

    def repeated(self, entry: ImportedReader) -> ImportOutcome | None:
        """Return the outcome of an entry that repeats earlier ones of the file; None if it does not."""
        keys = [_key(entry, f"{entry.state.name}:{each.digest}") for each in entry.requests]
        keys = keys or [_key(entry, entry.state.name)]
        before = self._connection.total_changes
        self._connection.executemany("INSERT OR IGNORE INTO seen VALUES (?)", [(key,) for key in keys])
        return None if self._connection.total_changes > before else _AGAIN[entry.state]

    def _worst(self, key: bytes) -> EntryState:
        row = self._connection.execute("SELECT state FROM worst WHERE key = ?", (key,)).fetchone()
        return EntryState(row[0]) if row else EntryState.ACTIVE


@contextmanager
def open_standings() -> Iterator[Standings]:
    """Give empty standings, and remove their file at the end."""
    connection = sqlite3.connect("", isolation_level=None)  # an empty name is a temporary file
    try:
        connection.executescript(_TABLES)
        yield Standings(connection)
    finally:
        connection.close()


def _keys(entry: ImportedReader) -> Iterable[bytes]:
    """Yield the keys of a restriction: one for each digest, or one for all."""
    if entry.requests and entry.state <= EntryState.UNSUBSCRIBED:
        return (_key(entry, each.digest) for each in entry.requests)
    return (_key(entry, ""),)


def _key(entry: ImportedReader, digest: str) -> bytes:
    return blake2b(f"{entry.address.folded}\0{digest}".encode(), digest_size=16).digest()
