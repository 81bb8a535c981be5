"""Nobody who left, bounced, complained or never confirmed in any line of a file is mailed."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from datetime import UTC, datetime
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.storage.database import Database
from subscribers.address import parse_address
from subscribers.files.columns import Reading
from subscribers.files.imports import read_entries
from subscribers.files.standings import open_standings
from subscribers.model import ConsentAction, Origin, SuppressionReason
from subscribers.rules.decisions import SubscriptionRequest
from subscribers.rules.imports import EntryState, ImportedReader, ImportOutcome, ImportTerms
from subscribers.store import writing
from subscribers.store.imports import BATCH, import_entries, plan_entries
from subscribers.store.mailable import mailable
from subscribers.store.readers import history, read_suppressions, reader_at
from subscribers.tokens import address_hash
from tests.subscribers.exports import SAMPLES, Sample

NOW = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
SECRET = b"a secret of the tests, long enough"
TERMS = ImportTerms(act=ConsentAction.IMPORTED, origin=Origin(source="the old list"), language="en")
ACTIVE, UNCONFIRMED, UNSUBSCRIBED, BOUNCED, COMPLAINED = EntryState
ROUND = itertools.count()

Chosen = list[tuple[int, list[tuple[str, int]]]]  # files, each with the people and kinds of its lines
chosen = st.lists(
    st.tuples(
        st.integers(0, len(SAMPLES) - 1),
        st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 9)), min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=chosen)
def test_nobody_who_is_restricted_in_any_line_is_mailable(database: Database, chosen: Chosen) -> None:
    number = next(ROUND)  # so that each example has people of its own
    agreed: set[str] = set()
    restricted: set[str] = set()
    for index, lines in chosen:
        sample, written = SAMPLES[index], []
        kinds = list(sample.lines.items())
        for person, kind in lines:
            line, state = kinds[kind % len(kinds)]
            address = f"{person}{number}@example.org"
            written.append(re.sub(r"\b\w@example\.org", address, line))
            if state != "fault":
                (agreed if state == "active" else restricted).add(address)
        planned, done = _import(database, "\n".join([sample.header, *written]), sample)
        assert planned.total() == done.total()
    mailed = {address for address in _mailable(database) if re.fullmatch(rf"[xyz]{number}@.*", address)}
    # Within one file the order of the lines never counts. Of several files, an earlier one may have made
    # somebody active whom a later one does not know as confirmed; nothing else is allowed.
    only_unconfirmed = _never_worse(chosen, number)
    assert not mailed & restricted - only_unconfirmed
    assert agreed - restricted == mailed - only_unconfirmed


def _never_worse(chosen: Chosen, number: int) -> set[str]:
    """Return the people whom no line restricts more than "unconfirmed", if there are several files."""
    if len(chosen) == 1:
        return set()
    worst: dict[str, int] = {}
    for index, lines in chosen:
        states = list(SAMPLES[index].lines.values())
        for person, kind in lines:
            state = states[kind % len(states)]
            if state != "fault":
                address = f"{person}{number}@example.org"
                worst[address] = max(worst.get(address, 0), EntryState[state.upper()])
    return {address for address, state in worst.items() if state == UNCONFIRMED}


@pytest.mark.parametrize("between", [0, 2 * BATCH])
def test_the_most_restrictive_line_of_a_file_counts_in_any_order(sqlite: Database, between: int) -> None:
    words = ("active", "unconfirmed", "unsubscribed", "bounced", "complained")
    others = [f"other{number}@example.org,active" for number in range(between)]
    for number, (first, last) in enumerate(itertools.product(range(5), repeat=2)):
        address = f"reader{number}@example.org"
        text = "\n".join(["email,status", f"{address},{words[first]}", *others, f"{address},{words[last]}"])
        planned, done = _import(sqlite, text)
        assert planned.total() == done.total()
        assert (address in _mailable(sqlite)) is (first == last == 0)
        suppression = _suppression(sqlite, address)
        worst = EntryState(max(first, last))
        expected = {BOUNCED: SuppressionReason.BOUNCE, COMPLAINED: SuppressionReason.COMPLAINT}.get(worst)
        assert suppression == expected


def test_a_dry_run_says_what_the_import_does(database: Database) -> None:
    lines = ["email,status,digest"]
    lines += ["a@example.org,active,daily", "b@example.org,unsubscribed,", "c@example.org,spam,"]
    lines += ["d@example.org,bounced,", "e@example.org,pending,", "a@example.org,active,daily"]
    lines += ["b@example.org,unsubscribed,", "e@example.org,pending,"]
    lines += ["f@example.org,unsubscribed,weekend", "f@example.org,,daily"]
    with database.write() as connection:
        writing.suppress(connection, _hash("f@example.org"), SuppressionReason.OPERATOR, NOW)
    planned, done = _import(database, "\n".join(lines))
    assert planned == done
    assert done == {
        ImportOutcome.NEW: 1,
        ImportOutcome.KNOWN: 1,
        ImportOutcome.GONE: 1,
        ImportOutcome.LEFT: 1,
        ImportOutcome.COMPLAINED: 1,
        ImportOutcome.BOUNCED: 1,
        ImportOutcome.UNCONFIRMED: 2,
        ImportOutcome.SUPPRESSED: 2,
    }
    assert _mailable(database) == ["a@example.org"]


def test_a_dry_run_writes_nothing(database: Database) -> None:
    with database.read() as connection:
        before = _rows(database)
        assert connection is not None
    entries = [_entry("a@example.org"), _entry("b@example.org", BOUNCED)]
    plan_entries(database.read, entries, secret=SECRET, terms=TERMS, now=NOW)
    assert _rows(database) == before


def test_a_reader_who_complained_or_bounced_elsewhere_is_suppressed_and_nothing_else_is_kept(
    database: Database,
) -> None:
    entries = [_entry("a@example.org", COMPLAINED), _entry("b@example.org", BOUNCED), _entry("b@example.org")]
    outcomes = _admit(database, entries)
    assert outcomes == {ImportOutcome.COMPLAINED: 1, ImportOutcome.BOUNCED: 1, ImportOutcome.SUPPRESSED: 1}
    with database.read() as connection:
        for address in ("a@example.org", "b@example.org"):
            assert reader_at(connection, address, _hash(address)).subscriber is None
        kept = read_suppressions(connection, [_hash("a@example.org")])[_hash("a@example.org")]
    assert (kept.reason, kept.note, kept.at) == (SuppressionReason.COMPLAINT, "the old list", NOW)


def test_a_stronger_reason_replaces_a_weaker_one(database: Database) -> None:
    with database.write() as connection:
        writing.suppress(connection, _hash("a@example.org"), SuppressionReason.BOUNCE, NOW)
        writing.suppress(connection, _hash("b@example.org"), SuppressionReason.COMPLAINT, NOW)
    entries = [_entry("a@example.org", COMPLAINED), _entry("b@example.org", BOUNCED)]
    entries += [_entry("c@example.org", COMPLAINED), _entry("c@example.org", BOUNCED)]
    assert _admit(database, entries) == {ImportOutcome.SUPPRESSED: 3, ImportOutcome.COMPLAINED: 1}
    assert {_suppression(database, f"{name}@example.org") for name in "abc"} == {SuppressionReason.COMPLAINT}


def test_an_active_reader_who_bounced_elsewhere_is_not_mailed_any_more(database: Database) -> None:
    _admit(database, [_entry("a@example.org")])
    assert _admit(database, [_entry("a@example.org", BOUNCED)]) == {ImportOutcome.BOUNCED: 1}
    assert _mailable(database) == []


def test_a_reader_who_is_confirmed_here_stays_so_if_another_list_waits_for_a_confirmation(
    database: Database,
) -> None:
    _admit(database, [_entry("a@example.org")])
    assert _admit(database, [_entry("a@example.org", UNCONFIRMED)]) == {ImportOutcome.UNCONFIRMED: 1}
    assert _mailable(database) == ["a@example.org"]


def test_the_time_and_network_of_the_agreement_are_kept_as_evidence(database: Database) -> None:
    text = "email,confirm time,confirm ip\na@example.org,2023-05-01 10:05:00,192.0.2.8\nb@example.org,,\n"
    _import(database, text)
    with database.read() as connection:
        subscriber = reader_at(connection, "a@example.org", _hash("a@example.org")).subscriber
        assert subscriber is not None
        (consent,) = history(connection, subscriber.id)
    agreed = datetime(2023, 5, 1, 10, 5, tzinfo=UTC)
    assert subscriber.confirmed_at == agreed
    assert (consent.at, consent.origin.source, consent.origin.client) == (NOW, "the old list", "192.0.2.0/24")
    assert consent.detail["confirmed_at"] == agreed.isoformat()


def test_digests_that_another_line_ends_are_taken_out_of_an_active_line() -> None:
    both = tuple(SubscriptionRequest(digest=digest) for digest in ("daily", "weekend"))
    active = ImportedReader(address=parse_address("a@example.org"), requests=both)
    with open_standings() as standings:
        assert standings.resolved(active) == active
        standings.note(_entry("a@example.org", UNSUBSCRIBED))
        assert [each.digest for each in standings.resolved(active).requests] == ["weekend"]
        standings.note(ImportedReader(address=active.address, state=UNCONFIRMED))
        assert standings.resolved(active).state is UNSUBSCRIBED
        assert standings.resolved(_entry("b@example.org")) == _entry("b@example.org")
        standings.note(_entry("a@example.org", COMPLAINED))
        assert standings.resolved(active).state is COMPLAINED
        assert standings.resolved(_entry("a@example.org", BOUNCED)).state is BOUNCED


@settings(max_examples=400, deadline=None)
@given(
    number=st.integers(0, len(SAMPLES) - 1),
    place=st.floats(0, 0.999),
    byte=st.sampled_from(b'\0",;\n\r\t\xff\x81'),
)
def test_one_damaged_byte_makes_nobody_a_reader_who_must_not_be_mailed(
    number: int, place: float, byte: int
) -> None:
    sample = SAMPLES[number]
    header = f"{sample.header}\n".encode()
    data = bytearray("\n".join([*sample.lines, ""]).encode())
    data[int(place * len(data))] = byte
    restricted = " ".join(line for line, state in sample.lines.items() if state != "active")
    reading = Reading(digests=("daily",), file_name=sample.file_name)
    with open_standings() as standings:
        for found in read_entries(BytesIO(header + bytes(data)), reading):
            if not isinstance(found, ImportedReader):
                assert "example.org" not in str(found)
            elif found.address.address in restricted:
                assert standings.resolved(found).state is not ACTIVE


def _import(
    database: Database, text: str, sample: Sample | None = None
) -> tuple[Counter[ImportOutcome], Counter[ImportOutcome]]:
    """Read a file as the command does; return the outcomes of the dry run and of the import."""
    reading = Reading(
        digests=("daily",),
        offered={"daily": None, "weekend": None},
        file_name=sample.file_name if sample else "",
    )

    def entries() -> list[ImportedReader]:
        return [
            each for each in read_entries(BytesIO(text.encode()), reading) if isinstance(each, ImportedReader)
        ]

    with open_standings() as standings:
        for entry in entries():
            standings.note(entry)
        resolved = [standings.resolved(entry) for entry in entries()]
        again = [standings.repeated(entry) for entry in resolved]
        first = [entry for entry, outcome in zip(resolved, again, strict=True) if outcome is None]
        planned = plan_entries(database.read, first, secret=SECRET, terms=TERMS, now=NOW)
        planned += Counter(outcome for outcome in again if outcome is not None)
        return planned, _admit(database, resolved)


def _admit(database: Database, entries: list[ImportedReader]) -> Counter[ImportOutcome]:
    return import_entries(database.write, entries, secret=SECRET, terms=TERMS, now=NOW)


def _entry(address: str, state: EntryState = ACTIVE) -> ImportedReader:
    return ImportedReader(
        address=parse_address(address), requests=(SubscriptionRequest(digest="daily"),), state=state
    )


def _mailable(database: Database) -> list[str]:
    with database.read() as connection:
        return sorted(row.address for row in connection.execute(mailable("daily", NOW)))


def _suppression(database: Database, address: str) -> SuppressionReason | None:
    with database.read() as connection:
        found = read_suppressions(connection, [_hash(address)]).get(_hash(address))
    return found.reason if found else None


def _rows(database: Database) -> list[int]:
    tables = ("subscribers", "subscriptions", "consents", "suppressions")
    with database.read() as connection:
        return [connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() for table in tables]


def _hash(address: str) -> str:
    return address_hash(SECRET, address)
