"""Subscribers, subscriptions, choices and consents as frozen values; no code here does I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Self, TypeVar
from zoneinfo import available_timezones

from subscribers.errors import ChoiceError

_SLUG = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_MAX_SLUG = 100
_MAX_TOPICS = 100
_EPOCH = 1_577_836_800_000_000  # 2020-01-01 in microseconds; 51 bits of them last until 2091

_Kind = TypeVar("_Kind", bound=StrEnum)


# ── what a reader chooses ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The topics that a reader wants: all, only `include`, or all but `exclude`; never both lists.

    The text form is "" for all topics, "climate,space" for only these, and "-sport" for all but this one.
    It is canonical: equal choices have equal texts, and share one rendered email.
    """

    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.include and self.exclude:
            raise ChoiceError("topics", "name either the topics to include or the topics to exclude")
        if len(self.include) + len(self.exclude) > _MAX_TOPICS:
            raise ChoiceError("topics", f"at most {_MAX_TOPICS} topics can be named")
        for slug in self.include | self.exclude:
            check_slug(slug, "topics")

    @staticmethod
    def parse(text: str) -> Choice:
        """Read the text form; spaces and upper case are accepted.

        Raises ChoiceError if a name is not a slug, or if topics to include and to exclude are mixed.
        """
        return _choice(text)

    def __str__(self) -> str:
        return ",".join(sorted(self.include) or [f"-{slug}" for slug in sorted(self.exclude)])

    def wants(self, slug: str) -> bool:
        """Return whether the reader wants stories under the topic `slug`."""
        return slug in self.include if self.include else slug not in self.exclude


@lru_cache(maxsize=4_096)  # a long list has few different choices
def _choice(text: str) -> Choice:
    names = [name.strip().casefold() for name in text.split(",")] if text.strip() else []
    return Choice(
        include=frozenset(name for name in names if not name.startswith("-")),
        exclude=frozenset(name[1:] for name in names if name.startswith("-")),
    )


class Format(StrEnum):
    """The format of a reader's emails."""

    HTML = "html"  # with a plain-text part as well
    TEXT = "text"


class Frequency(StrEnum):
    """How often one reader gets a digest: each edition, or the editions of a day or week gathered in one."""

    EACH = "each"
    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """How a reader wants one digest. For untrusted text use `parse`, which checks it."""

    topics: Choice = field(default_factory=Choice)
    hour: str | None = None  # "07:30" on the reader's clock; None: when the edition goes out
    zone: str | None = None  # IANA name; None: the digest's time zone
    frequency: Frequency = Frequency.EACH

    @classmethod
    def parse(cls, *, topics: str = "", hour: str = "", zone: str = "", frequency: str = "") -> Self:
        """Read the four texts of a form or a CSV line; an empty text means the default.

        Raises ChoiceError, which names the field.
        """
        return cls(
            topics=Choice.parse(topics),
            hour=parse_hour(hour),
            zone=parse_zone(zone),
            frequency=_member(Frequency, frequency, "frequency") or Frequency.EACH,
        )


def check_slug(slug: str, field_name: str) -> str:
    """Return `slug`; raises ChoiceError unless it has only lowercase letters, digits and single hyphens."""
    if len(slug) > _MAX_SLUG or slug != slug.casefold() or not _SLUG.fullmatch(slug):
        raise ChoiceError(field_name, "a name may contain only lowercase letters, digits and single hyphens")
    return slug


def parse_hour(text: str) -> str | None:
    """Return "07:30" for "7:30" or "07:30", and None for an empty text."""
    hour = text.strip()
    if not hour:
        return None
    hour = hour.zfill(len("07:30"))
    if not _HOUR.fullmatch(hour):
        raise ChoiceError("hour", "write the time as 07:30")
    return hour


def parse_zone(text: str) -> str | None:
    """Return the IANA name of a time zone ("Europe/Berlin"), and None for an empty text."""
    zone = text.strip()
    if not zone:
        return None
    if zone not in _zones():
        raise ChoiceError("zone", "there is no such time zone; an example is Europe/Berlin")
    return zone


def parse_language(text: str) -> str | None:
    """Return a BCP 47 tag ("en", "pt-BR"), and None for an empty text.

    The caller checks whether the language is offered.
    """
    language = text.strip()
    if not language:
        return None
    if len(language) > len("zh-Hant-HK-x-private") or not _LANGUAGE.fullmatch(language):
        raise ChoiceError("language", "write the language as en or pt-BR")
    return language


