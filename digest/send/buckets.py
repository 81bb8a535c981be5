"""Two kinds of bucket that count letters: one drips, the other gives back what is a period old. Pure.

All numbers are whole: letters, and microseconds since 1970. So nothing drifts, however long it runs.
A clock may go back a little (another node's is behind): then a bucket waits; one that was wrong by more
than `_SKEW` is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

SLACK = 250_000  # microseconds a sender may come late without losing any of its rate
_SKEW = 60_000_000  # microseconds
_SLOTS = 1440  # to a period: a day's quota is kept by the minute


class Flow(NamedTuple):
    """So many letters in so many microseconds."""

    letters: int
    period: int


class Bucket(Protocol):
    """What has been taken of a flow. `now` and `until` are microseconds since 1970."""

    def free(self, flow: Flow, now: int, until: int) -> int:
        """Return how many letters could be taken from now to `until`, if nobody else takes any."""
        ...

    def take(self, flow: Flow, letters: int, now: int) -> Bucket:
        """Return the bucket with letters taken; whether they are free is the caller's business."""
        ...

    def free_at(self, flow: Flow, letters: int, now: int) -> int:
        """Return when so many will be free to be taken together or one by one, if nobody takes any."""
        ...


@dataclass(frozen=True, slots=True)
class Drip:
    """Runs empty evenly. A window may have its share and what the bucket holds: a letter, and SLACK's share.

    `debt` counts a letter as a whole period, so that it shrinks by the flow's `letters` a microsecond.
    """

    debt: int = 0
    at: int = 0  # when the debt was that

    def free(self, flow: Flow, now: int, until: int) -> int:
        """See Bucket."""
        credit = _depth(flow) - self._owed(flow, now) + flow.letters * (until - now)
        return max(0, credit // flow.period)

    def take(self, flow: Flow, letters: int, now: int) -> Drip:
        """See Bucket."""
        return Drip(self._owed(flow, now) + letters * flow.period, self._later(now))

    def free_at(self, flow: Flow, letters: int, now: int) -> int:
        """See Bucket."""
        missing = self._owed(flow, now) + letters * flow.period - _depth(flow)
        return self._later(now) + max(0, -(-missing // flow.letters))

    def _owed(self, flow: Flow, now: int) -> int:
        return max(0, self.debt - flow.letters * max(0, now - self.at))

    def _later(self, now: int) -> int:
        return self.at if now < self.at <= now + _SKEW else now


def _depth(flow: Flow) -> int:
    return flow.period + flow.letters * SLACK


@dataclass(frozen=True, slots=True)
class Quota:
    """May be taken all at once; each letter comes back a period after it was taken.

    So no window of a period, wherever it begins, has more than the quota. What was taken in the same
    slot comes back with the last of it.
    """

    taken: tuple[tuple[int, int], ...] = ()  # when they come back, and how many; the soonest first

    def free(self, flow: Flow, now: int, until: int) -> int:
        """See Bucket."""
        return max(0, flow.letters - sum(count for back, count in self._out(flow, now) if back > until))

    def take(self, flow: Flow, letters: int, now: int) -> Quota:
        """See Bucket."""
        out = self._out(flow, now)
        back = max(now + flow.period, out[-1][0] if out else 0)
        slot = max(1, flow.period // _SLOTS)
        if out and out[-1][0] // slot == back // slot:
            letters += out.pop()[1]
        return Quota((*out, (back, letters)))

    def free_at(self, flow: Flow, letters: int, now: int) -> int:
        """See Bucket; beyond one quota the rest comes a period later each."""
        rounds, rest = divmod(letters - 1, flow.letters)
        out = self._out(flow, now)
        missing = rest + 1 - flow.letters + sum(count for _, count in out)
        at = now
        for back, count in out:
            if missing <= 0:
                break
            at, missing = back, missing - count
        return at + rounds * flow.period

    def _out(self, flow: Flow, now: int) -> list[tuple[int, int]]:
        return [each for each in self.taken if now < each[0] <= now + flow.period + _SKEW]


def kept_of(bucket: Bucket) -> list[object]:
    """Return a bucket as plain numbers, for a database."""
    if isinstance(bucket, Drip):
        return [bucket.debt, bucket.at]
    assert isinstance(bucket, Quota)
    return [list(each) for each in bucket.taken]


def bucket_of(kept: list[Any]) -> Bucket:
    """Read a bucket as `kept_of` wrote it."""
    if kept and isinstance(kept[0], int):
        return Drip(*kept)
    return Quota(tuple((back, count) for back, count in kept))
