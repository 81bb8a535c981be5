"""Take tokens ahead, so that a sender locks the shared meter once a second and not with each group. Pure.

    an even flow  A sender gets a share of it for about a second. Its tokens have their turns at this rate,
                  and go at most SLACK after their turn. All shares together are never more than the flow.
    a quota       Each token counts as if it went at the last moment. Those that do not go are given back.
    next time     A sender that used nearly all asks for twice as many, and another for a little more than it
                  used. A sender that got no share waits for one, and the others leave room for it.

A sender that dies loses the tokens that it holds, because they stay counted. So do tokens of which nobody
knows whether they were taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from digest.limits.buckets import SLACK, WHOLE, Bucket, Drip, Flow, Quota, Share, living
from digest.limits.limits import SLOWED, Meter, Rules, in_force, micros, take

_TERM = 1_000_000  # microseconds
_STEP = 100_000  # microseconds
_FIRST = 100  # tokens of a quota that a sender asks for before it knows its own pace
_PAGES = 8  # pages of readers that a sender can use up in a second
_NEARLY_ALL = 15, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The tokens of one scope that a sender has taken. Times are microseconds since 1970."""

    asked: int
    taken: int
    taken_at: int
    until: int  # no token may go later
    ends_at: int  # when to take more
    share: Share | None  # of an even flow, as the shared meter has it; None if there are only quotas
    start: int  # the turn of the first token, if there is a share
    mine: Meter  # the meter as if nobody else had taken any since
    passed: int = 0  # tokens that went, or whose turn is over
    used: int = 0
    used_at: int = 0

    def free(self, now: datetime) -> int:
        """Return how many tokens may go now."""
        at = micros(now)
        if not self.taken_at <= at <= self.until:
            return 0
        return max(0, self._come(at) - self.passed_at(at))

    def held(self, now: datetime) -> int:
        """Return how many tokens may go now or later."""
        at = micros(now)
        return self.taken - self.passed_at(at) if at <= self.until else 0

    @property
    def unused(self) -> int:
        """Return how many tokens did not go: they are held, or to be given back."""
        return self.taken - self.used

    @property
    def step(self) -> int:
        """Return how many tokens are worth a transaction: those of a tenth of a second, at least one."""
        return max(1, self.share.rate * _STEP // WHOLE) if self.share else 1

    def is_over(self, now: datetime) -> bool:
        """Tell whether it is time to take more; tokens that may still go are used first."""
        at = micros(now)
        if at < self.taken_at:  # the clock was set back, and could be for long
            return True
        if self.share is None and self.used == self.asked:
            return True
        return at >= self.ends_at and not (self.share and self.free(now))

    def use(self, rules: Rules, messages: int, now: datetime) -> Allowance:
        """Return the allowance after tokens were used; the caller checks that they are free."""
        at, mine = micros(now), take(rules, self.mine, messages, now)
        passed = self.passed_at(at) + messages
        return replace(self, passed=passed, used=self.used + messages, used_at=at, mine=mine)

    def next_wish(self, now: datetime) -> int:
        """Return how many tokens to ask for next: as many as the sender seems to need in a second."""
        part, whole = _NEARLY_ALL
        if not self.is_over(now) or (self.taken < self.asked and self.used * whole >= self.taken * part):
            return self.asked  # it was ended early, or the limit kept it from using more
        if self.used * whole >= self.taken * part:
            return 2 * self.asked
        return self.used * 5 // 4 + 1  # a sender that was held up for a moment must not stay slow

    def passed_at(self, at: int) -> int:
        """Return how many tokens went, or can go no more because their turn is over."""
        return max(self.passed, self._come(at - SLACK - 1) if self.share else 0)

    def _come(self, at: int) -> int:
        """Return how many tokens had their turn by then."""
        if self.share is None:
            return self.taken
        return min(self.taken, max(0, (at - self.start) * self.share.rate // WHOLE + 1))


def first_wish(rules: Rules, waiting: int) -> int:
    """Return how many tokens to ask for when nothing is known of the sender's pace."""
    # After a crash, the tokens of a quota count for an hour or a day.
    return waiting * _PAGES if rules.paces else min(waiting, _FIRST)


def take_ahead(rules: Rules, meter: Meter, wish: int, now: datetime) -> tuple[Allowance, Meter]:
    """Take up to `wish` tokens for about a second; return them, and the meter to be saved."""
    at, drips, quotas = micros(now), *_kinds(rules, meter, now)
    taken = min([wish, *(quota.free(flow, at, at) for flow, quota in quotas.values())])
    share, start, until, ends_at = None, at, at + _TERM, at + _TERM
    if drips and taken:
        share, start = _share(drips, meter.shares, wish, at)
        taken = min(taken, -(-share.rate * _TERM // WHOLE))
        if taken:
            until = turn(share.rate, start, taken - 1) + SLACK
            share = Share(share.rate, turn(share.rate, start, taken))
        ends_at = share.end if taken else share.end - SLACK
    allowance = Allowance(
        asked=wish,
        taken=taken,
        taken_at=at,
        until=until,
        ends_at=ends_at,
        share=share,
        start=start,
        mine=meter,
    )
    buckets: dict[str, Bucket] = {key: drip for key, (_, drip) in drips.items() if drip.debt}
    buckets |= {key: quota.hold(flow, taken, at, until) for key, (flow, quota) in quotas.items()}
    shares = living(meter.shares, at) + ((share,) if share else ())
    slowdown = meter.slowdown if SLOWED in drips else None
    return allowance, Meter(buckets=buckets if taken else meter.buckets, shares=shares, slowdown=slowdown)


def give_back(rules: Rules, meter: Meter, allowance: Allowance, now: datetime) -> Meter:
    """Return the shared meter as if the tokens that did not go had never been taken."""
    at, buckets, shares = micros(now), dict(meter.buckets), list(meter.shares)
    share, passed = allowance.share, allowance.passed_at(at)
    if share in shares and share:
        shares.remove(share)
        if passed:
            shares.append(Share(share.rate, turn(share.rate, allowance.start, passed)))
    for key, (flow, quota) in _kinds(rules, meter, now)[1].items():
        # After half of a period, the places may have become free already.
        if allowance.taken and at < allowance.until + flow.period // 2:
            whole = quota.give_back(flow, allowance.taken, allowance.until)
            went = allowance.used, at, allowance.used_at
            buckets[key] = whole.hold(flow, *went) if allowance.used else whole
    return replace(meter, buckets=buckets, shares=tuple(shares))


def quotas_are_used_up(rules: Rules, meter: Meter, now: datetime) -> bool:
    """Tell whether a quota lets nobody go now."""
    at = micros(now)
    return not all(quota.free(flow, at, at) for flow, quota in _kinds(rules, meter, now)[1].values())


def turn(rate: int, start: int, place: int) -> int:
    """Return the turn of a token; `start` is the turn of the first one, which has the place 0."""
    return start - (-place * WHOLE // rate)


def _kinds(
    rules: Rules, meter: Meter, now: datetime
) -> tuple[dict[str, tuple[Flow, Drip]], dict[str, tuple[Flow, Quota]]]:
    """Return the even flows in force, and the quotas."""
    drips, quotas = {}, {}
    for key, flow, bucket in in_force(rules, replace(meter, shares=()), now):
        if isinstance(bucket, Drip):
            drips[key] = flow, bucket
        elif isinstance(bucket, Quota):
            quotas[key] = flow, bucket
    return drips, quotas


def _share(
    drips: Mapping[str, tuple[Flow, Drip]], shares: Sequence[Share], wish: int, at: int
) -> tuple[Share, int]:
    """Return a share of the slowest flow that is free now, and the turn of its first token.

    The end is not set yet. If nothing is free, the rate is 0, and the end is SLACK after the time to ask
    again. Such a share tells the others that a sender waits, and they leave room for it.
    """
    slowest = min(flow.messages * WHOLE // flow.period for flow, _ in drips.values())
    shares = living(shares, at)

    def free(then: int) -> int:
        return slowest - sum(share.rate for share in shares if share.end > then)

    # A share without a token in this second would only keep others from a better one.
    least = min(slowest, WHOLE // _TERM)
    waiting = sum(share.rate == 0 and share.end > at for share in shares)
    fair = max(least, free(at) // (1 + waiting))
    rate = min(free(at), wish * WHOLE // _TERM, fair)
    # Messages that were counted one by one come first.
    first = max(at, *(drip.end(flow, at) for flow, drip in drips.values())) - SLACK
    if first > at or rate < least:
        asks_again_at = min(
            [at + _TERM // 2, *(share.end for share in shares if share.end > at and share.rate)]
        )
        return Share(0, asks_again_at + SLACK), at
    starts = [first, *(share.end for share in shares if first < share.end <= at)]
    return Share(rate, at), min(start for start in starts if free(start) >= rate)
