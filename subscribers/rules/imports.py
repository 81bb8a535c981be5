"""Decide what happens to the addresses that an operator adds or imports: their owners agreed elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum

from subscribers.address import Address
from subscribers.model import (
    Consent,
    ConsentAction,
    Format,
    Origin,
    Reader,
    Subscriber,
    SubscriberState,
    Subscription,
    SubscriptionState,
    SuppressionReason,
)
from subscribers.rules.decisions import TO_CONFIRM, Change, SubscriptionRequest
from subscribers.rules.signup import requests_to_json, started
from subscribers.rules.unsubscribe import ended


class EntryState(IntEnum):
    """The states that another list can give an address, from the least to the most restrictive."""

    ACTIVE = 0
    UNCONFIRMED = 1
    UNSUBSCRIBED = 2
    BOUNCED = 3
    COMPLAINED = 4


_SUPPRESSED = {
    EntryState.BOUNCED: SuppressionReason.BOUNCE,
    EntryState.COMPLAINED: SuppressionReason.COMPLAINT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedReader:
    """One line of a list from elsewhere: a reader who agreed there, or an address that must not be mailed."""

    address: Address
    requests: tuple[SubscriptionRequest, ...] = ()  # if unsubscribed, those that ended; empty: all
    language: str | None = None
    format: Format | None = None
    state: EntryState = EntryState.ACTIVE
    client: str = ""  # the network from which the reader agreed there, as in `Origin`
    confirmed_at: datetime | None = None
    paused_until: datetime | None = None
    line: int = 0  # of the file that the entry came from


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportTerms:
    """The terms that apply to every entry of one import."""

    act: ConsentAction  # imported, or added by hand
    origin: Origin  # its source is the stated source of consent
    language: str  # for entries that name no language


class ImportOutcome(StrEnum):
    """The outcome of an entry."""

    NEW = "new"
    ADDED = "added"  # the reader was on the list and got one more digest
    KNOWN = "known"  # nothing changed: what the reader has chosen here is kept
    LEFT = "left"  # nothing changed: the reader unsubscribed here earlier
    GONE = "gone"  # the reader unsubscribed elsewhere: recorded here too, and not mailed
    BOUNCED = "bounced"  # messages to the address came back elsewhere: it is suppressed here too
    COMPLAINED = "complained"  # the reader complained elsewhere: the address is suppressed here too
    UNCONFIRMED = "unconfirmed"  # nothing changed: the reader never confirmed elsewhere
    SUPPRESSED = "suppressed"  # nothing changed: the address was suppressed before


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The outcome of an entry, and what it changes: a reader, or the suppression of the address."""

    outcome: ImportOutcome
    change: Change | None = None
    suppress: SuppressionReason | None = None


def admit(
    entry: ImportedReader,
    reader: Reader,
    *,
    address_hash: str,
    new_id: int,
    terms: ImportTerms,
    now: datetime,
) -> Admission:
    """Decide what an operator's entry does. It adds new readers and never undoes a reader's decision.

    Readers who unsubscribed, from one digest or from all, are not added again, and neither are suppressed or
    erased addresses. A reader's own choices are kept. An unsubscribe request, a complaint or a bounce
    elsewhere counts here too.
    """
    reason = _SUPPRESSED.get(entry.state)
    if reason is not None:
        outcome = ImportOutcome.SUPPRESSED if reader.suppression else ImportOutcome[entry.state.name]
        return Admission(outcome=outcome, suppress=reason)
    if reader.suppression is not None:
        return Admission(outcome=ImportOutcome.SUPPRESSED)
    if entry.state is EntryState.UNCONFIRMED:
        return Admission(outcome=ImportOutcome.UNCONFIRMED)
    is_unsubscribed = entry.state is EntryState.UNSUBSCRIBED
    if reader.subscriber is None:
        newcomer = _newcomer(entry, address_hash, new_id, terms, now)
        return (
            _unsubscribed(entry, reader, newcomer, terms, now)
            if is_unsubscribed
            else _new(entry, newcomer, terms, now)
        )
    if reader.subscriber.state is SubscriberState.UNSUBSCRIBED:
        return Admission(outcome=ImportOutcome.LEFT)
    if is_unsubscribed:
        return _unsubscribed(entry, reader, reader.subscriber, terms, now)
    return _added(entry, reader, reader.subscriber, terms, now)


