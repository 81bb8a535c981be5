"""The values that decisions take and return: subscription requests, limits, confirmations, changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from subscribers.model import Consent, Preferences, Reader, Subscriber, Subscription
from subscribers.rules.notices import NoticeLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupLimits:
    """The limits on sign-ups and on what readers can do by link."""

    notices: NoticeLimits = field(default_factory=NoticeLimits)
    link_life: timedelta = timedelta(days=3)
    data_life: timedelta = timedelta(hours=1)  # long enough to open the email, too short to be forwarded
    # After its link has expired, a pending sign-up stays this long, so that a new link can be requested.
    grace: timedelta = timedelta(days=4)
    undo: timedelta = timedelta(days=1)  # how long a reader can undo an unsubscribe request
    longest_pause: timedelta = timedelta(days=366)
    # Sign-ups from one client within `request_window`. The number is large because an office shares an
    # address.
    requests: int = 120
    unproved: int = 20  # of these sign-ups, the number that need no proof of work
    request_window: timedelta = timedelta(hours=1)
    window: timedelta = timedelta(days=1)  # counts of requests are kept this long


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRequest:
    """A digest that somebody asks for, and the preferences for it."""

    digest: str
    preferences: Preferences = field(default_factory=Preferences)


class Purpose(StrEnum):
    """The purpose of a confirmation link."""

    SIGN_UP = "sign up"
    OLD_ADDRESS = "old address"  # the reader agrees to the change of address
    NEW_ADDRESS = "new address"  # the reader owns the new mailbox
    DATA = "data"  # the reader sees, downloads or erases their data; works until it expires


TO_CONFIRM = frozenset(Purpose) - {Purpose.DATA}


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A single-use confirmation link; `payload` says what it will change.

    `used_at` is also set when the link becomes void without having been used.
    """

    subscriber_id: int
    purpose: Purpose
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)  # JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The changes to one reader that a decision asks for; they are written in one transaction."""

    subscriber: Subscriber
    subscriptions: tuple[Subscription, ...] = ()  # only those that change
    consent: Consent | None = None
    void_links: frozenset[Purpose] = frozenset()  # earlier links for these purposes stop working
    lift_suppression: bool = False


def applied(reader: Reader, change: Change) -> Reader:
    """Return the reader as it will be after `change` has been written."""
    changed = {each.digest: each for each in change.subscriptions}
    kept = tuple(each for each in reader.subscriptions if each.digest not in changed)
    return Reader(
        subscriber=change.subscriber,
        subscriptions=(*kept, *change.subscriptions),
        suppression=None if change.lift_suppression else reader.suppression,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A link cannot be used: it is "expired" or "used"."""

    # A void link is also reported as "used", because the difference would reveal something about the reader.
    reason: str
