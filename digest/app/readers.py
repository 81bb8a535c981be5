"""What operators do with the list: add, import, export, remove, suppress; `subscribers` has the rules."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from digest.app.begin import begin_digests
from digest.app.wiring import App
from digest.compose.topics import CATCH_ALL
from digest.config import Config
from digest.errors import DigestError
from subscribers.address import parse_address
from subscribers.admission import Entry, Outcome, Terms
from subscribers.bulk import admit_batch, export_readers, import_entries
from subscribers.csvlines import ByteFile, Fault, Notice
from subscribers.decisions import Wish
from subscribers.errors import ChoiceError
from subscribers.leaving import leave
from subscribers.model import (
    Act,
    Frequency,
    Origin,
    Preferences,
    Reader,
    SubscriberState,
    SuppressionReason,
)
from subscribers.record import erase, suppress, unsuppress, write_change
from subscribers.signup import check_wishes
from subscribers.store import list_readers, reader_at, reader_of
from subscribers.tokens import address_hash
from subscribers.transfer import Reading, read_entries, write_readers

COMMAND_LINE = "command line"


class NoReaderError(DigestError):
    """Nobody on the list has the address given; it is not repeated, for texts of errors reach logs."""

    def __init__(self) -> None:
        super().__init__("nobody on the list has that address")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did: how many entries became what, and the lines that were left out."""

    outcomes: Counter[Outcome]
    faults: tuple[Fault, ...] = field(repr=False)
    notices: tuple[Notice, ...] = field(repr=False)


def offered(config: Config) -> dict[str, frozenset[str] | None]:
    """Return the topics readers may choose in each digest; None where topics are found as it goes."""
    return {
        digest.slug: frozenset({*digest.topics, CATCH_ALL}) if digest.topics else None
        for digest in config.digests
    }


def check_frequencies(config: Config, wishes: Sequence[Wish]) -> None:
    """Raise ChoiceError for a frequency that a digest does not offer."""
    found = {digest.slug: digest.frequencies for digest in config.digests}
    for each in wishes:
        frequency = each.preferences.frequency
        known = found.get(each.digest, frozenset())
        if frequency is not Frequency.EACH and frequency not in known:
            names = (name.value for name in Frequency if name in known or name is Frequency.EACH)
            raise ChoiceError("frequency", "it is not offered", known=names)


def add_reader(app: App, address: str, wishes: Sequence[Wish], *, source: str, now: datetime) -> Outcome:
    """Add one reader who has agreed elsewhere; whoever left or is suppressed stays out.

    Raises AddressError, ChoiceError.
    """
    check_wishes(tuple(wishes), offered(app.config))
    check_frequencies(app.config, wishes)
    begin_digests(app, now)
    entry = Entry(address=parse_address(address), wishes=tuple(wishes))
    terms = _terms(app, Act.ADDED, source)
    outcomes = admit_batch(app.database.write, [entry], secret=app.secret, terms=terms, now=now)
    return next(iter(outcomes))


def import_readers(
    app: App,
    file: ByteFile,
    digests: Sequence[str],
    *,
    source: str,
    now: datetime,
    progress: Callable[[int], None],
) -> Imported:
    """Take in a CSV file; a line that cannot be used is a fault with its number, and the others go on.

    `digests` are for lines that name none. `progress` is told how many lines have been read.
    """
    for slug in digests:
        app.config.digest(slug)
    begin_digests(app, now)
    faults: list[Fault] = []
    notices: list[Notice] = []
    noticed: set[tuple[str, Frequency]] = set()

    def usable() -> Iterator[Entry]:
        reading = Reading(digests=tuple(digests), offered=offered(app.config))
        for found in read_entries(file, reading):
            progress(found.line)
            if isinstance(found, Entry):
                notices.extend(_not_gathered(app.config, found, noticed))
                yield found
            elif isinstance(found, Fault):
                faults.append(found)
            else:
                notices.append(found)

    terms = _terms(app, Act.IMPORTED, source)
    with _heap_at_rest():
        outcomes = import_entries(app.database.write, usable(), secret=app.secret, terms=terms, now=now)
    return Imported(outcomes=outcomes, faults=tuple(faults), notices=tuple(notices))