def parse_format(text: str) -> Format | None:
    """Return the format called "html" or "text", and None for an empty text."""
    return _member(Format, text, "format")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _member(kind: type[_Kind], text: str, field_name: str) -> _Kind | None:
    value = text.strip().casefold()
    if not value:
        return None
    if value not in set(kind):
        raise ChoiceError(field_name, "this choice is not offered", known=kind)
    return kind(value)


# ── the list ────────────────────────────────────────────────────────────────────────────────


class SubscriberState(StrEnum):
    """pending → active → unsubscribed; a sign-up becomes active only when its reader confirms it."""

    PENDING = "pending"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"


class SubscriptionState(StrEnum):
    """The state of one reader's subscription to one digest."""

    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"  # ended by the reader, who can undo this for a day
    REMOVED = "removed"  # ended by an operator; a reader's link cannot undo this


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """An address, and the settings that its owner chose for all digests."""

    id: int
    address: str = field(repr=False)
    folded: str = field(repr=False)  # the same for all spellings of the address
    address_hash: str  # keyed; the only thing that is left after erasure
    state: SubscriberState
    language: str
    format: Format = Format.HTML
    created_at: datetime
    confirmed_at: datetime | None = None
    left_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A reader's choice of one digest."""

    digest: str
    state: SubscriptionState
    preferences: Preferences = field(default_factory=Preferences)
    paused_until: datetime | None = None
    changed_at: datetime


class SuppressionReason(StrEnum):
    """Why an address must not be mailed."""

    # A confirmed sign-up lifts BOUNCE and ERASED: only the owner of a working mailbox can confirm.
    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    OPERATOR = "operator"
    ERASED = "erased"  # its owner had all data erased


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address that must not be mailed, whatever the list says."""

    address_hash: str
    reason: SuppressionReason
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """All that is known about one address: its subscriber (if there is one), subscriptions, suppression."""

    subscriber: Subscriber | None = None
    subscriptions: tuple[Subscription, ...] = ()
    suppression: Suppression | None = None

    def subscription(self, digest: str) -> Subscription | None:
        """Return the reader's subscription to `digest`, whatever its state, or None."""
        return next((each for each in self.subscriptions if each.digest == digest), None)

    def reads(self, digest: str) -> bool:
        """Return whether the reader is confirmed and subscribed to `digest`; a paused subscription counts."""
        subscription = self.subscription(digest)
        return (
            self.subscriber is not None
            and self.subscriber.state is SubscriberState.ACTIVE
            and subscription is not None
            and subscription.state is SubscriptionState.ACTIVE
        )


# ── what was agreed ─────────────────────────────────────────────────────────────────────────


class ConsentAction(StrEnum):
    """An action of a reader, or of an operator for a reader, in the record of consent."""

    SIGNED_UP = "signed up"
    CONFIRMED = "confirmed"
    ADDED = "added"  # by an operator
    IMPORTED = "imported"
    SUBSCRIBED = "subscribed"  # to one more digest, on the preferences page
    CHANGED = "changed preferences"
    PAUSED = "paused"
    RESUMED = "resumed"
    LEFT = "left"
    REMOVED = "removed"  # by an operator
    CAME_BACK = "came back"
    ASKED_MOVE = "asked to change address"
    MOVED = "changed address"
    LIFTED = "suppression lifted"  # by an operator; the detail says what it was


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an action came from: kept as evidence of consent."""

    source: str  # "form:daily", "preferences", "one-click", "cli", the stated source of an import
    wording: str = ""  # the version of the text that the reader saw
    client: str = (
        ""  # the client's address: empty, shortened or whole, as the publisher's privacy rules allow
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One row of the record of consent, to which rows are only ever added."""

    act: ConsentAction
    at: datetime
    origin: Origin
    detail: Mapping[str, Any] = field(default_factory=dict)  # JSON: digests and topics at that moment


def make_id(microseconds: int, entropy: int) -> int:
    """Return a time-ordered 63-bit id from a Unix time in microseconds and 12 random bits.

    A batch of n rows may use this id and the n - 1 ids after it; 4,096 ids are one microsecond.
    """
    return (microseconds - _EPOCH << 12 | entropy & 0xFFF) & 0x7FFF_FFFF_FFFF_FFFF
