"""Decide how many messages may go now, to the mail server and to each group of domains. Pure.

    cause                         limit                               the most in any window
    "100 per second", "… minute"  an even flow (Drip, Share)          its share, 0.25 s of flow, 1 a sender
    "5000 per hour", "… day"      a quota, at once or spread (Quota)  the quota, in any hour or day
    warm_up = [200, 400, …]       a quota for each of the first days  the day's quota (in UTC); then no limit
    421 and 4.7.x, to a domain    half the pace, at most every 30 s,  as for an even flow
                                  not below 5 %; 5 % more each minute

A message may go if all limits allow it. The pace is the slowest configured flow per second or minute. If only
quotas are configured, the pace is what was sent there most recently, or 100 per second if this is not known;
a slowdown then never goes below one per second. A domain without limits is never slowed. Messages are counted
when they are marked in the ledger, even if the server then refuses them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from digest.limits.buckets import Bucket, Drip, Flow, Quota, Share
from subscribers.hosts import ascii_host

NO_LIMIT = sys.maxsize
SERVER = "server"
WARM_UP = "warm-up"
SLOWED = "slowed"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LOWEST, _QUIET, _RETURN = 5, timedelta(minutes=1), 5  # the least percent; 5 percent more in each minute
_UNMEASURED, _FLOOR = 6_000, 60  # messages a minute, if no pace is configured
_ECHO = timedelta(seconds=30)  # complaints in this time are about messages that were already on their way
_WRITTEN = re.compile(r"(\d+(?:[_,]\d+)*)\s*(?:per|an?|/)\s*([a-z]+)")
_ADVICE = 'examples: "100 per second", "5000 per day"'
_MOST = 10**9


class Unit(StrEnum):
    """The units of time for limits."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


_SECONDS = {Unit.SECOND: 1, Unit.MINUTE: 60, Unit.HOUR: 3_600, Unit.DAY: 86_400}
_UNITS = {word: unit for unit in Unit for word in (unit.value, f"{unit}s", unit.value[0])} | {
    "sec": Unit.SECOND,
    "min": Unit.MINUTE,
}
_EVEN = frozenset({Unit.SECOND, Unit.MINUTE, SLOWED})


# ── what is configured ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of messages per unit of time."""

    messages: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.messages} per {self.unit}"

    @property
    def flow(self) -> Flow:
        """Return the limit as a flow."""
        return Flow(self.messages, _SECONDS[self.unit] * 1_000_000)