def _not_gathered(config: Config, entry: Entry, noticed: set[tuple[str, Frequency]]) -> Iterator[Notice]:
    """Yield a notice for each frequency that is not offered, once for a file: it may be offered one day."""
    for each in () if entry.left else entry.wishes:
        frequency = each.preferences.frequency
        key = (each.digest, frequency)
        if frequency is Frequency.EACH or key in noticed:
            continue
        noticed.add(key)
        if frequency not in config.digest(each.digest).frequencies:
            text = f"{each.digest} is not gathered {frequency}; until it is, who chose that gets each edition"
            yield Notice(entry.line, text)


@contextmanager
def _heap_at_rest() -> Iterator[None]:
    """Keep the garbage collector off what was loaded before: a quarter of the time went into that."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def export_csv(app: App) -> Iterator[str]:
    """Yield the whole list as CSV text, piece by piece."""
    with app.database.read() as connection:
        yield from write_readers(export_readers(connection))


def find_readers(
    app: App, *, digest: str | None, state: str | None, prefix: str, limit: int, after: int = -1
) -> tuple[Reader, ...]:
    """Return the first readers, by the time they came, that fit; the next page begins `after` an id."""
    if digest is not None:
        app.config.digest(digest)
    with app.database.read() as connection:
        return list_readers(
            connection,
            digest=digest,
            state=SubscriberState(state) if state else None,
            prefix=prefix,
            after=after,
            limit=limit,
        )


def remove_reader(app: App, address: str, digest: str | None, *, forget: bool, now: datetime) -> None:
    """End one digest for a reader, or all; with `forget` only a keyed hash stays, which keeps them out.

    Raises NoReaderError.
    """
    if digest is not None:
        app.config.digest(digest)
    folded, key = _keys(app, address)
    with app.database.write() as connection:
        reader = reader_at(connection, folded, key, hold=True)
        if reader.subscriber is None:
            raise NoReaderError
        if forget:
            erase(connection, reader.subscriber, now)
            return
        change = leave(reader, digest, origin=Origin(source=COMMAND_LINE), now=now, by_operator=True)
        if change is not None:
            write_change(connection, change, now)


def remove_reader_by_id(app: App, subscriber_id: int, *, forget: bool, now: datetime) -> None:
    """End everything for a reader; with `forget` only a keyed hash stays. Raises NoReaderError."""
    with app.database.write() as connection:
        reader = reader_of(connection, subscriber_id, hold=True)
        if reader.subscriber is None:
            raise NoReaderError
        if forget:
            erase(connection, reader.subscriber, now)
            return
        change = leave(reader, origin=Origin(source="api"), now=now, by_operator=True)
        if change is not None:
            write_change(connection, change, now)


def suppress_address(app: App, address: str, *, note: str, now: datetime) -> None:
    """Keep an address from being mailed, on the list or not."""
    with app.database.write() as connection:
        suppress(connection, _keys(app, address)[1], SuppressionReason.OPERATOR, now, note)


def lift_suppression(app: App, address: str) -> bool:
    """Let an address be mailed again if the list says so; tell whether it was suppressed."""
    with app.database.write() as connection:
        return unsuppress(connection, _keys(app, address)[1])


def wish(digest: str, *, topics: str, hour: str, zone: str, frequency: str = "") -> Wish:
    """Make a wish of what was typed; raises ChoiceError."""
    preferences = Preferences.parse(topics=topics, hour=hour, zone=zone, frequency=frequency)
    return Wish(digest=digest, preferences=preferences)


def _terms(app: App, act: Act, source: str) -> Terms:
    return Terms(act=act, origin=Origin(source=source), language=app.config.site.language)


def _keys(app: App, address: str) -> tuple[str, str]:
    folded = parse_address(address).folded
    return folded, address_hash(app.secret, folded)
