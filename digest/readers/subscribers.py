"""Operators' changes to the list: add, find, remove and suppress; `subscribers` has the rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from digest.config import Config
from digest.config.parts import Parts
from digest.editions.schedules import begin_digests
from digest.model.errors import DigestError
from digest.model.publication import CATCH_ALL
from digest.storage.database import Database
from subscribers.address import parse_address
from subscribers.errors import ChoiceError
from subscribers.model import (
    Consent,
    ConsentAction,
    Frequency,
    Origin,
    Preferences,
    Reader,
    SubscriberState,
    SuppressionReason,
)
from subscribers.rules.decisions import Change, SubscriptionRequest
from subscribers.rules.imports import ImportedReader, ImportOutcome, ImportTerms
from subscribers.rules.signup import check_requests
from subscribers.rules.unsubscribe import unsubscribe
from subscribers.store.imports import admit_batch
from subscribers.store.readers import list_readers, reader_at, reader_of
from subscribers.store.writing import erase, suppress, unsuppress, write_change
from subscribers.tokens import address_hash

COMMAND_LINE = "command line"


class NoReaderError(DigestError):
    """Nobody on the list has the given address. The text omits the address, because errors reach logs."""

    def __init__(self) -> None:
        super().__init__("nobody on the list has that address")


def offered(config: Config) -> dict[str, frozenset[str] | None]:
    """Return the topics readers may choose in each digest; None for a digest that discovers its topics."""
    return {
        digest.slug: frozenset({*digest.topics, CATCH_ALL}) if digest.topics else None
        for digest in config.digests
    }


def check_frequencies(config: Config, requests: Sequence[SubscriptionRequest]) -> None:
    """Raise ChoiceError for a frequency that a digest does not offer."""
    found = {digest.slug: digest.frequencies for digest in config.digests}
    for each in requests:
        frequency = each.preferences.frequency
        known = found.get(each.digest, frozenset())
        if frequency is not Frequency.EACH and frequency not in known:
            names = (name.value for name in Frequency if name in known or name is Frequency.EACH)
            raise ChoiceError("frequency", "this choice is not offered", known=names)


def add_reader(
    parts: Parts, address: str, requests: Sequence[SubscriptionRequest], *, source: str, now: datetime
) -> ImportOutcome:
    """Add one reader who agreed elsewhere. Raises AddressError, ChoiceError.

    Readers who unsubscribed or are suppressed are not added.
    """
    check_requests(tuple(requests), offered(parts.config))
    check_frequencies(parts.config, requests)
    begin_digests(parts.database, parts.config, now)
    entry = ImportedReader(address=parse_address(address), requests=tuple(requests))
    terms = terms_of(parts.config, ConsentAction.ADDED, source)
    outcomes = admit_batch(parts.database.write, [entry], secret=parts.secret, terms=terms, now=now)
    return next(iter(outcomes))


def find_readers(
    database: Database,
    config: Config,
    *,
    digest: str | None,
    state: str | None,
    prefix: str,
    limit: int,
    after: int = -1,
) -> tuple[Reader, ...]:
    """Return up to `limit` matching readers, in the order they joined; the next page begins `after` an id."""
    if digest is not None:
        config.digest(digest)
    with database.read() as connection:
        return list_readers(
            connection,
            digest=digest,
            state=SubscriberState(state) if state else None,
            prefix=prefix,
            after=after,
            limit=limit,
        )


def remove_reader(parts: Parts, address: str, digest: str | None, *, forget: bool, now: datetime) -> None:
    """End one digest for a reader, or all. Raises NoReaderError.

    With `forget`, erase the reader; only a keyed hash stays, so that no import adds them again.
    """
    if digest is not None:
        parts.config.digest(digest)
    folded, key = keys_of(parts.secret, address)
    with parts.database.write() as connection:
        reader = reader_at(connection, folded, key, hold=True)
        if reader.subscriber is None:
            raise NoReaderError
        if forget:
            erase(connection, reader.subscriber, now)
            return
        change = unsubscribe(reader, digest, origin=Origin(source=COMMAND_LINE), now=now, by_operator=True)
        if change is not None:
            write_change(connection, change, now)


def remove_reader_by_id(database: Database, subscriber_id: int, *, forget: bool, now: datetime) -> None:
    """End all digests for a reader; with `forget`, erase the reader. Raises NoReaderError."""
    with database.write() as connection:
        reader = reader_of(connection, subscriber_id, hold=True)
        if reader.subscriber is None:
            raise NoReaderError
        if forget:
            erase(connection, reader.subscriber, now)
            return
        change = unsubscribe(reader, origin=Origin(source="api"), now=now, by_operator=True)
        if change is not None:
            write_change(connection, change, now)


def suppress_address(database: Database, secret: bytes, address: str, *, note: str, now: datetime) -> None:
    """Suppress an address, on the list or not, so that it is never mailed."""
    with database.write() as connection:
        suppress(connection, keys_of(secret, address)[1], SuppressionReason.OPERATOR, now, note)


def lift_suppression(database: Database, secret: bytes, address: str, now: datetime) -> bool:
    """Lift the suppression of an address; return whether it was suppressed.

    The history of a reader keeps what was lifted.
    """
    folded, key = keys_of(secret, address)
    with database.write() as connection:
        reader = reader_at(connection, folded, key, hold=True)
        was = reader.suppression
        if unsuppress(connection, key) and was is not None and reader.subscriber is not None:
            consent = Consent(
                act=ConsentAction.LIFTED,
                at=now,
                origin=Origin(source=COMMAND_LINE),
                detail={"reason": was.reason, "since": was.at.isoformat(), "note": was.note},
            )
            write_change(connection, Change(subscriber=reader.subscriber, consent=consent), now)
    return was is not None


def requested(digest: str, *, topics: str, hour: str, zone: str, frequency: str = "") -> SubscriptionRequest:
    """Make a subscription request from typed options. Raises ChoiceError."""
    preferences = Preferences.parse(topics=topics, hour=hour, zone=zone, frequency=frequency)
    return SubscriptionRequest(digest=digest, preferences=preferences)


def terms_of(config: Config, act: ConsentAction, source: str) -> ImportTerms:
    """Return the terms for every entry that an operator adds or imports."""
    return ImportTerms(act=act, origin=Origin(source=source), language=config.site.language)


def keys_of(secret: bytes, address: str) -> tuple[str, str]:
    """Return the folded address and its keyed hash. Raises AddressError."""
    folded = parse_address(address).folded
    return folded, address_hash(secret, folded)