def _new(entry: ImportedReader, newcomer: Subscriber, terms: ImportTerms, now: datetime) -> Admission:
    change = Change(
        subscriber=newcomer,
        subscriptions=_begun(entry.requests, entry, now),
        consent=_stated(entry, terms, now, wishes=requests_to_json(entry.requests)),
    )
    return Admission(outcome=ImportOutcome.NEW, change=change)


def _added(
    entry: ImportedReader, reader: Reader, subscriber: Subscriber, terms: ImportTerms, now: datetime
) -> Admission:
    requests = tuple(
        requested for requested in entry.requests if reader.subscription(requested.digest) is None
    )
    if not requests:
        known = all(reader.reads(requested.digest) for requested in entry.requests)
        return Admission(outcome=ImportOutcome.KNOWN if known else ImportOutcome.LEFT)
    change = Change(
        subscriber=replace(
            subscriber,
            state=SubscriberState.ACTIVE,
            confirmed_at=subscriber.confirmed_at or entry.confirmed_at or now,
        ),
        subscriptions=_begun(requests, entry, now),
        consent=_stated(entry, terms, now, wishes=requests_to_json(requests)),
    )
    return Admission(outcome=ImportOutcome.ADDED, change=change)


def _unsubscribed(
    entry: ImportedReader, reader: Reader, subscriber: Subscriber, terms: ImportTerms, now: datetime
) -> Admission:
    digests = [requested.digest for requested in entry.requests] or [
        each.digest for each in reader.subscriptions
    ]
    ended_before = [
        each.digest for each in reader.subscriptions if each.state is not SubscriptionState.ACTIVE
    ]
    if entry.requests and set(digests) <= set(ended_before):
        return Admission(outcome=ImportOutcome.LEFT)
    subscriber, subscriptions = ended(
        reader, subscriber, digests, state=SubscriptionState.UNSUBSCRIBED, now=now
    )
    change = Change(
        subscriber=subscriber,
        subscriptions=subscriptions,
        consent=_stated(entry, terms, now, left=sorted(digests)),
        void_links=TO_CONFIRM,
    )
    return Admission(outcome=ImportOutcome.GONE, change=change)


def _begun(
    requests: tuple[SubscriptionRequest, ...], entry: ImportedReader, now: datetime
) -> tuple[Subscription, ...]:
    begun = tuple(started(requested, now) for requested in requests)
    if entry.paused_until is None:
        return begun
    return tuple(replace(each, paused_until=entry.paused_until) for each in begun)


def _newcomer(
    entry: ImportedReader, address_hash: str, new_id: int, terms: ImportTerms, now: datetime
) -> Subscriber:
    return Subscriber(
        id=new_id,
        address=entry.address.address,
        folded=entry.address.folded,
        address_hash=address_hash,
        state=SubscriberState.ACTIVE,
        language=entry.language or terms.language,
        format=entry.format or Format.HTML,
        created_at=now,
        confirmed_at=entry.confirmed_at or (None if entry.state is EntryState.UNSUBSCRIBED else now),
    )


def _stated(entry: ImportedReader, terms: ImportTerms, now: datetime, **detail: object) -> Consent:
    # The row is dated with the import, because rows are only ever added in order. The time of the agreement
    # elsewhere stands inside.
    if entry.confirmed_at is not None:
        detail["confirmed_at"] = entry.confirmed_at.isoformat()
    origin = replace(terms.origin, client=entry.client) if entry.client else terms.origin
    return Consent(act=terms.act, at=now, origin=origin, detail=detail)
