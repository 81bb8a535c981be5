"""Describe deliveries and notices as frozen values: states, recipients, results and counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from subscribers.rules.answers import Answered, answered_in
from subscribers.rules.decisions import SubscriptionRequest
from subscribers.rules.notices import NoticeKind


class DeliveryState(StrEnum):
    """The state of one edition on its way to one subscriber."""

    QUEUED = "queued"
    WIRE = "wire"  # about to be written to a server, or being written
    ACCEPTED = "accepted"
    DEFERRED = "deferred"  # will be tried again at `due_at`
    REJECTED = "rejected"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"  # not mailable any more, nothing in the chosen topics, or the edition was cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One delivery as the ledger has it. `address` is None after the reader's data has been erased."""

    edition_id: str
    subscriber_id: int
    address: str | None
    variant: str
    state: DeliveryState
    due_at: datetime | None  # the reader's own hour, or the next try; None if it goes at once or is settled
    tries: int
    code: int | None
    reply: str
    changed_at: datetime

    @property
    def answered(self) -> Answered | None:
        """Return the part that the server refused; None if it was the recipient, or is not known."""
        return answered_in(self.reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The number of an edition's deliveries in each state."""

    by_state: tuple[tuple[DeliveryState, int], ...]

    @property
    def total(self) -> int:
        """Return the number of readers that the edition was addressed to."""
        return sum(count for _, count in self.by_state)

    def of(self, *states: DeliveryState) -> int:
        """Return how many deliveries are in one of `states`."""
        return sum(count for state, count in self.by_state if state in states)

    @property
    def open(self) -> int:
        """Return how many deliveries may still change without an operator."""
        state = DeliveryState
        return self.of(state.QUEUED, state.WIRE, state.DEFERRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCount:
    """How many of an edition's deliveries failed or are uncertain with one reply code, and one such reply."""

    state: DeliveryState
    code: int | None
    count: int
    reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainCount:
    """An edition's deliveries to the addresses of one domain."""

    domain: str
    total: int
    accepted: int
    deferred: int
    rejected: int
    uncertain: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """The deliveries of one state that are due later: their number, and when the first is due."""

    count: int
    first_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedOverTime:
    """How many deliveries were accepted in each interval, from `began_at` on; empty if none was."""

    began_at: datetime
    width: timedelta  # of an interval
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """An edition's deliveries, counted in every way that pages show; kept once the edition has ended."""

    counts: Counts
    answers: tuple[AnswerCount, ...]  # the most first
    domains: tuple[DomainCount, ...]  # the largest
    over_time: AcceptedOverTime


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRecord:
    """A notice with its state. Its `address` is None if the address must not be mailed."""

    id: int
    kind: NoticeKind
    subscriber_id: int | None  # the reader who caused it; None if nobody is on the list
    address: str | None = field(repr=False)
    address_hash: str
    language: str
    requests: tuple[SubscriptionRequest, ...] = ()  # of a sign-up
    made_at: datetime
    expires_at: datetime
    state: DeliveryState
    due_at: datetime | None  # None: settled
    tries: int
    code: int | None
    reply: str
    changed_at: datetime

    @property
    def name(self) -> str:
        """Return the name by which bounces refer to it: "welcome-7412"."""
        return f"{self.kind.replace(' ', '-')}-{self.id}"


class Recipient(NamedTuple):
    """The reader that a message is for. Subscriber 0 stands for a test email, whose links change nothing."""

    subscriber_id: int
    address: str
    variant: str = ""  # the choice of topics, as `str(Choice)`
    format: str = "html"  # or "text": no html part
    tries: int = 0  # earlier tries
    language: str = ""  # the reader's (BCP 47); empty: the edition's
    hour: str | None = None  # the reader's own, "07:30"; None: when the edition goes out
    zone: str | None = None  # of that hour; None: the edition's


class Result(NamedTuple):
    """The result of one receipt, as the ledger keeps it. `due_at` is set only if there is another try.

    A message that was refused only because it came too soon, or because of us, loses no try.
    """

    key: int
    state: DeliveryState
    due_at: datetime | None
    code: int | None
    reply: str
    tried: int = 1  # how many tries it took: 1, or 0
