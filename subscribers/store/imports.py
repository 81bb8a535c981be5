"""Import a whole list in batches, with flat memory and short transactions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from subscribers.model import Reader, Subscriber, Suppression
from subscribers.rules.decisions import applied
from subscribers.rules.imports import Admission, EntryState, ImportedReader, ImportOutcome, ImportTerms, admit
from subscribers.store.readers import Begin, ids_at, read_readers, read_suppressions
from subscribers.store.tables import Connection, subscribers
from subscribers.store.writing import fresh_ids, insert_subscribers, suppress_all, write_changes
from subscribers.tokens import address_hash

BATCH = 500  # entries in one transaction: more would take more memory and would not be faster


def import_entries(
    begin: Begin, entries: Iterable[ImportedReader], *, secret: bytes, terms: ImportTerms, now: datetime
) -> Counter[ImportOutcome]:
    """Import entries and return how many had each outcome; a second run adds nothing.

    `begin` opens a write transaction and commits it. Entries may come from a generator that is reading a
    file.
    """
    outcomes: Counter[ImportOutcome] = Counter()
    remaining = iter(entries)
    while batch := list(islice(remaining, BATCH)):
        outcomes += admit_batch(begin, batch, secret=secret, terms=terms, now=now)
    return outcomes


def plan_entries(
    begin: Begin, entries: Iterable[ImportedReader], *, secret: bytes, terms: ImportTerms, now: datetime
) -> Counter[ImportOutcome]:
    """Return the outcomes that an import of these entries would have now; nothing is written.

    `begin` opens a read transaction. An entry that repeats an earlier one counts like that one, unless both
    are in one batch.
    """
    outcomes: Counter[ImportOutcome] = Counter()
    remaining = iter(entries)
    while batch := list(islice(remaining, BATCH)):
        with begin() as connection:
            admissions, _ = _decide(connection, _in_order(batch), secret=secret, terms=terms, now=now)
        outcomes.update(admission.outcome for _, admission in admissions)
    return outcomes


def admit_batch(
    begin: Begin, batch: Sequence[ImportedReader], *, secret: bytes, terms: ImportTerms, now: datetime
) -> Counter[ImportOutcome]:
    """Admit one batch of entries: read the readers who are there, decide on each entry, write all changes.

    Several imports may run at once.
    """
    outcomes: Counter[ImportOutcome] = Counter()
    # Two imports never block each other for ever, because each transaction holds existing readers in the
    # order of their ids, then adds new ones in the order of their addresses, then suppresses addresses in the
    # order of their hashes, and then waits for nobody. A reader that another transaction has added in the
    # meantime gets a new transaction here: to hold that reader too would mean to start again with the ids
    # while new addresses are held.
    todo = _in_order(batch)
    while todo:
        with begin() as connection:
            done, todo = _admit(connection, todo, secret=secret, terms=terms, now=now)
        outcomes.update(done)
    return outcomes


def _in_order(batch: Sequence[ImportedReader]) -> list[ImportedReader]:
    # Suppressed addresses come first, so that nothing is kept of them. Unsubscribed entries come last.
    # Otherwise an address with one ended and one active digest would be recorded as unsubscribed by the first
    # line, and the second line would not add it any more.
    return sorted(batch, key=lambda entry: (entry.address.folded, _ORDER[entry.state]))


_ORDER = {
    EntryState.COMPLAINED: 0,
    EntryState.BOUNCED: 1,
    EntryState.ACTIVE: 2,
    EntryState.UNCONFIRMED: 3,
    EntryState.UNSUBSCRIBED: 4,
}


def _admit(
    connection: Connection, entries: list[ImportedReader], *, secret: bytes, terms: ImportTerms, now: datetime
) -> tuple[list[ImportOutcome], list[ImportedReader]]:
    """Return the outcomes, and the entries whose address another transaction added in the meantime."""
    admissions, new = _decide(connection, entries, secret=secret, terms=terms, now=now, hold=True)
    lost = _insert(connection, new)
    kept = [(entry, admission) for entry, admission in admissions if entry.address.folded not in lost]
    changes = [admission.change for _, admission in kept if admission.change]
    write_changes(connection, changes, now, inserted=frozenset(each.id for each in new))
    reasons = {
        address_hash(secret, entry.address.folded): admission.suppress
        for entry, admission in reversed(kept)  # the first entry of an address has the strongest reason
        if admission.suppress
    }
    suppress_all(connection, reasons, now, note=terms.origin.source)
    return [admission.outcome for _, admission in kept], [
        each for each in entries if each.address.folded in lost
    ]


def _decide(
    connection: Connection,
    entries: list[ImportedReader],
    *,
    secret: bytes,
    terms: ImportTerms,
    now: datetime,
    hold: bool = False,
) -> tuple[list[tuple[ImportedReader, Admission]], list[Subscriber]]:
    """Return a decision for each entry, and the subscribers that the decisions add."""
    hashes = {entry.address.folded: address_hash(secret, entry.address.folded) for entry in entries}
    readers = _read(connection, hashes, hold=hold)
    there = frozenset(folded for folded, reader in readers.items() if reader.subscriber)
    admissions: list[tuple[ImportedReader, Admission]] = []
    for new_id, entry in zip(fresh_ids(len(entries)), entries, strict=True):
        at = entry.address.folded
        admission = admit(entry, readers[at], address_hash=hashes[at], new_id=new_id, terms=terms, now=now)
        if admission.change:
            readers[at] = applied(readers[at], admission.change)
        if admission.suppress:
            suppression = Suppression(address_hash=hashes[at], reason=admission.suppress, at=now)
            readers[at] = replace(readers[at], suppression=suppression)
        admissions.append((entry, admission))
    new = [reader.subscriber for at, reader in readers.items() if reader.subscriber and at not in there]
    return admissions, new


def _read(connection: Connection, hashes: dict[str, str], *, hold: bool) -> dict[str, Reader]:
    suppressed = read_suppressions(connection, list(hashes.values()))
    readers = {folded: Reader(suppression=suppressed.get(key)) for folded, key in hashes.items()}
    there = read_readers(connection, subscribers.c.folded.in_(list(hashes)), hold=hold)
    return readers | {reader.subscriber.folded: reader for reader in there if reader.subscriber}


def _insert(connection: Connection, new: list[Subscriber]) -> frozenset[str]:
    """Insert new subscribers; return the folded addresses that another transaction had added by then."""
    insert_subscribers(connection, new)
    there = ids_at(connection, [each.folded for each in new])
    return frozenset(each.folded for each in new if there.get(each.folded) != each.id)
