"""How many letters may go now, to the mail server and to each group of domains. Pure: values in, values out.

    what                          holds as                               no window has more than
    "100 per second", "… minute"  an even flow (Drip)                    its share, 1 letter, 0.25 s of flow
    "5000 per hour", "… day"      a quota, at once or spread (Quota)     the quota, in any hour or day
    warm_up = [200, 400, …]       a quota a day from the first on (UTC)  the same; none after the last
    421 and 4.7.x from a domain   half its pace, at most every 30 s,     as an even flow
                                  down to 5 %; 5 % more each quiet minute

All of them must allow a letter. Pace is the slowest flow per second or minute that is configured; else what
went there `lately`, or 100 per second when nobody knows, and then never less than one.
Letters are counted when they are marked in the ledger, also those that are then refused.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from digest.send.buckets import Bucket, Drip, Flow, Quota
from subscribers.hosts import ascii_host

NO_LIMIT = sys.maxsize
SERVER = "server"
WARM_UP = "warm-up"
SLOWED = "slowed"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_STEP = 100_000  # microseconds: letters are worth a transaction by what flows in this time
_LOWEST, _QUIET, _RETURN = 5, timedelta(minutes=1), 5  # percent of the pace, and how it comes back
_UNMEASURED, _FLOOR = 6_000, 60  # letters a minute, where no pace is configured
_ECHO = timedelta(seconds=30)  # complaints about letters that were under way already
_WRITTEN = re.compile(r"(\d+(?:[_,]\d+)*)\s*(?:per|an?|/)\s*([a-z]+)")
_ADVICE = 'write for example "100 per second" or "5000 per day"'
_MOST = 10**9


class Unit(StrEnum):
    """What limits are counted in."""

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
    """So many letters per unit of time."""

    letters: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.letters} per {self.unit}"

    @property
    def flow(self) -> Flow:
        """Return it as a flow."""
        return Flow(self.letters, _SECONDS[self.unit] * 1_000_000)


def parse_limit(text: str) -> Limit:
    """Read "100 per second", "20 a minute", "5000/day"; raises ValueError with what to write."""
    match = _WRITTEN.fullmatch(text.strip().casefold())
    if match is None:
        raise ValueError(f"{text!r} is no limit: {_ADVICE}")
    if match[2] not in _UNITS:
        raise ValueError(f"{match[2]!r} is none of second, minute, hour, day: {_ADVICE}")
    letters = int(match[1].replace(",", ""))
    if not 1 <= letters <= _MOST:
        raise ValueError(f"{text!r}: a limit is at least 1 and at most {_MOST:,}")
    return Limit(letters, _UNITS[match[2]])


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How many letters may go on each of the first days; the first number holds before them too."""

    first: date
    days: tuple[int, ...]

    def on(self, now: datetime) -> int | None:
        """Return today's number, or None when the warm-up is over."""
        day = max(0, (now.astimezone(UTC).date() - self.first).days)
        return self.days[day] if day < len(self.days) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is configured for one scope: a mail server, or domains that count as one."""

    scope: str  # names it in the database: "server smtp.example.org", "domain gmail.com"
    names: tuple[str, ...] = ()  # domains, as `domain_of` gives them; none for a server
    limits: tuple[Limit, ...] = ()
    warm_up: WarmUp | None = None

    @property
    def paces(self) -> tuple[Flow, ...]:
        """Return the flows that can be slowed down."""
        return tuple(limit.flow for limit in self.limits if limit.unit in _EVEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All that is configured. A domain that is in no group has no limits until it asks for less."""

    server: Rules = field(default_factory=lambda: Rules(scope=SERVER))
    domains: tuple[Rules, ...] = ()

    @property
    def scopes(self) -> tuple[Rules, ...]:
        """Return every scope that has limits."""
        return tuple(rules for rules in (self.server, *self.domains) if rules.limits or rules.warm_up)

    def names(self, scope: str) -> tuple[str, ...]:
        """Return the domains of a scope, configured or not; none for a server."""
        if scope == self.server.scope:
            return ()
        found = (rules.names for rules in self.domains if rules.scope == scope)
        return next(found, (scope.removeprefix("domain "),))


def domain_rules(*names: str, limits: tuple[Limit, ...] = (), warm_up: WarmUp | None = None) -> Rules:
    """Return the rules of a group of domains; the first name stands for all."""
    folded = tuple(domain_of(name) for name in names)
    return Rules(scope=f"domain {folded[0]}", names=folded, limits=limits, warm_up=warm_up)


def domain_of(address: str) -> str:
    """Return the domain of an address, or of itself, in small letters and as A-labels."""
    return _folded(address.rpartition("@")[2])


@lru_cache(maxsize=10_000)
def _folded(domain: str) -> str:
    return ascii_host(domain) or domain.lower()  # the second is no domain, but counts as one all the same


