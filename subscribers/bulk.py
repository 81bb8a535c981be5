"""Take in a whole list and give it out again, in batches: flat memory, short transactions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import islice

from subscribers.admission import Admission, Entry, Outcome, Terms, admit
from subscribers.decisions import applied
from subscribers.model import Reader, Subscriber
from subscribers.record import fresh_ids, insert_subscribers, write_changes
from subscribers.store import Connection, ids_at, read_readers, read_suppressions
from subscribers.tables import subscribers
from subscribers.tokens import address_hash

BATCH = 500  # entries or readers in one transaction: more takes memory, and is no faster

Begin = Callable[[], AbstractContextManager[Connection]]


def import_entries(
    begin: Begin, entries: Iterable[Entry], *, secret: bytes, terms: Terms, now: datetime
) -> Counter[Outcome]:
    """Take in entries and return how many became what; a second run adds nothing.

    `begin` opens a transaction for writing and commits it. Entries may come from a generator that reads
    a file as it goes.
    """
    outcomes: Counter[Outcome] = Counter()
    left = iter(entries)
    while batch := list(islice(left, BATCH)):
        outcomes += admit_batch(begin, batch, secret=secret, terms=terms, now=now)
    return outcomes


def admit_batch(
    begin: Begin, batch: Sequence[Entry], *, secret: bytes, terms: Terms, now: datetime
) -> Counter[Outcome]:
    """Admit entries: read who is there, decide on each, write all.

    Goodbyes are looked at last, so that one digest left does not hide another that is read. Two imports at
    once wait for each other and never block each other: a transaction holds who is there by id, then adds
    newcomers by address, and then waits for nobody. Whom somebody else has added meanwhile is left to a
    transaction of its own, for to hold them too would be to begin again while newcomers are held.
    """
    outcomes: Counter[Outcome] = Counter()
    todo = sorted(batch, key=lambda entry: (entry.address.folded, entry.left))
    while todo:
        with begin() as connection:
            done, todo = _admit(connection, todo, secret=secret, terms=terms, now=now)
        outcomes.update(done)
    return outcomes


def export_readers(connection: Connection) -> Iterator[Reader]:
    """Yield every reader with choices and suppression, by id, a page at a time."""
    after = -1
    while page := read_readers(connection, subscribers.c.id > after, limit=BATCH):
        yield from page
        last = page[-1].subscriber
        after = last.id if last else after


def _admit(
    connection: Connection, entries: list[Entry], *, secret: bytes, terms: Terms, now: datetime
) -> tuple[list[Outcome], list[Entry]]:
    """Return what became of the entries, and those whose address somebody else added meanwhile."""
    hashes = {entry.address.folded: address_hash(secret, entry.address.folded) for entry in entries}
    readers = _read(connection, hashes)
    there = frozenset(folded for folded, reader in readers.items() if reader.subscriber)
    admissions: list[tuple[Entry, Admission]] = []
    for new_id, entry in zip(fresh_ids(len(entries)), entries, strict=True):
        at = entry.address.folded
        admission = admit(entry, readers[at], address_hash=hashes[at], new_id=new_id, terms=terms, now=now)
        if admission.change:
            readers[at] = applied(readers[at], admission.change)
        admissions.append((entry, admission))
    new = [reader.subscriber for at, reader in readers.items() if reader.subscriber and at not in there]
    lost = _insert(connection, new)
    kept = [(entry, admission) for entry, admission in admissions if entry.address.folded not in lost]
    changes = [admission.change for _, admission in kept if admission.change]
    write_changes(connection, changes, now, inserted=frozenset(each.id for each in new))
    return [admission.outcome for _, admission in kept], [
        each for each in entries if each.address.folded in lost
    ]


def _read(connection: Connection, hashes: dict[str, str]) -> dict[str, Reader]:
    suppressed = read_suppressions(connection, list(hashes.values()))
    readers = {folded: Reader(suppression=suppressed.get(key)) for folded, key in hashes.items()}
    there = read_readers(connection, subscribers.c.folded.in_(list(hashes)), hold=True)
    return readers | {reader.subscriber.folded: reader for reader in there if reader.subscriber}


def _insert(connection: Connection, new: list[Subscriber]) -> frozenset[str]:
    """Insert newcomers; return the folded addresses of whom somebody else had added by then."""
    insert_subscribers(connection, new)
    there = ids_at(connection, [each.folded for each in new])
    return frozenset(each.folded for each in new if there.get(each.folded) != each.id)
