"""Count messages in two kinds of bucket: a drip for an even flow, and a quota for a period. Pure.

Senders that take tokens ahead have shares of an even flow; a drip shows what they leave (`beside`).

All numbers are whole: messages, and microseconds since 1970. So there is no rounding error, however long a
program runs. If `now` goes back a little (the clock of another node is behind), a bucket waits. A time that
is ahead by more than `_SKEW` is taken for wrong and ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

SLACK = 250_000  # microseconds that a sender may be late without losing rate
WHOLE = 10**15  # microseconds, so that rates are whole numbers too
_SKEW = 60_000_000  # microseconds
_SLOTS = 1440  # in a period, so that a day's quota is counted by the minute


class Flow(NamedTuple):
    """A number of messages in a period of microseconds."""

    messages: int
    period: int


class Share(NamedTuple):
    """The part of an even flow that one sender has, until its end: so many messages in WHOLE microseconds.

    A sender that waits for a part has one with the rate 0.
    """

    rate: int
    end: int


def living(shares: Sequence[Share], now: int) -> tuple[Share, ...]:
    """Return the shares that matter now, without those of a clock that is ahead."""
    ahead = now + _SKEW
    return tuple(
        each for each in shares if now - SLACK < each.end <= ahead + max(_SKEW, WHOLE // max(1, each.rate))
    )


class Bucket(Protocol):
    """A record of the messages taken from a flow. `now` and `until` are microseconds since 1970."""

    def free(self, flow: Flow, now: int, until: int) -> int:
        """Return how many messages could be taken from `now` to `until`, if nobody else takes any."""
        ...

    def take(self, flow: Flow, messages: int, now: int) -> Bucket:
        """Return the bucket after messages were taken; the caller checks that they are free."""
        ...

    def free_at(self, flow: Flow, messages: int, now: int) -> int:
        """Return when this many messages can have been taken, if nobody else takes any."""
        ...


@dataclass(frozen=True, slots=True)
class Drip:
    """An even flow. Any window may have its share of the flow, plus one message and the flow of SLACK.

    `debt` counts each message as a whole period, so that it shrinks by `flow.messages` in each microsecond.
    """

    debt: int = 0
    at: int = 0  # the time of this debt

    def free(self, flow: Flow, now: int, until: int) -> int:
        """See Bucket."""
        credit = _depth(flow) - self._owed(flow, now) + flow.messages * (until - now)
        return max(0, credit // flow.period)

    def take(self, flow: Flow, messages: int, now: int) -> Drip:
        """See Bucket."""
        return Drip(self._owed(flow, now) + messages * flow.period, self._later(now))

    def free_at(self, flow: Flow, messages: int, now: int) -> int:
        """See Bucket."""
        missing = self._owed(flow, now) + messages * flow.period - _depth(flow)
        return self._later(now) + max(0, -(-missing // flow.messages))

    def end(self, flow: Flow, now: int) -> int:
        """Return when the debt is gone, if nobody takes any more; `now` if there is none."""
        return self._later(now) + -(-self._owed(flow, now) // flow.messages)

    def beside(self, shares: Sequence[Share], flow: Flow, now: int) -> Drip:
        """Return the bucket as if the messages of all shares had been taken from it."""
        tokens = sum(share.rate * max(0, share.end + SLACK - now) for share in living(shares, now))
        if not tokens:
            return self
        return Drip(self._owed(flow, now) + -(-tokens * flow.period // WHOLE), self._later(now))

    def _owed(self, flow: Flow, now: int) -> int:
        return max(0, self.debt - flow.messages * max(0, now - self.at))

    def _later(self, now: int) -> int:
        # A clock that is behind must not move the bucket back, because the time would then count twice.
        return self.at if now < self.at <= now + _SKEW else now


def _depth(flow: Flow) -> int:
    return flow.period + flow.messages * SLACK


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota, which may be taken all at once. Each message frees its place one period after it was taken.

    So no window of one period, wherever it begins, has more than the quota. Messages taken in the same slot
    free their places together, with the last of them.
    """

    taken: tuple[tuple[int, int], ...] = ()  # when places become free, and how many; soonest first

    def free(self, flow: Flow, now: int, until: int) -> int:
        """See Bucket."""
        return max(0, flow.messages - sum(count for back, count in self._out(flow, now) if back > until))

    def take(self, flow: Flow, messages: int, now: int) -> Quota:
        """See Bucket."""
        return self.hold(flow, messages, now, now)

    def hold(self, flow: Flow, messages: int, now: int, until: int) -> Quota:
        """Return the quota after messages were taken `now`, which go by `until` at the latest."""
        out = self._out(flow, now)
        back = max(until + flow.period, out[-1][0] if out else 0)
        slot = max(1, flow.period // _SLOTS)
        if out and out[-1][0] // slot == back // slot:
            messages += out.pop()[1]
        return Quota((*out, (back, messages)))

    def give_back(self, flow: Flow, messages: int, until: int) -> Quota:
        """Return the quota without messages that were held until then, and did not go."""
        kept = []
        for back, count in self.taken:
            # Those that others held for a shorter time come first, so that nothing is free too early.
            less = min(messages, count) if back >= until + flow.period else 0
            messages -= less
            if count > less:
                kept.append((back, count - less))
        return Quota(tuple(kept))

    def free_at(self, flow: Flow, messages: int, now: int) -> int:
        """See Bucket; each further quota takes one more period."""
        rounds, rest = divmod(messages - 1, flow.messages)
        out = self._out(flow, now)
        missing = rest + 1 - flow.messages + sum(count for _, count in out)
        at = now
        for back, count in out:
            if missing <= 0:
                break
            at, missing = back, missing - count
        return at + rounds * flow.period

    def _out(self, flow: Flow, now: int) -> list[tuple[int, int]]:
        return [each for each in self.taken if now < each[0] <= now + flow.period + _SKEW]


def kept_of(bucket: Bucket) -> list[object]:
    """Return a bucket as plain numbers, to be stored in the database."""
    if isinstance(bucket, Drip):
        return [bucket.debt, bucket.at]
    assert isinstance(bucket, Quota)
    return [list(each) for each in bucket.taken]


def bucket_of(kept: list[Any]) -> Bucket:
    """Return the bucket that `kept_of` turned into numbers."""
    if kept and isinstance(kept[0], int):
        return Drip(*kept)
    return Quota(tuple((back, count) for back, count in kept))
