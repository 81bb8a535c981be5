"""What decisions are made with and what they say: wishes, limits, confirmations, changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from subscribers.model import Consent, Preferences, Reader, Subscriber, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be asked, and how long it stays possible."""

    mails: int = 3  # confirmation mails to one address within `window`
    window: timedelta = timedelta(days=1)
    link_life: timedelta = timedelta(days=3)
    grace: timedelta = timedelta(days=4)  # for asking for a fresh link; then a pending sign-up is erased
    undo: timedelta = timedelta(days=1)  # how long a reader can take back leaving
    longest_pause: timedelta = timedelta(days=366)
    requests: int = 120  # sign-ups from one client within `request_window`: an office shares an address
    unproved: int = 20  # of them without a proof of work
    request_window: timedelta = timedelta(hours=1)  # at most `window`, for counts are kept no longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One digest, as somebody wants it."""

    digest: str
    preferences: Preferences = field(default_factory=Preferences)


class Purpose(StrEnum):
    """What a confirmation link confirms."""

    SIGN_UP = "sign up"
    OLD_ADDRESS = "old address"  # its owner agrees to the move
    NEW_ADDRESS = "new address"  # the mailbox moved to is theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a single-use link will make true. `used_at` is set too when it became void unused."""

    subscriber_id: int
    purpose: Purpose
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)  # JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a decision changes in one reader's record: written whole, in one transaction."""

    subscriber: Subscriber
    subscriptions: tuple[Subscription, ...] = ()  # only those that change
    consent: Consent | None = None
    void_links: bool = False  # no confirmation link made before now works any more
    lift_suppression: bool = False


def applied(reader: Reader, change: Change) -> Reader:
    """Return the reader as they are once `change` is written."""
    changed = {each.digest: each for each in change.subscriptions}
    kept = tuple(each for each in reader.subscriptions if each.digest not in changed)
    return Reader(
        subscriber=change.subscriber,
        subscriptions=(*kept, *change.subscriptions),
        suppression=None if change.lift_suppression else reader.suppression,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A link that does nothing: "expired", or "used" (or void, which is nobody else's business)."""

    reason: str
