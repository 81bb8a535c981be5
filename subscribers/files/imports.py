"""Read a list from CSV: the program's own, or the export of another program.

A line that cannot be used becomes a Fault with its number, and reading goes on. A Fault never contains an
address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

from subscribers.address import Address, parse_address
from subscribers.errors import AddressError, ChoiceError
from subscribers.files.columns import Columns, Doubts, Reading, Stop, read_header
from subscribers.files.csv_lines import ByteFile, Fault, Record, Remark, read_records
from subscribers.files.formats import GENERIC
from subscribers.files.states import FALSE, FLAGS, TRUE, plain_name, plain_value
from subscribers.files.writing import unguard
from subscribers.hosts import network_of
from subscribers.model import Choice, Preferences, check_slug, parse_format, parse_language
from subscribers.rules.decisions import SubscriptionRequest
from subscribers.rules.imports import EntryState, ImportedReader
from subscribers.rules.signup import check_requests

_BETWEEN = re.compile(r"[\s,;|]+")
_LISTS = re.compile(r"[,;|\n]+")  # names of lists may contain spaces
_TAG = re.compile(r'"([^"]*)"|([^",;|\n]+)')
_NAMED = re.compile(r"[^<>]*<([^<>]+)>")  # "Anna Berg <anna@example.org>"
_Value = TypeVar("_Value")
_Requests = tuple[SubscriptionRequest, ...]

Found = ImportedReader | Fault | Remark | Stop


def read_entries(file: ByteFile, reading: Reading) -> Iterator[Found]:
    """Yield the entries of a CSV file, and a Fault for each line that cannot be used.

    The first line names the columns, in any order. If the first line contains an address instead, the file
    has no names, and only addresses are read. Unknown columns are ignored with a Remark. If one of them may
    say who must not be mailed, the file gives no entry, only a Stop for each such column. Memory does not
    grow with the file, so repeated addresses are not noticed here; the import treats the second as known.
    """
    columns: Columns | None = None
    doubts: Doubts | None = None
    remarked, empty = False, True
    for record in read_records(file):
        empty = False
        if not isinstance(record, Record):
            yield record
        elif doubts is not None:
            doubts.see(record)
        elif columns is None:
            columns = read_header(record, reading)
            if columns is None:
                yield Fault(record.line, "address", "no column is called address or email")
                return
            yield from columns.remarks
            doubts = Doubts(columns, record.line) if columns.doubtful else None
            if columns.unnamed:
                yield _entry(record, columns, reading)
        else:
            found = _entry(record, columns, reading)
            if not remarked and isinstance(found, ImportedReader) and _lost_time(found, record, columns):
                remarked = True
                text = "the time of the agreement cannot be read here; such times are left out"
                yield Remark(record.line, text)
            yield found
    if doubts is not None:
        yield from doubts.stops()
    if empty:
        yield Fault(1, "", "the file is empty")


def may_restrict(file: ByteFile, reading: Reading) -> bool:
    """Return whether a file has a column that says who must not be mailed, or one that may say so.

    The lines of other files are all active, so no line can restrict another one.
    """
    header = next((record for record in read_records(file) if isinstance(record, Record)), None)
    columns = read_header(header, reading) if header else None
    if columns is None:
        return False
    return bool(columns.states or columns.doubtful) or columns.format.always is not EntryState.ACTIVE


def parse_tags(texts: tuple[str, ...]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the topics that tags stand for: "Sport=daily:sport" gives {"sport": (("daily", "sport"),)}.

    Raises ChoiceError if a text is not written like this.
    """
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for text in texts:
        tag, _, choice = text.rpartition("=")
        digest, _, topic = choice.strip().partition(":")
        if not (tag.strip() and digest and topic):
            raise ChoiceError("tag", "write it as Sport=daily:sport, which is TAG=DIGEST:TOPIC")
        key = tag.strip().casefold()
        found[key] = (*found.get(key, ()), (check_slug(digest, "digest"), check_slug(topic, "topics")))
    return found


# ── one line ────────────────────────────────────────────────────────────────────────────────


def _entry(record: Record, columns: Columns, reading: Reading) -> ImportedReader | Fault:
    if any(record.cells[len(columns.names) :]):
        reason = "the line has more cells than there are columns; quote a cell that contains the delimiter"
        return Fault(record.line, "", reason)
    try:
        address = parse_address(_bare(unguard(columns.text(record, "address"))), smtputf8=reading.smtputf8)
        state, everywhere = columns.state_of(record)
        if state is EntryState.ACTIVE:
            return _active(address, record, columns, reading)
        entry = _restricted(address, record, columns, state)
        return entry if everywhere else replace(entry, requests=_ended(record, columns, reading))
    except AddressError as error:
        return Fault(record.line, "address", error.reason)
    except ChoiceError as error:
        return Fault(record.line, error.field, error.advice)


