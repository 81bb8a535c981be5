"""Read a list from CSV and write the list as CSV; a written file can be imported again.

A line that cannot be used becomes a Fault with its number, and reading goes on. A Fault never contains an
address.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from io import StringIO

from subscribers.address import parse_address
from subscribers.errors import AddressError, ChoiceError
from subscribers.files.csv_lines import ByteFile, Fault, Record, Remark, read_records
from subscribers.model import (
    Preferences,
    Reader,
    Subscription,
    SubscriptionState,
    check_slug,
    parse_format,
    parse_language,
)
from subscribers.rules.decisions import SubscriptionRequest
from subscribers.rules.imports import ImportedReader
from subscribers.rules.signup import check_requests

COLUMNS = (
    "address",
    "digest",
    "state",
    "topics",
    "hour",
    "zone",
    "frequency",
    "format",
    "language",
    "confirmed_at",
    "paused_until",
)

# The names of the columns in other programs, in lower case and with a space for everything but letters and
# digits.
_ALIASES = {
    "address": ("email", "e mail", "mail", "email address", "e mail address", "subscriber email"),
    "digest": ("digests", "list", "lists", "newsletter", "newsletters"),
    "state": ("status", "subscriber status"),
    "topics": ("topic", "interests"),
    "hour": ("time",),
    "zone": ("timezone", "time zone", "tz"),
    "language": ("lang", "locale"),
    "confirmed_at": ("confirmed", "confirm time", "optin time", "opt in time", "subscribed at"),
}
_COLUMN_OF = {name: name for name in COLUMNS} | {
    alias: name for name, aliases in _ALIASES.items() for alias in aliases
}
_ACTIVE = frozenset({"", "active", "subscribed", "confirmed", "enabled"})
_PENDING = frozenset({"pending", "unconfirmed", "unverified"})
# Whatever the reason elsewhere, an address that must not be mailed there is not mailed here.
_UNSUBSCRIBED = frozenset(
    {"unsubscribed", "removed", "left", "opted-out", "suppressed", "bounced", "cleaned", "complained"}
    | {"blocked", "blocklisted", "disabled"}
)
_BETWEEN = re.compile(r"[\s,;|]+")

# A spreadsheet would run such a cell as a formula. An apostrophe is written before it, and removed when it is
# read.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The settings for reading one file."""

    digests: tuple[str, ...] = ()  # for lines that name no digest
    offered: Mapping[str, frozenset[str] | None] | None = None  # as in `check_requests`; None: not checked
    smtputf8: bool = False


def read_entries(file: ByteFile, reading: Reading) -> Iterator[ImportedReader | Fault | Remark]:
    """Yield the entries of a CSV file, and a Fault for each line that cannot be used.

    The first line names the columns, in any order. If the first line contains an address instead, the file
    has no names, and only addresses are read. Unknown columns are ignored with a Remark. Memory does not grow
    with the file, so repeated addresses are not noticed here; the import treats the second as known.
    """
    columns: _Columns | None = None
    empty = True
    for record in read_records(file):
        empty = False
        if not isinstance(record, Record):
            yield record
        elif columns is not None:
            yield _entry(record, columns, reading)
        else:
            columns = _header(record)
            if columns is None:
                yield Fault(record.line, "address", "no column is called address or email")
                return
            yield from columns.remarks
            if columns.unnamed:
                yield _entry(record, columns, reading)
    if empty:
        yield Fault(1, "", "the file is empty")


def write_readers(readers: Iterable[Reader]) -> Iterator[str]:
    """Yield CSV text, piece by piece: a header, then a line for each digest of each reader.

    The state says if a reader must not be mailed, so that another program does not mail that reader either.
    """
    yield _csv_line(COLUMNS)
    for reader in readers:
        # Active digests come first. Otherwise an import of this file could take an ended digest for a reader
        # who unsubscribed altogether, and not add the active digest.
        for cells in sorted(_reader_rows(reader), key=lambda cells: cells["state"] != "active"):
            yield _csv_line(_guard(cells[name]) for name in COLUMNS)


# ── reading ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """The columns of a file: the position of each in a record."""

    places: Mapping[str, int]
    width: int
    remarks: tuple[Remark, ...] = ()
    unnamed: bool = False  # the first line does not name the columns; it is an entry


def _header(record: Record) -> _Columns | None:
    places: dict[str, int] = {}
    unused = []
    for index, cell in enumerate(record.cells):
        name = _COLUMN_OF.get(cell.casefold()) or _COLUMN_OF.get(_plain(cell))
        if name is None or name in places:
            unused.append(f"column {index + 1}" if "@" in cell or not cell else cell[:40])
        else:
            places[name] = index
    if "address" in places:
        text = f"these columns are not used: {', '.join(unused)}"
        remarks = (Remark(record.line, text),) if unused else ()
        return _Columns(places=places, width=len(record.cells), remarks=remarks)
    return None if places else _unnamed(record)


