"""The rate of a server is found by its answers alone: simulations of servers that count in different ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.smtp.throttle import LOWEST, Throttle

Takes = Callable[[float], bool]  # whether the server takes a message at a time


def bucket(rate: float, burst: float) -> Takes:
    """Return a server with a token bucket, as most relays have one."""
    tokens, at = [burst], [0.0]

    def takes(now: float) -> bool:
        tokens[0] = min(burst, tokens[0] + (now - at[0]) * rate)
        at[0] = now
        if tokens[0] < 1:
            return False
        tokens[0] -= 1
        return True

    return takes


def periods(most: int, seconds: float) -> Takes:
    """Return a server that takes so many messages in each period of the clock."""
    counts: dict[int, int] = {}

    def takes(now: float) -> bool:
        period = int(now // seconds)
        counts[period] = counts.get(period, 0) + 1
        return counts[period] <= most

    return takes


@dataclass
class Wire:
    """Sends to a server with a round trip of `delay` seconds, over so many connections at once."""

    takes: Takes
    delay: float = 0.02
    connections: int = 4
    throttle: Throttle = field(default_factory=Throttle)
    now: float = 1000.0
    accepted: int = 0
    refused: int = 0

    def run(self, seconds: float) -> None:
        end, on_wire = self.now + seconds, list[float]()
        while self.now < end:
            while len(on_wire) < self.connections and not self.throttle.wait(self.now):
                self.throttle = self.throttle.sent(self.now)
                on_wire.append(self.now + self.delay)
            self.now = min([self.now + max(0.001, self.throttle.wait(self.now)), *on_wire[:1], end])
            while on_wire and on_wire[0] <= self.now:
                on_wire.pop(0)
                self.answer(len(on_wire))

    def answer(self, on_wire: int) -> None:
        if self.takes(self.now):
            self.accepted += 1
            self.throttle = self.throttle.accepted(1, self.now)
        else:
            self.refused += 1
            self.throttle = self.throttle.refused("454 later", self.now, on_wire=on_wire)


SERVERS = [
    (bucket(1, 1), 1.0),
    (bucket(14, 14), 14.0),
    (bucket(5, 1), 5.0),
    (bucket(60, 60), 60.0),
    (bucket(0.5, 1), 0.5),
    (periods(30, 60), 0.5),
    (periods(10, 1), 10.0),
    (periods(600, 60), 10.0),
]


@pytest.mark.parametrize(("takes", "rate"), SERVERS, ids=[str(n) for n in range(len(SERVERS))])
def test_a_server_is_given_what_it_takes_and_little_more(takes: Takes, rate: float) -> None:
    wire = Wire(takes)
    wire.run(600)
    assert wire.accepted >= 0.8 * rate * 600
    assert wire.refused <= 0.2 * wire.accepted + 60


@given(rate=st.floats(0.3, 25), burst=st.floats(1, 60), delay=st.floats(0.01, 0.5))
@settings(max_examples=10, deadline=None)
def test_any_rate_is_found(rate: float, burst: float, delay: float) -> None:
    wire = Wire(bucket(rate, burst), delay)
    wire.run(300)
    most = min(rate, wire.connections / delay)
    assert wire.accepted >= 0.75 * most * 300 - 4
    assert wire.refused <= 0.25 * wire.accepted + 60


def test_a_server_without_a_limit_is_never_slowed() -> None:
    wire = Wire(lambda _now: True)
    wire.run(60)
    assert wire.throttle.rate is None
    assert wire.accepted >= 60 / 0.02 * 4 * 0.95


def test_a_rate_that_falls_is_followed_and_one_that_rises_again_too() -> None:
    wire = Wire(bucket(50, 50))
    wire.run(200)
    wire.takes, wire.accepted, wire.refused = bucket(2, 2), 0, 0
    wire.run(200)
    assert wire.accepted >= 0.8 * 2 * 200
    assert wire.refused <= 120
    wire.takes, wire.accepted = bucket(50, 50), 0
    wire.run(300)
    assert wire.accepted >= 0.6 * 50 * 300


def test_a_server_that_asks_for_less_once_is_soon_at_full_speed_again() -> None:
    wire = Wire(lambda now: now > 1001)
    wire.run(60)
    assert wire.throttle.rate is None


def test_a_server_that_takes_nothing_is_asked_less_and_less_often() -> None:
    wire = Wire(lambda _now: False)
    wire.run(600)
    assert wire.throttle.rate == LOWEST
    assert wire.refused <= 75
    assert wire.throttle.asked >= 6


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 90), st.integers(0, 40)), max_size=60))
def test_a_rate_is_never_below_the_lowest_and_no_wait_is_longer(
    events: list[tuple[bool, float, int]],
) -> None:
    throttle, now = Throttle(), 0.0
    for is_accepted, later, count in events:
        now += later
        throttle = throttle.sent(now)
        if is_accepted:
            throttle = throttle.accepted(count, now)
        else:
            throttle = throttle.refused("later", now, on_wire=count)
        assert throttle.rate is None or throttle.rate >= LOWEST
        assert throttle.wait(now) <= 2 / LOWEST
