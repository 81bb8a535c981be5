"""Decide how an address comes onto the list by an operator's word: its owner has agreed elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from subscribers.address import Address
from subscribers.decisions import Change, Wish
from subscribers.leaving import ended
from subscribers.model import (
    Act,
    Consent,
    Format,
    Origin,
    Reader,
    Subscriber,
    SubscriberState,
    Subscription,
    SubscriptionState,
)
from subscribers.signup import started, wishes_to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a list from elsewhere: a reader who agreed there, or one who left there."""

    address: Address
    wishes: tuple[Wish, ...] = ()  # with `left`: the digests that were left; none means all
    language: str | None = None
    format: Format | None = None
    left: bool = False
    confirmed_at: datetime | None = None
    paused_until: datetime | None = None
    line: int = 0  # of the file it came from


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for every entry of one import."""

    act: Act  # imported, or added by hand
    origin: Origin  # its source is the stated source of consent
    language: str  # where an entry names none


class Outcome(StrEnum):
    """What became of an entry."""

    NEW = "new"
    ADDED = "added"  # a digest more for a reader who was there
    KNOWN = "known"  # nothing to do: what the reader has chosen here stands
    LEFT = "left"  # left here once, and stays out
    GONE = "gone"  # left elsewhere: noted, and not mailed
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What becomes of an entry, and what it changes."""

    outcome: Outcome
    change: Change | None = None


def admit(
    entry: Entry, reader: Reader, *, address_hash: str, new_id: int, terms: Terms, now: datetime
) -> Admission:
    """Decide what an operator's entry does: it adds who is new and never undoes what a reader decided.

    Who left stays out, of one digest or of all; who is suppressed or erased stays out; a reader's own
    choices stand. A goodbye said elsewhere is honoured here.
    """
    if reader.suppression is not None:
        return Admission(outcome=Outcome.SUPPRESSED)
    if reader.subscriber is None:
        newcomer = _newcomer(entry, address_hash, new_id, terms, now)
        return (
            _goodbye(entry, reader, newcomer, terms, now)
            if entry.left
            else _welcome(entry, newcomer, terms, now)
        )
    if reader.subscriber.state is SubscriberState.UNSUBSCRIBED:
        return Admission(outcome=Outcome.LEFT)
    if entry.left:
        return _goodbye(entry, reader, reader.subscriber, terms, now)
    return _one_more(entry, reader, reader.subscriber, terms, now)


def _welcome(entry: Entry, newcomer: Subscriber, terms: Terms, now: datetime) -> Admission:
    change = Change(
        subscriber=newcomer,
        subscriptions=_begun(entry.wishes, entry, now),
        consent=_stated(terms, now, wishes=wishes_to_json(entry.wishes)),
    )
    return Admission(outcome=Outcome.NEW, change=change)


def _one_more(entry: Entry, reader: Reader, subscriber: Subscriber, terms: Terms, now: datetime) -> Admission:
    wishes = tuple(wish for wish in entry.wishes if reader.subscription(wish.digest) is None)
    if not wishes:
        known = all(reader.reads(wish.digest) for wish in entry.wishes)
        return Admission(outcome=Outcome.KNOWN if known else Outcome.LEFT)
    change = Change(
        subscriber=replace(
            subscriber,
            state=SubscriberState.ACTIVE,
            confirmed_at=subscriber.confirmed_at or entry.confirmed_at or now,
        ),
        subscriptions=_begun(wishes, entry, now),
        consent=_stated(terms, now, wishes=wishes_to_json(wishes)),
    )
    return Admission(outcome=Outcome.ADDED, change=change)


def _goodbye(entry: Entry, reader: Reader, subscriber: Subscriber, terms: Terms, now: datetime) -> Admission:
    digests = [wish.digest for wish in entry.wishes] or [each.digest for each in reader.subscriptions]
    left = [each.digest for each in reader.subscriptions if each.state is not SubscriptionState.ACTIVE]
    if entry.wishes and set(digests) <= set(left):
        return Admission(outcome=Outcome.LEFT)
    subscriber, subscriptions = ended(
        reader, subscriber, digests, state=SubscriptionState.UNSUBSCRIBED, now=now
    )
    change = Change(
        subscriber=subscriber,
        subscriptions=subscriptions,
        consent=_stated(terms, now, left=sorted(digests)),
        void_links=True,
    )
    return Admission(outcome=Outcome.GONE, change=change)


def _begun(wishes: tuple[Wish, ...], entry: Entry, now: datetime) -> tuple[Subscription, ...]:
    begun = tuple(started(wish, now) for wish in wishes)
    if entry.paused_until is None:
        return begun
    return tuple(replace(each, paused_until=entry.paused_until) for each in begun)


def _newcomer(entry: Entry, address_hash: str, new_id: int, terms: Terms, now: datetime) -> Subscriber:
    return Subscriber(
        id=new_id,
        address=entry.address.address,
        folded=entry.address.folded,
        address_hash=address_hash,
        state=SubscriberState.ACTIVE,
        language=entry.language or terms.language,
        format=entry.format or Format.HTML,
        created_at=now,
        confirmed_at=entry.confirmed_at or (None if entry.left else now),
    )


def _stated(terms: Terms, now: datetime, **detail: object) -> Consent:
    return Consent(act=terms.act, at=now, origin=terms.origin, detail=detail)
