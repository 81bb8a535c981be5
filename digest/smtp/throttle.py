"""Find the rate at which a server takes messages, from its answers alone. Pure; times are in seconds.

    the server                               the rate
    has never asked for less                 none: as fast as it answers
    asks for less for the first time         what it has accepted in the seconds before, or one a second;
                                             then a quarter more for each accepted one, until it asks again
    asks for less again                      a tenth less, or what it has accepted lately, if that is less
    asks for less, and accepts nothing       half, down to a message in ten seconds
    accepts messages again after that        what it has accepted in the minute before, or half of the rate
                                             at which it began to accept nothing, if that is less
    accepts a message                        1 % of a message more, and more the longer it has been content;
    takes much less than the rate allows     none again

A server that takes a number of messages in each second or minute accepts what it takes, and refuses the rest.
So what it has accepted is its limit, and a refused message costs nothing but a command or a text. Messages
that were on the wire when the rate was lowered may be refused too; these refusals do not count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LOWEST = 1 / 10  # messages a second
_SLOWER = 0.9
_GROWTH, _FASTEST_GROWTH = 0.01, 0.16  # messages a second that each accepted message adds
_DOUBLES = 20.0  # seconds without a refusal, after which the growth doubles
_BACK = 0.25
_IDLE = 10  # times what it takes
_RECENT, _LONG = 5.0, 60.0  # seconds
_ENOUGH = 10  # messages to measure a rate by
_TIMERS = 0.02  # seconds of the rate that may go at once, because timers are not exact


@dataclass(frozen=True, slots=True)
class Window:
    """The number of messages in the current window of a length, and in the window before it."""

    length: float
    since: float = 0.0  # when the window before began
    turned_at: float = 0.0
    before: int = 0
    current: int = 0

    def add(self, count: int, now: float) -> Window:
        """Return the window after so many more messages."""
        if now - self.turned_at < self.length:
            return replace(self, current=self.current + count)
        fresh = now - self.turned_at < 2 * self.length
        before, since = (self.current, self.turned_at) if fresh else (0, now)
        return Window(self.length, since, now, before, count)

    def rate(self, now: float) -> float:
        """Return the number of messages a second; a window that has hardly begun counts as a second."""
        if now - self.turned_at >= 2 * self.length:
            return 0.0
        return (self.before + self.current) / max(1.0, now - self.since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """The rate that one server takes, as far as it is known: messages a second, or None without a limit."""

    rate: float | None = None
    reason: str = ""  # the answer that asked for less last
    refused_at: float = 0.0  # when it last asked for less
    silent_since: float | None = None  # when it asked for less and has accepted nothing since
    peak: float = 0.0  # the rate at that time
    asked: int = 0  # how often it has asked for less since it last accepted a message
    is_guess: bool = False  # it has asked for less only once
    echoes: int = 0  # messages that were on the wire when the rate was lowered
    next_at: float = 0.0  # when the next message may go
    recent: Window = Window(_RECENT)
    long: Window = Window(_LONG)

    def wait(self, now: float) -> float:
        """Return how many seconds the next message has to wait."""
        if self.rate is None:
            return 0.0
        return max(0.0, self.next_at - now - self._slack)

    def sent(self, now: float) -> Throttle:
        """Return the throttle after a message went."""
        if self.rate is None:
            return self
        return replace(self, next_at=max(self.next_at, now - self._slack) + 1 / self.rate)

    @property
    def _slack(self) -> float:
        return _TIMERS if self.rate and self.rate * _TIMERS >= 1 else 0.0

    def accepted(self, count: int, now: float) -> Throttle:
        """Return the throttle after the server has accepted messages."""
        recent, long = self.recent.add(count, now), self.long.add(count, now)
        return replace(
            self,
            rate=None if self.rate is None else self._higher(self.rate, count, now, recent, long),
            recent=recent,
            long=long,
            silent_since=None,
            asked=0,
            echoes=max(0, self.echoes - count),
        )

    def _higher(self, rate: float, count: int, now: float, recent: Window, long: Window) -> float | None:
        if self.silent_since is not None:
            rate = max(rate, min(long.rate(now), self.peak / 2))
        for _ in range(min(count, 100)):
            rate += rate * _BACK if self.is_guess else self._growth(now) * min(rate, 1)
        return None if rate > _IDLE * (1 + recent.rate(now)) else rate

    def _growth(self, now: float) -> float:
        quiet = (now - self.refused_at) / _DOUBLES
        return float(min(_FASTEST_GROWTH, _GROWTH * 2 ** min(quiet, 10.0)))

    def refused(self, reason: str, now: float, *, on_wire: int) -> Throttle:
        """Return the throttle after the server has asked for less; `on_wire` messages have no answer yet."""
        if self.echoes:
            return replace(self, echoes=self.echoes - 1, reason=reason)
        lower = max(LOWEST, self._lower(now))
        return replace(
            self,
            rate=lower,
            reason=reason,
            refused_at=now,
            silent_since=now if self.silent_since is None else self.silent_since,
            peak=self.rate or lower if self.silent_since is None else self.peak,
            asked=self.asked + 1,
            is_guess=self.rate is None or (self.is_guess and self.silent_since is not None),
            echoes=on_wire,
            next_at=now + 1 / lower,
        )

    def _lower(self, now: float) -> float:
        few = self.recent.before + self.recent.current < _ENOUGH
        measured = (self.long if few else self.recent).rate(now)
        if self.rate is None:
            return measured or 1.0
        if self.silent_since is not None:
            return self.rate / 2
        return min(self.rate * _SLOWER, max(measured, self.rate / 2))