def _unnamed(record: Record) -> _Columns | None:
    index = next((index for index, cell in enumerate(record.cells) if "@" in cell), None)
    if index is None:
        return None
    text = f"the first line does not name the columns; column {index + 1} is used as the address"
    remark = Remark(record.line, text)
    return _Columns(places={"address": index}, width=len(record.cells), remarks=(remark,), unnamed=True)


def _plain(cell: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", cell.casefold()))


def _entry(record: Record, columns: _Columns, reading: Reading) -> ImportedReader | Fault:
    if any(record.cells[columns.width :]):
        reason = "the line has more cells than there are columns; quote a cell that contains the delimiter"
        return Fault(record.line, "", reason)
    cells = dict.fromkeys(COLUMNS, "")
    for name, index in columns.places.items():
        cells[name] = _unguard(record.cells[index]) if index < len(record.cells) else ""
    try:
        return _parse(cells, record.line, reading)
    except AddressError as error:
        return Fault(record.line, "address", error.reason)
    except ChoiceError as error:
        return Fault(record.line, error.field, error.advice)


def _parse(cells: dict[str, str], line: int, reading: Reading) -> ImportedReader:
    address = parse_address(cells["address"], smtputf8=reading.smtputf8)
    state = cells["state"].casefold()
    if state in _PENDING:
        raise ChoiceError(
            "state", "readers who have not confirmed cannot be imported; they can sign up again"
        )
    if state not in _ACTIVE | _UNSUBSCRIBED:
        raise ChoiceError("state", "the state is not known; write active or unsubscribed")
    unsubscribed = state in _UNSUBSCRIBED
    requests = _requests(cells, reading)
    if not unsubscribed and not requests:
        raise ChoiceError("digest", "the line names no digest, and none is given for the whole file")
    if not unsubscribed:
        check_requests(requests, reading.offered)
    return ImportedReader(
        address=address,
        requests=requests,
        language=parse_language(cells["language"]),
        format=parse_format(cells["format"]),
        unsubscribed=unsubscribed,
        confirmed_at=_moment(cells["confirmed_at"], "confirmed_at"),
        paused_until=_moment(cells["paused_until"], "paused_until"),
        line=line,
    )


def _requests(cells: dict[str, str], reading: Reading) -> tuple[SubscriptionRequest, ...]:
    named = tuple(name for name in _BETWEEN.split(cells["digest"].casefold()) if name)
    choice = cells["topics"], cells["hour"], cells["zone"], cells["frequency"]
    return _choices(named or reading.digests, *choice)


@lru_cache(maxsize=4_096)  # a long list has few different choices
def _choices(
    digests: tuple[str, ...], topics: str, hour: str, zone: str, frequency: str
) -> tuple[SubscriptionRequest, ...]:
    names = _BETWEEN.sub(",", topics).strip(",")
    preferences = Preferences.parse(topics=names, hour=hour, zone=zone, frequency=frequency)
    return tuple(
        SubscriptionRequest(digest=check_slug(digest, "digest"), preferences=preferences)
        for digest in dict.fromkeys(digests)
    )


def _moment(text: str, field_name: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ChoiceError(field_name, "write the time as 2026-11-22 or 2026-11-22T07:30+01:00")


def _unguard(cell: str) -> str:
    return cell[1:] if _GUARDED.match(cell) else cell


# ── writing ─────────────────────────────────────────────────────────────────────────────────


def _reader_rows(reader: Reader) -> Iterator[dict[str, str]]:
    subscriber = reader.subscriber
    if subscriber is None:
        return
    person = dict.fromkeys(COLUMNS, "") | {
        "address": subscriber.address,
        "state": "suppressed" if reader.suppression else subscriber.state.value,
        "format": subscriber.format.value,
        "language": subscriber.language,
        "confirmed_at": _iso(subscriber.confirmed_at),
    }
    if not reader.subscriptions:
        yield person
    for each in reader.subscriptions:
        ended = person["state"] == "active" and each.state is not SubscriptionState.ACTIVE
        yield person | _choice_cells(each) | ({"state": each.state.value} if ended else {})


def _choice_cells(subscription: Subscription) -> dict[str, str]:
    preferences = subscription.preferences
    return {
        "digest": subscription.digest,
        "topics": str(preferences.topics),
        "hour": preferences.hour or "",
        "zone": preferences.zone or "",
        "frequency": preferences.frequency.value,
        "paused_until": _iso(subscription.paused_until),
    }


def _iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _guard(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _csv_line(cells: Iterable[str]) -> str:
    text = StringIO()
    csv.writer(text).writerow(cells)  # RFC 4180: comma, CRLF, quotes where needed
    return text.getvalue()