# ── what has been used ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """A scope that was asked to send less: `share` percent of its pace at `at`, and growing since."""

    share: int
    at: datetime
    since: datetime  # when it last had its whole pace
    reason: str  # the reply, for people
    pace: int = _UNMEASURED  # letters a minute that `share` is of, where none is configured

    def share_at(self, now: datetime) -> int:
        """Return the share by now; at 100 the brake is off."""
        return min(100, self.share + max(0, (now - self.at) // _QUIET) * _RETURN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What one scope has used: a bucket for each limit, by its unit, and its brake."""

    buckets: Mapping[str, Bucket] = field(default_factory=dict)
    brake: Brake | None = None


def room(rules: Rules, meter: Meter, now: datetime, *, ahead: timedelta = timedelta()) -> int:
    """Return how many letters may go now, or within `ahead` of now; NO_LIMIT when nothing limits them."""
    at, until = _micros(now), _micros(now + ahead)
    return min(
        (bucket.free(flow, at, until) for _, flow, bucket in _in_force(rules, meter, now)),
        default=NO_LIMIT,
    )


def step(rules: Rules, meter: Meter, now: datetime) -> int:
    """Return how many letters are worth waiting for: what flows in a tenth of a second, at least one."""
    flows = (flow for key, flow, _ in _in_force(rules, meter, now) if key in _EVEN)
    return max(1, min((flow.letters * _STEP // flow.period for flow in flows), default=1))


def free_at(rules: Rules, meter: Meter, letters: int, now: datetime) -> datetime:
    """Return when that many letters will have been able to go, if nobody else sends any."""
    times = [now]
    for key, flow, bucket in _in_force(rules, meter, now):
        at = _EPOCH + bucket.free_at(flow, letters, _micros(now)) * _MICROSECOND
        times.append(min(at, _tomorrow(now)) if key == WARM_UP else at)  # when there is another number
    return max(times)


def span(rules: Rules, meter: Meter, letters: int, now: datetime) -> timedelta:
    """Return how long that many letters take at the pace of the slowest even flow."""
    flows = [flow for key, flow, _ in _in_force(rules, meter, now) if key in _EVEN]
    return max((letters * flow.period // flow.letters for flow in flows), default=0) * _MICROSECOND


def take(rules: Rules, meter: Meter, letters: int, now: datetime) -> Meter:
    """Return the meter with letters counted. Buckets of limits that are no longer there are dropped."""
    at = _micros(now)
    buckets = {key: bucket.take(flow, letters, at) for key, flow, bucket in _in_force(rules, meter, now)}
    return Meter(buckets=buckets, brake=meter.brake if SLOWED in buckets else None)


def slow(meter: Meter, reply: str, now: datetime, *, pace: int | None = None) -> Meter:
    """Return the meter with its pace halved because of `reply`.

    `pace` is what went there lately, in letters a minute, None when nobody knows; it counts where none
    is configured, and no brake is on yet.
    """
    brake = meter.brake
    if brake and now - brake.at < _ECHO:
        return meter
    share = brake.share_at(now) if brake else 100
    since, whole = now, _UNMEASURED if pace is None else max(pace, 2 * _FLOOR)
    if brake and share < 100:
        since, whole = brake.since, brake.pace
    slowed = Brake(share=max(_LOWEST, share // 2), at=now, since=since, reason=reply, pace=whole)
    return replace(meter, brake=slowed)


def slowed_since(now: datetime) -> datetime:
    """Return the time before which a brake, wherever it stood then, is off by now."""
    return now - _QUIET * -(-(100 - _LOWEST) // _RETURN)


# ── for people ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How one limit stands: `used` of `allowed` letters; when it is used up, when a letter may go again."""

    limit: str
    allowed: int
    used: int
    next_at: datetime | None


def uses(rules: Rules, meter: Meter, now: datetime) -> tuple[Use, ...]:
    """Return every limit in force, as it is configured; the one of a brake in letters per minute."""
    at, found = _micros(now), []
    for key, flow, bucket in _in_force(rules, meter, now):
        free = bucket.free(flow, at, at)
        most = type(bucket)().free(flow, at, at)
        next_at = None if free else free_at(rules, meter, 1, now)
        limit = _named(key, flow)
        found.append(Use(limit=limit, allowed=flow.letters, used=most - free, next_at=next_at))
    return tuple(found)


def _named(key: str, flow: Flow) -> str:
    if key == SLOWED:
        return f"slowed to {flow.letters * 60_000_000 / flow.period:g} per minute"
    return f"warm-up: {flow.letters} today" if key == WARM_UP else f"{flow.letters} per {key}"


# ── parts ───────────────────────────────────────────────────────────────────────────────────


def _in_force(rules: Rules, meter: Meter, now: datetime) -> Iterator[tuple[str, Flow, Bucket]]:
    for key, flow in _flows(rules, meter.brake, now):
        yield key, flow, meter.buckets.get(key) or (Drip() if key in _EVEN else Quota())


def _flows(rules: Rules, brake: Brake | None, now: datetime) -> Iterator[tuple[str, Flow]]:
    for limit in rules.limits:
        yield limit.unit.value, limit.flow
    if rules.warm_up and (today := rules.warm_up.on(now)):
        yield WARM_UP, Limit(today, Unit.DAY).flow
    if brake and (share := brake.share_at(now)) < 100:
        yield SLOWED, _slowed(rules, brake, share)


def _slowed(rules: Rules, brake: Brake, share: int) -> Flow:
    if not rules.paces:
        return Flow(max(_FLOOR * 100, brake.pace * share), 60_000_000 * 100)
    slowest = max(rules.paces, key=lambda flow: flow.period / flow.letters)
    return Flow(slowest.letters * share, slowest.period * 100)


def _tomorrow(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