def _active(address: Address, record: Record, columns: Columns, reading: Reading) -> ImportedReader:
    requests = _tagged(_requests(record, columns, reading), columns.text(record, "tags"), reading)
    if not requests:
        raise ChoiceError("digest", "the line names no digest, and none is given for the whole file")
    check_requests(requests, reading.offered)
    return ImportedReader(
        address=address,
        requests=requests,
        language=parse_language(columns.text(record, "language")),
        format=parse_format(columns.text(record, "format")),
        client=network_of(columns.text(record, "client")),
        confirmed_at=_agreed_at(record, columns),
        paused_until=_moment(columns.text(record, "paused_until"), "paused_until"),
        line=record.line,
    )


def _restricted(address: Address, record: Record, columns: Columns, state: EntryState) -> ImportedReader:
    """Return an entry whose restriction is for all digests.

    Nothing that is wrong with the rest of the line may lose the restriction.
    """
    return ImportedReader(
        address=address,
        language=_or_none(parse_language, columns.text(record, "language")),
        format=_or_none(parse_format, columns.text(record, "format")),
        state=state,
        client=network_of(columns.text(record, "client")),
        confirmed_at=_or_none(_moment, columns.text(record, "confirmed_at")),
        line=record.line,
    )


def _or_none(parse: Callable[[str], _Value | None], text: str) -> _Value | None:
    try:
        return parse(text)
    except ChoiceError:
        return None


def _ended(record: Record, columns: Columns, reading: Reading) -> _Requests:
    """Return the digests that a restriction is for; none of them means all."""
    named = _named(record, columns)
    try:
        if not named:
            matched, all_known = _matched(record, columns, reading)
            named = matched if all_known else tuple(dict.fromkeys((*matched, *reading.digests)))
        return _choices(named, "", "", "", "")
    except ChoiceError:
        return ()


def _requests(record: Record, columns: Columns, reading: Reading) -> _Requests:
    named = _named(record, columns) or _matched(record, columns, reading)[0] or reading.digests
    topics, hour, zone, frequency = (
        unguard(columns.text(record, name)) for name in ("topics", "hour", "zone", "frequency")
    )
    return _choices(named, topics, hour, zone, frequency)


def _named(record: Record, columns: Columns) -> tuple[str, ...]:
    cell = unguard(columns.text(record, "digest"))
    return tuple(name for name in _BETWEEN.split(cell.casefold()) if name)


def _matched(record: Record, columns: Columns, reading: Reading) -> tuple[tuple[str, ...], bool]:
    """Return the digests that are called like the lists of another program, and whether all lists are."""
    names = [plain_name(name).replace(" ", "-") for name in _LISTS.split(columns.text(record, "lists"))]
    offered = frozenset(reading.offered or ())
    return tuple(name for name in names if name in offered), bool(names) and offered.issuperset(names)


@lru_cache(maxsize=4_096)  # a long list has few different choices
def _choices(digests: tuple[str, ...], topics: str, hour: str, zone: str, frequency: str) -> _Requests:
    names = _BETWEEN.sub(",", topics).strip(",")
    preferences = Preferences.parse(topics=names, hour=hour, zone=zone, frequency=frequency)
    return tuple(
        SubscriptionRequest(digest=check_slug(digest, "digest"), preferences=preferences)
        for digest in dict.fromkeys(digests)
    )


def _tagged(requests: _Requests, cell: str, reading: Reading) -> _Requests:
    """Return the requests with the topics that the tags of a line stand for."""
    topics: dict[str, frozenset[str]] = {}
    for quoted, bare in _TAG.findall(cell.strip("[]")) if reading.tags else ():
        for digest, topic in reading.tags.get((quoted or bare).strip(" '").casefold(), ()):
            topics[digest] = topics.get(digest, frozenset()) | {topic}
    if not topics:
        return requests
    by_digest = {each.digest: each for each in requests}
    for digest, chosen in topics.items():
        before = by_digest.get(digest, SubscriptionRequest(digest=digest)).preferences
        choice = Choice(include=before.topics.include | chosen)
        by_digest[digest] = SubscriptionRequest(digest=digest, preferences=replace(before, topics=choice))
    return tuple(by_digest.values())


def _bare(text: str) -> str:
    """Return the address in "Anna Berg <anna@example.org>" and in "mailto:anna@example.org?subject=x"."""
    named = _NAMED.fullmatch(text)
    bare = (named[1] if named else text).strip()
    return bare[len("mailto:") :].partition("?")[0] if bare[:7].casefold() == "mailto:" else bare


# ── times ───────────────────────────────────────────────────────────────────────────────────


def _agreed_at(record: Record, columns: Columns) -> datetime | None:
    text = columns.text(record, "confirmed_at")
    try:
        return _moment(text)
    except ChoiceError:
        if _is_our_own(columns):
            raise
        return None


def _is_our_own(columns: Columns) -> bool:
    index = columns.places["confirmed_at"][0]
    return columns.format is GENERIC and plain_name(columns.names[index]) not in FLAGS


def _lost_time(entry: ImportedReader, record: Record, columns: Columns) -> bool:
    text = plain_value(columns.text(record, "confirmed_at"))
    is_active = entry.state is EntryState.ACTIVE
    return is_active and entry.confirmed_at is None and bool(text) and text not in TRUE | FALSE


def _moment(text: str, field_name: str = "confirmed_at") -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ChoiceError(field_name, "write the time as 2026-11-22 or 2026-11-22T07:30+01:00")
