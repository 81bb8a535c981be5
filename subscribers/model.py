"""The words of the list, as frozen values; nothing here reads, writes or knows the time."""

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
    """Which topics a reader wants: all, only `include`, or all but `exclude`; never both lists.

    The text form is canonical, so that equal choices are equal text and share one rendered mail:
    "" is everything, "climate,space" only these, "-sport" everything else.
    """

    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.include and self.exclude:
            raise ChoiceError("topics", "name either the topics to have or the topics to leave out")
        if len(self.include) + len(self.exclude) > _MAX_TOPICS:
            raise ChoiceError("topics", f"at most {_MAX_TOPICS} can be named")
        for slug in self.include | self.exclude:
            check_slug(slug, "topics")

    @staticmethod
    def parse(text: str) -> Choice:
        """Read the text form; spaces and the case of letters are forgiven.

        Raises ChoiceError for what is no slug, and when topics to have and to leave out are mixed.
        """
        return _choice(text)

    def __str__(self) -> str:
        return ",".join(sorted(self.include) or [f"-{slug}" for slug in sorted(self.exclude)])

    def wants(self, slug: str) -> bool:
        """Tell whether stories under the topic `slug` are for this reader."""
        return slug in self.include if self.include else slug not in self.exclude


@lru_cache(maxsize=4_096)  # a long list has few different ones
def _choice(text: str) -> Choice:
    names = [name.strip().casefold() for name in text.split(",")] if text.strip() else []
    return Choice(
        include=frozenset(name for name in names if not name.startswith("-")),
        exclude=frozenset(name[1:] for name in names if name.startswith("-")),
    )


class Format(StrEnum):
    """What a reader's mail holds."""

    HTML = "html"  # and text beside it
    TEXT = "text"


class Frequency(StrEnum):
    """How editions are gathered for one reader, where the publisher offers it."""

    EACH = "each"
    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """How a reader wants one digest. Made from strangers' text only by `parse`, which checks it."""

    topics: Choice = field(default_factory=Choice)
    hour: str | None = None  # "07:30" on the reader's clock; None: when the edition goes
    zone: str | None = None  # IANA name; None: the digest's
    frequency: Frequency = Frequency.EACH

    @classmethod
    def parse(cls, *, topics: str = "", hour: str = "", zone: str = "", frequency: str = "") -> Self:
        """Read the four as a form or a CSV file gives them; empty means the default.

        Raises ChoiceError naming the field.
        """
        return cls(
            topics=Choice.parse(topics),
            hour=parse_hour(hour),
            zone=parse_zone(zone),
            frequency=_member(Frequency, frequency, "frequency") or Frequency.EACH,
        )


def check_slug(slug: str, field_name: str) -> str:
    """Return `slug`, or raise ChoiceError: lowercase letters, digits and single hyphens between them."""
    if len(slug) > _MAX_SLUG or slug != slug.casefold() or not _SLUG.fullmatch(slug):
        raise ChoiceError(field_name, "a name has only lowercase letters, digits and single hyphens")
    return slug


def parse_hour(text: str) -> str | None:
    """Read "7:30" or "07:30" as "07:30", empty as None."""
    hour = text.strip()
    if not hour:
        return None
    hour = hour.zfill(len("07:30"))
    if not _HOUR.fullmatch(hour):
        raise ChoiceError("hour", "write it as 07:30")
    return hour


def parse_zone(text: str) -> str | None:
    """Read an IANA name ("Europe/Berlin"), empty as None."""
    zone = text.strip()
    if not zone:
        return None
    if zone not in _zones():
        raise ChoiceError("zone", "no such time zone; write it as Europe/Berlin")
    return zone


def parse_language(text: str) -> str | None:
    """Read a BCP 47 tag ("en", "pt-BR"), empty as None; whether it is offered is for the caller."""
    language = text.strip()
    if not language:
        return None
    if len(language) > len("zh-Hant-HK-x-private") or not _LANGUAGE.fullmatch(language):
        raise ChoiceError("language", "write it as en or pt-BR")
    return language


def parse_format(text: str) -> Format | None:
    """Read "html" or "text", empty as None."""
    return _member(Format, text, "format")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _member(kind: type[_Kind], text: str, field_name: str) -> _Kind | None:
    value = text.strip().casefold()
    if not value:
        return None
    if value not in set(kind):
        raise ChoiceError(field_name, "it is not offered", known=kind)
    return kind(value)


# ── who is on the list ──────────────────────────────────────────────────────────────────────


class SubscriberState(StrEnum):
    """pending → active → unsubscribed; only a confirmation of their own makes a reader active."""

    PENDING = "pending"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"


class SubscriptionState(StrEnum):
    """Where one reader stands with one digest; what a reader ended, that reader can undo for a day."""

    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"  # ended by the reader
    REMOVED = "removed"  # ended by an operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """An address and what its owner asked for in all digests."""

    id: int
    address: str = field(repr=False)
    folded: str = field(repr=False)  # the key under which spellings meet
    address_hash: str  # keyed; all that is left after erasure
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

    BOUNCE = "bounce"  # a fresh sign-up of their own lifts it: to confirm it, mail has to arrive
    COMPLAINT = "complaint"
    OPERATOR = "operator"
    ERASED = "erased"  # its owner asked to be forgotten; likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address that must not be mailed, whatever the list says."""

    address_hash: str
    reason: SuppressionReason
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """All that decisions about one address need: who it is (if anybody), digests, suppression."""

    subscriber: Subscriber | None = None
    subscriptions: tuple[Subscription, ...] = ()
    suppression: Suppression | None = None

    def subscription(self, digest: str) -> Subscription | None:
        """Return the reader's choice of `digest`, if there ever was one."""
        return next((each for each in self.subscriptions if each.digest == digest), None)

    def reads(self, digest: str) -> bool:
        """Tell whether the reader has confirmed `digest` and not left it (it may be paused)."""
        subscription = self.subscription(digest)
        return (
            self.subscriber is not None
            and self.subscriber.state is SubscriberState.ACTIVE
            and subscription is not None
            and subscription.state is SubscriptionState.ACTIVE
        )


# ── what was agreed ─────────────────────────────────────────────────────────────────────────


class Act(StrEnum):
    """What a reader, or an operator in a reader's name, did: the words of the consent record."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an act came from: kept as evidence of consent."""

    source: str  # "form:daily", "preferences", "one-click", "cli", the stated source of an import
    wording: str = ""  # version of the words the reader saw
    client: str = ""  # as the publisher's privacy rules allow: empty, shortened or whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One line of the record that is only ever appended to."""

    act: Act
    at: datetime
    origin: Origin
    detail: Mapping[str, Any] = field(default_factory=dict)  # JSON: digests and topics at that moment


def make_id(microseconds: int, entropy: int) -> int:
    """Return a time-ordered 63-bit id from a Unix time in microseconds and 12 random bits.

    The `n` ids from this one on may be used for a batch of n rows: 4,096 of them are one microsecond.
    """
    return (microseconds - _EPOCH << 12 | entropy & 0xFFF) & 0x7FFF_FFFF_FFFF_FFFF