def parse_limit(text: str) -> Limit:
    """Read "100 per second", "20 a minute" or "5000/day". Raises ValueError with examples."""
    match = _WRITTEN.fullmatch(text.strip().casefold())
    if match is None:
        raise ValueError(f"{text!r} is not a valid limit; {_ADVICE}")
    if match[2] not in _UNITS:
        raise ValueError(f"{match[2]!r} must be second, minute, hour or day; {_ADVICE}")
    messages = int(match[1].replace(",", ""))
    if not 1 <= messages <= _MOST:
        raise ValueError(f"{text!r}: a limit must be between 1 and {_MOST:,}")
    return Limit(messages, _UNITS[match[2]])


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How many messages may go on each of the first days; the first number also applies before that."""

    first: date
    days: tuple[int, ...]

    def on(self, now: datetime) -> int | None:
        """Return the number for today (UTC); None when the warm-up is over."""
        day = max(0, (now.astimezone(UTC).date() - self.first).days)
        return self.days[day] if day < len(self.days) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The limits of one scope: a mail server, or a group of domains that count together."""

    scope: str  # its name in the database: "server smtp.example.org", "domain gmail.com"
    names: tuple[str, ...] = ()  # domains, as `domain_of` returns them; empty for a server
    limits: tuple[Limit, ...] = ()
    warm_up: WarmUp | None = None

    @property
    def paces(self) -> tuple[Flow, ...]:
        """Return the flows that can be slowed down."""
        return tuple(limit.flow for limit in self.limits if limit.unit in _EVEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All configured limits. A domain that is in no group has no limits and is never slowed."""

    server: Rules = field(default_factory=lambda: Rules(scope=SERVER))
    domains: tuple[Rules, ...] = ()

    @property
    def scopes(self) -> tuple[Rules, ...]:
        """Return every scope that has limits."""
        return tuple(rules for rules in (self.server, *self.domains) if rules.limits or rules.warm_up)


def domain_rules(*names: str, limits: tuple[Limit, ...] = (), warm_up: WarmUp | None = None) -> Rules:
    """Return the rules of a group of domains; the scope is named after the first domain."""
    folded = tuple(domain_of(name) for name in names)
    return Rules(scope=f"domain {folded[0]}", names=folded, limits=limits, warm_up=warm_up)


def domain_of(address: str) -> str:
    """Return the domain of an address (or a domain itself), in lower case and as A-labels."""
    return _folded(address.rpartition("@")[2])


@lru_cache(maxsize=10_000)
def _folded(domain: str) -> str:
    return ascii_host(domain) or domain.lower()  # an invalid domain counts as a domain too


# ── what has been used ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowdown:
    """The slowdown of a scope that was asked to send less: `share` percent of its pace at `at`, then more."""

    share: int
    at: datetime
    since: datetime  # when it last had its full pace
    reason: str  # the reply, to be shown to people
    pace: int = _UNMEASURED  # the full pace in messages a minute, if no pace is configured

    def share_at(self, now: datetime) -> int:
        """Return the share at `now`; at 100 the slowdown is over."""
        return min(100, self.share + max(0, (now - self.at) // _QUIET) * _RETURN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """The use of one scope's limits: a bucket for each limit, by its unit; shares; the slowdown, if any."""

    buckets: Mapping[str, Bucket] = field(default_factory=dict)
    shares: tuple[Share, ...] = ()  # of the even flows
    slowdown: Slowdown | None = None


def room(rules: Rules, meter: Meter, now: datetime, *, ahead: timedelta = timedelta()) -> int:
    """Return how many messages may go from `now` to `ahead` later; NO_LIMIT if nothing limits them."""
    at, until = micros(now), micros(now + ahead)
    return min(
        (bucket.free(flow, at, until) for _, flow, bucket in in_force(rules, meter, now)),
        default=NO_LIMIT,
    )


def free_at(rules: Rules, meter: Meter, messages: int, now: datetime) -> datetime:
    """Return when that many messages can have gone, if nobody else sends any."""
    times = [now]
    for key, flow, bucket in in_force(rules, meter, now):
        at = _EPOCH + bucket.free_at(flow, messages, micros(now)) * _MICROSECOND
        times.append(min(at, _tomorrow(now)) if key == WARM_UP else at)  # tomorrow has another number
    return max(times)


def span(rules: Rules, meter: Meter, messages: int, now: datetime) -> timedelta:
    """Return how long that many messages take at the pace of the slowest even flow."""
    flows = [flow for key, flow, _ in in_force(rules, meter, now) if key in _EVEN]
    return max((messages * flow.period // flow.messages for flow in flows), default=0) * _MICROSECOND


def take(rules: Rules, meter: Meter, messages: int, now: datetime) -> Meter:
    """Return the meter after messages were counted, without buckets of limits that no longer apply."""
    at = micros(now)
    buckets = {key: bucket.take(flow, messages, at) for key, flow, bucket in in_force(rules, meter, now)}
    return Meter(buckets=buckets, slowdown=meter.slowdown if SLOWED in buckets else None)


def slow(meter: Meter, reply: str, now: datetime, *, pace: int | None = None) -> Meter:
    """Return the meter with its pace halved because of `reply`.

    `pace` is the recent pace in messages a minute, or None if it is not known. It is used only if no pace is
    configured, and the scope is not slowed yet.
    """
    slowdown = meter.slowdown
    # Complaints come in bursts, about messages that were already on their way. They count once.
    if slowdown and now - slowdown.at < _ECHO:
        return meter
    share = slowdown.share_at(now) if slowdown else 100
    since, whole = now, _UNMEASURED if pace is None else max(pace, 2 * _FLOOR)
    if slowdown and share < 100:
        since, whole = slowdown.since, slowdown.pace
    slowed = Slowdown(share=max(_LOWEST, share // 2), at=now, since=since, reason=reply, pace=whole)
    return replace(meter, slowdown=slowed)


# ── for people ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How much of one limit is used: `used` of `allowed`; `next_at` is set if it is used up."""

    limit: str
    allowed: int
    used: int
    next_at: datetime | None


def uses(rules: Rules, meter: Meter, now: datetime) -> tuple[Use, ...]:
    """Return the use of every limit in force; the limit of a slowdown is in messages per minute."""
    at, found = micros(now), []
    for key, flow, bucket in in_force(rules, meter, now):
        free = bucket.free(flow, at, at)
        most = type(bucket)().free(flow, at, at)
        next_at = None if free else free_at(rules, meter, 1, now)
        limit = _named(key, flow)
        found.append(Use(limit=limit, allowed=flow.messages, used=most - free, next_at=next_at))
    return tuple(found)


def _named(key: str, flow: Flow) -> str:
    if key == SLOWED:
        return f"slowed to {flow.messages * 60_000_000 / flow.period:g} per minute"
    return f"warm-up: {flow.messages} today" if key == WARM_UP else f"{flow.messages} per {key}"


# ── parts ───────────────────────────────────────────────────────────────────────────────────


def in_force(rules: Rules, meter: Meter, now: datetime) -> Iterator[tuple[str, Flow, Bucket]]:
    """Yield each limit that applies now: its key, its flow and its bucket."""
    for key, flow in _flows(rules, meter.slowdown, now):
        bucket = meter.buckets.get(key) or (Drip() if key in _EVEN else Quota())
        yield (
            key,
            flow,
            bucket.beside(meter.shares, flow, micros(now)) if isinstance(bucket, Drip) else bucket,
        )


def _flows(rules: Rules, slowdown: Slowdown | None, now: datetime) -> Iterator[tuple[str, Flow]]:
    for limit in rules.limits:
        yield limit.unit.value, limit.flow
    if rules.warm_up and (today := rules.warm_up.on(now)):
        yield WARM_UP, Limit(today, Unit.DAY).flow
    if slowdown and (share := slowdown.share_at(now)) < 100:
        yield SLOWED, _slowed(rules, slowdown, share)


def _slowed(rules: Rules, slowdown: Slowdown, share: int) -> Flow:
    # The numbers are multiplied by 100 instead of dividing the share, because flows are whole numbers.
    if not rules.paces:
        return Flow(max(_FLOOR * 100, slowdown.pace * share), 60_000_000 * 100)
    slowest = max(rules.paces, key=lambda flow: flow.period / flow.messages)
    return Flow(slowest.messages * share, slowest.period * 100)


def _tomorrow(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def micros(at: datetime) -> int:
    """Return a time as buckets count it: in microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND
