"""A whole list is imported and exported, on both engines."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO
from itertools import chain
from random import Random

import pytest
from sqlalchemy import func, select, text

from digest.storage.database import Database, open_database
from subscribers.address import parse_address
from subscribers.files.columns import Reading
from subscribers.files.imports import read_entries
from subscribers.files.writing import write_readers
from subscribers.model import (
    ConsentAction,
    Origin,
    Preferences,
    Subscriber,
    SubscriberState,
    SuppressionReason,
)
from subscribers.rules.decisions import SubscriptionRequest
from subscribers.rules.imports import EntryState, ImportedReader, ImportOutcome, ImportTerms
from subscribers.rules.unsubscribe import unsubscribe
from subscribers.store import writing
from subscribers.store.imports import BATCH, admit_batch, import_entries
from subscribers.store.mailable import mailable
from subscribers.store.readers import export_readers, history, reader_at
from subscribers.store.tables import consents
from subscribers.tokens import address_hash
from tests.databases import create_tables

NOW = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
SECRET = b"a secret of the tests, long enough"
TERMS = ImportTerms(
    act=ConsentAction.IMPORTED, origin=Origin(source="the old list, double opt-in 2024"), language="en"
)
LINK = Origin(source="link")


def test_a_list_is_imported_and_a_second_import_changes_nothing(database: Database) -> None:
    entries = [_entry(f"reader{number}") for number in range(BATCH + 3)]
    assert _import(database, entries) == {ImportOutcome.NEW: BATCH + 3}
    assert _import(database, entries) == {ImportOutcome.KNOWN: BATCH + 3}
    assert len(_mailable(database)) == BATCH + 3
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(consents)).scalar_one() == BATCH + 3


def test_consent_is_kept_with_its_stated_source(database: Database) -> None:
    _import(database, [_entry("anna", "daily", topics="climate")])
    with database.read() as connection:
        reader = reader_at(connection, "anna@example.org", _hash("anna"))
        assert reader.subscriber is not None
        (consent,) = history(connection, reader.subscriber.id)
    assert (consent.act, consent.origin) == (ConsentAction.IMPORTED, TERMS.origin)
    assert consent.detail["wishes"][0]["topics"] == "climate"


def test_lines_with_the_same_address_become_one_reader_in_any_order(database: Database) -> None:
    entries = [
        _entry("anna", "weekend", unsubscribed=True),
        _entry("ben", "daily"),
        _entry("anna", "daily"),
        _entry("anna", "monthly"),
    ]
    assert _import(database, entries) == {ImportOutcome.NEW: 2, ImportOutcome.ADDED: 1, ImportOutcome.GONE: 1}
    assert _import(database, entries) == {ImportOutcome.KNOWN: 3, ImportOutcome.LEFT: 1}
    with database.read() as connection:
        reader = reader_at(connection, "anna@example.org", _hash("anna"))
    assert [each.digest for each in reader.subscriptions if reader.reads(each.digest)] == ["daily", "monthly"]


def test_unsubscribed_suppressed_and_erased_readers_are_not_added(database: Database) -> None:
    _import(database, [_entry(name) for name in ("anna", "ben", "cem", "dana")])
    with database.write() as connection:
        anna = reader_at(connection, "anna@example.org", _hash("anna"), hold=True)
        change = unsubscribe(anna, "daily", origin=LINK, now=NOW)
        assert change is not None
        writing.write_change(connection, change, NOW)
        writing.suppress(connection, _hash("ben"), SuppressionReason.COMPLAINT, NOW)
        cem = reader_at(connection, "cem@example.org", _hash("cem"), hold=True)
        assert cem.subscriber is not None
        writing.erase(connection, cem.subscriber, NOW)
    again = [_entry(name) for name in ("anna", "ben", "cem", "dana")]
    assert _import(database, again) == {
        ImportOutcome.LEFT: 1,
        ImportOutcome.SUPPRESSED: 2,
        ImportOutcome.KNOWN: 1,
    }
    assert _mailable(database) == ["dana@example.org"]
    with database.read() as connection:
        assert reader_at(connection, "cem@example.org", _hash("cem")).subscriber is None


def test_a_list_that_was_exported_can_be_imported_elsewhere(database: Database) -> None:
    _import(
        database,
        [
            _entry("anna", "daily", topics="-sport"),
            _entry("anna", "weekend", unsubscribed=True),
            _entry("ben", unsubscribed=True),
            _entry("cem"),
        ],
    )
    with database.write() as connection:
        writing.suppress(connection, _hash("cem"), SuppressionReason.BOUNCE, NOW)
    written = "".join(write_readers(export_readers(database.read)))
    found = list(read_entries(BytesIO(written.encode()), Reading()))
    entries = [each for each in found if isinstance(each, ImportedReader)]
    assert len(entries) == len(found) == 4
    elsewhere = _fresh("sqlite://")
    assert _import(elsewhere, entries) == {ImportOutcome.NEW: 1, ImportOutcome.GONE: 3}
    assert _mailable(elsewhere) == ["anna@example.org"]
    again = "".join(write_readers(export_readers(elsewhere.read)))
    assert again == written.replace("suppressed", "unsubscribed")
    elsewhere.close()


def test_the_memory_it_takes_does_not_grow_with_the_list(sqlite: Database) -> None:
    peaks = []
    for name, batches in (("a", 3), ("b", 3), ("c", 9)):
        tracemalloc.start()
        entries = read_entries(Endless(name, batches * BATCH), Reading())
        became = _import(sqlite, (each for each in entries if isinstance(each, ImportedReader)))
        assert became == {ImportOutcome.NEW: batches * BATCH}
        assert sum(1 for _ in export_readers(sqlite.read)) >= batches * BATCH
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.25 * peaks[1]  # the first has paid for what is made once


class Endless:
    """A file of so many lines that nobody ever has as a whole."""

    def __init__(self, name: str, count: int) -> None:
        names = (f"{name}{number:06}@example.org,daily\n" for number in range(count))
        self._lines = (line.encode() for line in chain(["address,digest\n"], names))

    def readline(self, size: int, /) -> bytes:
        return next(self._lines, b"")[:size]


@pytest.mark.parametrize("between", [0, 2 * BATCH])
def test_an_address_that_comes_again_is_known_by_then(sqlite: Database, between: int) -> None:
    others = [_entry(f"reader{number}") for number in range(between)]
    entries = [_entry("Anna", topics="city"), *others, _entry("anna", topics="green")]
    assert _import(sqlite, entries) == {ImportOutcome.NEW: between + 1, ImportOutcome.KNOWN: 1}
    with sqlite.read() as connection:
        subscription = reader_at(connection, "anna@example.org", _hash("anna")).subscription("daily")
    assert subscription is not None
    assert str(subscription.preferences.topics) == "city"


@pytest.mark.parametrize("between", [0, 2 * BATCH])
@pytest.mark.parametrize("unsubscribed_first", [True, False])
def test_a_reader_who_is_unsubscribed_in_any_line_is_not_mailed(
    sqlite: Database, between: int, unsubscribed_first: bool
) -> None:
    first, last = (
        _entry("anna", unsubscribed=unsubscribed_first),
        _entry("anna", unsubscribed=not unsubscribed_first),
    )
    _import(sqlite, [first, *(_entry(f"reader{number}") for number in range(between)), last])
    assert "anna@example.org" not in _mailable(sqlite)


def test_two_imports_at_once_take_every_reader_in_once(database: Database) -> None:
    one = [_entry(f"reader{number}") for number in range(300)]
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: _import(database, one), range(4)))
    assert sum(outcomes, Counter()) == {ImportOutcome.NEW: 300, ImportOutcome.KNOWN: 900}
    assert len(_mailable(database)) == 300


def test_overlapping_lists_are_imported_at_once_without_blocking_each_other(postgresql_url: str) -> None:
    """An import that finds its new reader taken must not wait for it while it holds new readers itself."""
    database = _fresh(postgresql_url)

    def take_in(number: int) -> Counter[ImportOutcome]:
        luck, became = Random(number), Counter[ImportOutcome]()
        for first in range(0, 1_200, 60):
            names = [f"reader{first + each:04}" for each in luck.sample(range(60), 40)]
            for half in (names[:20], names[20:]):
                became += _import(database, [_entry(name) for name in half])
        return became

    with ThreadPoolExecutor(6) as pool:
        became = sum(pool.map(take_in, range(6)), Counter[ImportOutcome]())
    assert became.total() == 6 * 20 * 40
    assert became[ImportOutcome.NEW] == len(_mailable(database))
    assert set(became) == {ImportOutcome.NEW, ImportOutcome.KNOWN}
    database.close()


def test_the_import_decides_again_on_a_reader_who_was_added_in_the_meantime(postgresql_url: str) -> None:
    database = _fresh(postgresql_url)
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            writing.insert_subscriber(connection, _pending("anna"))
            importing = pool.submit(_import, database, [_entry("anna"), _entry("ben")])
            while not _somebody_waits(database):
                assert not importing.done(), importing.exception()
        assert importing.result() == {ImportOutcome.NEW: 1, ImportOutcome.ADDED: 1}
    assert _mailable(database) == ["anna@EXAMPLE.org", "ben@example.org"]
    database.close()


def test_an_empty_batch_is_nothing(sqlite: Database) -> None:
    assert admit_batch(sqlite.write, [], secret=SECRET, terms=TERMS, now=NOW) == {}
    assert list(export_readers(sqlite.read)) == []


# ── in short ────────────────────────────────────────────────────────────────────────────────


def _fresh(url: str) -> Database:
    database = open_database(url)
    with database.write() as connection:
        create_tables(connection)
    return database


def _entry(
    name: str, digest: str = "daily", *, topics: str = "", unsubscribed: bool = False
) -> ImportedReader:
    requested = SubscriptionRequest(digest=digest, preferences=Preferences.parse(topics=topics))
    state = EntryState.UNSUBSCRIBED if unsubscribed else EntryState.ACTIVE
    return ImportedReader(address=parse_address(f"{name}@example.org"), requests=(requested,), state=state)


def _import(
    database: Database, entries: list[ImportedReader] | Iterator[ImportedReader]
) -> Counter[ImportOutcome]:
    return import_entries(database.write, entries, secret=SECRET, terms=TERMS, now=NOW)


def _pending(name: str) -> Subscriber:
    return Subscriber(
        id=1,
        address=f"{name}@EXAMPLE.org",
        folded=f"{name}@example.org",
        address_hash=_hash(name),
        state=SubscriberState.PENDING,
        language="en",
        created_at=NOW,
    )


def _mailable(database: Database) -> list[str]:
    with database.read() as connection:
        return sorted(row.address for row in connection.execute(mailable("daily", NOW)))


def _hash(name: str) -> str:
    return address_hash(SECRET, f"{name}@example.org")


def _somebody_waits(database: Database) -> bool:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with database.read() as connection:
        return int(connection.execute(waiting).scalar_one()) > 0
