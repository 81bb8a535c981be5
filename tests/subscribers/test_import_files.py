"""CSV files of all kinds are read, and a written list can be read again."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from io import BytesIO, StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscribers.address import parse_address
from subscribers.files.columns import Reading
from subscribers.files.csv_lines import MAX_LINE, MAX_RECORD_LINES, Fault, Remark
from subscribers.files.imports import Found, read_entries
from subscribers.files.writing import COLUMNS, write_readers
from subscribers.model import (
    Choice,
    Format,
    Frequency,
    Preferences,
    Reader,
    Subscriber,
    SubscriberState,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from subscribers.rules.decisions import SubscriptionRequest
from subscribers.rules.imports import EntryState, ImportedReader

NOW = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
DAILY = Reading(digests=("daily",))


# ── reading ─────────────────────────────────────────────────────────────────────────────────


def test_a_line_gives_the_address_and_the_preferences() -> None:
    text = (
        "address,digest,topics,hour,zone,frequency,format,language,confirmed_at,paused_until,state\n"
        "Anna@example.org,daily weekend,climate space,7:30,Europe/Berlin,weekly,text,de,"
        "2024-05-01T10:00+02:00,2026-12-24,active\n"
    )
    preferences = Preferences(
        topics=Choice.parse("climate,space"), hour="07:30", zone="Europe/Berlin", frequency=Frequency.WEEKLY
    )
    assert _read(text) == [
        ImportedReader(
            address=parse_address("Anna@example.org"),
            requests=(
                SubscriptionRequest(digest="daily", preferences=preferences),
                SubscriptionRequest(digest="weekend", preferences=preferences),
            ),
            language="de",
            format=Format.TEXT,
            confirmed_at=datetime(2024, 5, 1, 8, tzinfo=UTC),
            paused_until=datetime(2026, 12, 24, tzinfo=UTC),
            line=2,
        )
    ]


@pytest.mark.parametrize(
    "header",
    [
        "address,hour",
        "email;hour",
        "E-Mail\thour",
        "Email Address,Hour",
        '"e-mail address";HOUR',
        "mail , hour",
    ],
)
def test_columns_are_known_by_many_names_in_any_order_with_any_delimiter(header: str) -> None:
    delimiter = next(each for each in ",;\t" if each in header)
    (entry,) = _read(f"{header}\nanna@example.org{delimiter}08:00\n", DAILY)
    assert isinstance(entry, ImportedReader)
    assert entry.requests[0].preferences.hour == "08:00"


def test_unknown_columns_get_a_remark_that_shows_no_address() -> None:
    remark, entry = _read("name,email,,x@example.org,email\nAnna,anna@example.org,,,\n", DAILY)
    assert remark == Remark(1, "these columns are not used: name, column 3, column 4, email")
    assert _addresses([entry]) == ["anna@example.org"]


def test_a_file_of_bare_addresses_needs_no_header() -> None:
    remark, *entries = _read("Anna,anna@example.org\nBen,ben@example.org\n", DAILY)
    assert remark == Remark(1, "the first line does not name the columns; column 2 is used as the address")
    assert _addresses(entries) == ["anna@example.org", "ben@example.org"]


@pytest.mark.parametrize("text", ["name,hour\nAnna,7:00\n", "digest,x@example.org\n", "what is this\n"])
def test_a_file_without_addresses_is_refused_once(text: str) -> None:
    assert _read(text) == [Fault(1, "address", "no column is called address or email")]


@pytest.mark.parametrize("text", ["", "\n\n  \n", "\r\r"])
def test_an_empty_file_is_reported(text: str) -> None:
    assert _read(text) == [Fault(1, "", "the file is empty")]


def test_a_file_with_the_line_ends_of_old_macs_is_refused_with_advice() -> None:
    reason = "the lines end as on old Macs; save the file with Unix or Windows line ends"
    assert _read(b"email\ranna@example.org\r") == [Fault(1, "", reason)]
    assert _read(b"email\r" + b"anna@example.org\r" * 9_000) == [Fault(1, "", reason)]


def test_a_bad_line_is_named_by_its_number_and_the_others_are_in() -> None:
    lines = [
        "email,digest,topics,hour,zone,state,format,language,confirmed_at",
        "anna@example.org,daily,,,,,,,",
        "not an address,daily,,,,,,,",
        "ben@example.org,Daily News!,,,,,,,",
        "ben@example.org,monthly,,,,,,,",
        "ben@example.org,daily,a_b,,,,,,",
        "ben@example.org,daily,,25:00,,,,,",
        "ben@example.org,daily,,,Mars/Base,,,,",
        "fay@example.org,daily,,,,pending,,,",
        "ben@example.org,daily,,,,who knows,,,",
        "ben@example.org,daily,,,,,pdf,,",
        "ben@example.org,daily,,,,,,English,",
        "ben@example.org,daily,,,,,,,yesterday",
        "ben@example.org,daily,,,,,,,0001-01-01T00:00+14:00",
        "ben@example.org,daily,,,,,,,,Berg",
        "ben@example.org,,,,,,,,",
        "",
        "Anna@Example.org,daily,,,,,,,",
        "cem@example.org,daily",
    ]
    found = _read("\n".join(lines), Reading(offered={"daily": None}))
    assert _addresses(found) == ["anna@example.org", "fay@example.org", "Anna@example.org", "cem@example.org"]
    faults = [(each.line, each.field) for each in found if isinstance(each, Fault)]
    assert faults == [
        (3, "address"),
        (4, "digest"),
        (5, "digest"),
        (6, "topics"),
        (7, "hour"),
        (8, "zone"),
        (10, "state"),
        (11, "format"),
        (12, "language"),
        (13, "confirmed_at"),
        (14, "confirmed_at"),
        (15, ""),
        (16, "digest"),
    ]


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ("active,Subscribed,1,true,YES,", EntryState.ACTIVE),
        ("pending,unconfirmed,Not confirmed", EntryState.UNCONFIRMED),
        (
            "unsubscribed,Removed,suppressed,blocklisted,opted out,Opted-Out,inactive,0,false,no",
            EntryState.UNSUBSCRIBED,
        ),
        ("bounced,cleaned,HARD_BOUNCED,[bounced]", EntryState.BOUNCED),
        ("complained,spam,Spam complaint", EntryState.COMPLAINED),
    ],
)
def test_a_state_is_known_by_many_words(values: str, state: EntryState) -> None:
    for value in values.split(","):
        (entry,) = _read(f"email,state\nanna@example.org,{value}\n", DAILY)
        assert isinstance(entry, ImportedReader)
        assert entry.state is state


def test_the_same_address_may_stand_again_for_another_digest() -> None:
    text = "email,digest\nanna@example.org,daily\nanna@example.org,weekend\n"
    assert len(_addresses(_read(text))) == 2


def test_addresses_beyond_ascii_are_accepted_if_they_can_be_mailed() -> None:
    text = "email\nänna@example.org\n"
    assert [type(each) for each in _read(text, DAILY)] == [Fault]
    assert _addresses(_read(text, Reading(digests=("daily",), smtputf8=True))) == ["änna@example.org"]


# ── whatever is wrong with the file ─────────────────────────────────────────────────────────


def test_a_utf_8_byte_order_mark_is_skipped() -> None:
    assert _addresses(_read("\ufeffemail\nanna@example.org\n", DAILY)) == ["anna@example.org"]


def test_windows_1252_is_read_with_one_notice() -> None:
    data = "email,name\nanna@example.org,Müller\nben@example.org,Jérôme\n".encode("cp1252")
    unused, remark, *entries = _read(data, DAILY)
    assert unused == Remark(1, "these columns are not used: name")
    assert remark == Remark(2, "from here on, lines that are not UTF-8 are read as Windows-1252")
    assert _addresses(entries) == ["anna@example.org", "ben@example.org"]


def test_only_a_line_in_an_unknown_encoding_is_lost() -> None:
    found = _read(b"email\nanna@example.org\n\x81\x8d@example.org\nben@example.org\n", DAILY)
    assert _addresses(found) == ["anna@example.org", "ben@example.org"]
    assert Fault(3, "", "the line is neither UTF-8 nor Windows-1252; save the file as UTF-8") in found


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_utf_16_is_read(encoding: str, end: str) -> None:
    lines = [
        "\ufeffemail\tname",
        *(f"reader{number}@example.org\tÖzge 漢字 😀" for number in range(3_000)),
        "x",
    ]
    unused, *found = _read(end.join(lines).encode(encoding), DAILY)
    assert isinstance(unused, Remark)
    assert _addresses(found) == [f"reader{number}@example.org" for number in range(3_000)]
    assert found[-1] == Fault(3_002, "address", "the address has no @")


def test_utf_16_that_is_damaged_costs_the_damaged_lines() -> None:
    data = "\ufeffemail\nan\ud800na@example.org\nben@example.org\n".encode("utf-16-le", "surrogatepass")
    for cut in (data, data + b"x"):
        found = _read(cut, DAILY)
        assert _addresses(found)[:1] == ["ben@example.org"]
        assert isinstance(found[0], Fault)


def test_an_endless_line_in_utf_16_is_left_out() -> None:
    data = ("\ufeffemail\n" + "x" * 3 * MAX_LINE + "\nben@example.org\n").encode("utf-16-le")
    found = _read(data, DAILY)
    assert found[0] == Fault(2, "", "the line is longer than 65,536 bytes")
    assert _addresses(found) == ["ben@example.org"]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;"])
def test_the_first_line_of_excel_names_the_delimiter(first: str) -> None:
    (entry,) = _read(f"{first}\r\nemail;digest\r\nanna@example.org;daily, weekend\r\n")
    assert isinstance(entry, ImportedReader)
    assert [each.digest for each in entry.requests] == ["daily", "weekend"]


@pytest.mark.parametrize(
    "written",
    [
        "Anna Berg <anna@example.org>",
        '"Berg, Anna <anna@example.org>"',
        "<anna@example.org>",
        "mailto:anna@example.org",
        "MAILTO:anna@example.org?subject=Hello",
        "Anna <mailto:anna@example.org>",
        "\u200banna@example.org\u200b",
        "\ufeff anna@example.org\u00a0",
    ],
)
def test_an_address_is_found_in_what_is_around_it(written: str) -> None:
    assert _addresses(_read(f"email\n{written}\n", DAILY)) == ["anna@example.org"]
    assert _addresses(_read(f"{written}\n", DAILY)) == ["anna@example.org"]


def test_a_line_with_nul_bytes_is_left_out() -> None:
    found = _read(b"email\nan\0na@example.org\nben@example.org\n", DAILY)
    assert _addresses(found) == ["ben@example.org"]
    assert Fault(2, "", "the line contains NUL bytes") in found


@pytest.mark.parametrize("length", [MAX_LINE, MAX_LINE + 1, 3 * MAX_LINE, 3 * MAX_LINE + 7])
@pytest.mark.parametrize("end", [b"\nben@example.org\n", b""])
def test_an_endless_line_is_left_out_without_being_kept(length: int, end: bytes) -> None:
    found = _read(b"email\n" + b"x" * length + end, DAILY)
    assert found[0] == Fault(2, "", "the line is longer than 65,536 bytes")
    assert _addresses(found) == (["ben@example.org"] if end else [])


def test_a_quoted_cell_may_run_over_lines() -> None:
    text = 'email,digest\n"anna@example.org","daily\nweekend"\nben@example.org,daily\n'
    first, second = _read(text)
    assert isinstance(first, ImportedReader)
    assert [requested.digest for requested in first.requests] == ["daily", "weekend"]
    assert isinstance(second, ImportedReader)
    assert second.line == 4


@pytest.mark.parametrize(
    "bad", ['"never closed,daily', 'anna@example.org,"daily" and more', '"' + "\nx" * 2 + "\n" + '"y"z"']
)
def test_a_wrong_quote_costs_its_line_and_not_the_file(bad: str) -> None:
    readers = "".join(f"reader{number}@example.org,daily\n" for number in range(2 * MAX_RECORD_LINES))
    found = _read(f"email,digest\n{bad}\n{readers}")
    assert Fault(2, "", "a quote is not closed or is in the wrong place") in found
    assert len(_addresses(found)) == 2 * MAX_RECORD_LINES


def test_a_quote_open_at_the_end_of_the_file_costs_its_line_alone() -> None:
    found = _read('email,digest\n"anna@example.org,daily\nben@example.org,daily')
    assert _addresses(found) == ["ben@example.org"]


def test_a_bad_line_inside_an_open_quote_is_reported_too() -> None:
    found = _read(b'email,digest\n"anna@example.org,daily\n\0\nben@example.org,daily\n')
    assert [each.line for each in found if isinstance(each, Fault)] == [2, 3]
    assert _addresses(found) == ["ben@example.org"]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=10))
def test_no_bytes_stop_the_reading_and_no_fault_shows_an_address(lines: list[bytes]) -> None:
    data = b"\n".join([b"email,digest", *lines, b"", b"zq@example.org,daily\n"])
    found = _read(data.replace(b'"', b"'"))
    assert "zq@example.org" in _addresses(found)
    shown = " ".join(str(each) for each in found if not isinstance(each, ImportedReader))
    assert "zq" not in shown


# ── writing ─────────────────────────────────────────────────────────────────────────────────


def test_a_written_file_can_be_read_again() -> None:
    reader = _reader(
        Subscription(
            digest="daily",
            state=SubscriptionState.ACTIVE,
            preferences=Preferences.parse(
                topics="-sport", hour="07:30", zone="Europe/Berlin", frequency="daily"
            ),
            paused_until=NOW,
            changed_at=NOW,
        ),
        Subscription(digest="a-first", state=SubscriptionState.UNSUBSCRIBED, changed_at=NOW),
    )
    first, second = _read("".join(write_readers([reader])))
    assert isinstance(first, ImportedReader)
    assert (first.address.address, first.language, first.format) == ("Anna@example.org", "de", Format.TEXT)
    assert first.requests == (
        SubscriptionRequest(digest="daily", preferences=reader.subscriptions[0].preferences),
    )
    assert (first.state, first.confirmed_at, first.paused_until) == (EntryState.ACTIVE, NOW, NOW)
    assert isinstance(second, ImportedReader)
    assert second.state is EntryState.UNSUBSCRIBED
    assert [requested.digest for requested in second.requests] == ["a-first"]


@pytest.mark.parametrize(
    ("state", "suppressed", "written"),
    [
        (SubscriberState.PENDING, False, "pending"),
        (SubscriberState.ACTIVE, False, "active"),
        (SubscriberState.UNSUBSCRIBED, False, "unsubscribed"),
        (SubscriberState.ACTIVE, True, "suppressed"),
    ],
)
def test_the_state_says_who_may_be_mailed(state: SubscriberState, suppressed: bool, written: str) -> None:
    suppression = Suppression(address_hash="hash", reason=SuppressionReason.BOUNCE, at=NOW)
    for subscriptions in ((), (_daily(),)):
        reader = _reader(*subscriptions, state=state, suppression=suppression if suppressed else None)
        (row,) = csv.DictReader(StringIO("".join(write_readers([reader]))))
        assert row["state"] == written


def test_a_reader_without_a_subscriber_gives_no_line() -> None:
    assert list(write_readers([Reader()])) == [",".join(COLUMNS) + "\r\n"]


@pytest.mark.parametrize("mailbox", ["=cmd|x", "+1", "-x", "'=x", "''+x", "'quiet", "=1+1"])
def test_no_cell_is_a_formula_and_every_address_comes_back(mailbox: str) -> None:
    reader = _reader(_daily(), address=f"{mailbox}@example.org")
    text = "".join(write_readers([reader]))
    for row in csv.reader(StringIO(text)):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)
    assert _addresses(_read(text)) == [f"{mailbox}@example.org"]


# ── in short ────────────────────────────────────────────────────────────────────────────────


def _read(data: str | bytes, reading: Reading | None = None) -> list[Found]:
    raw = data.encode() if isinstance(data, str) else data
    return list(read_entries(BytesIO(raw), reading or Reading()))


def _addresses(found: list[Found]) -> list[str]:
    return [each.address.address for each in found if isinstance(each, ImportedReader)]


def _daily() -> Subscription:
    return Subscription(digest="daily", state=SubscriptionState.ACTIVE, changed_at=NOW)


def _reader(
    *subscriptions: Subscription,
    address: str = "Anna@example.org",
    state: SubscriberState = SubscriberState.ACTIVE,
    suppression: Suppression | None = None,
) -> Reader:
    subscriber = Subscriber(
        id=7,
        address=address,
        folded=address.lower(),
        address_hash="hash",
        state=state,
        language="de",
        format=Format.TEXT,
        created_at=NOW,
        confirmed_at=NOW,
    )
    return Reader(subscriber=subscriber, subscriptions=subscriptions, suppression=suppression)
