"""Several senders take tokens of one scope ahead, in simulated time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.limits.allowances import Allowance, give_back, take_ahead
from digest.limits.limits import Limit, Meter, Rules, Unit, parse_limit, slow, uses

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SLACK = 0.25
SPANS = {Unit.SECOND: 1.0, Unit.MINUTE: 60.0, Unit.HOUR: 3_600.0, Unit.DAY: 86_400.0}


def rules(*limits: str) -> Rules:
    return Rules(scope="server", limits=tuple(map(parse_limit, limits)))


@dataclass
class World:
    """One shared meter, and the senders that take from it; some of them may die with what they hold."""

    rules: Rules
    senders: int
    meter: Meter = field(default_factory=Meter)
    held: dict[int, Allowance] = field(default_factory=dict)
    went: list[tuple[float, int]] = field(default_factory=list)
    locks: list[tuple[float, int]] = field(default_factory=list)
    taken: int = 0
    given_back: int = 0
    lost: int = 0

    def send(self, sender: int, most: int, now: datetime) -> None:
        """Let a sender do what a run does: take tokens when it is time, and send at most so many messages."""
        before = self.held.get(sender)
        if before is None or before.is_over(now):
            self.renew(sender, now, wish=before.next_wish(now) if before else 8 * most)
        count = min(most, self.held[sender].free(now))
        if count:
            self.held[sender] = self.held[sender].use(self.rules, count, now)
            self.went.append((seconds(now), count))

    def renew(self, sender: int, now: datetime, *, wish: int = 0, reply: str = "") -> None:
        self.locks.append((seconds(now), sender))
        if before := self.held.pop(sender, None):
            self.given_back += before.unused
            self.meter = give_back(self.rules, self.meter, before, now)
        if reply:
            self.meter = slow(self.meter, reply, now)
        if wish:
            self.held[sender], self.meter = take_ahead(self.rules, self.meter, wish, now)
            self.taken += self.held[sender].taken

    def die(self, sender: int) -> None:
        if dead := self.held.pop(sender, None):
            self.lost += dead.unused

    @property
    def used(self) -> int:
        return sum(count for _, count in self.went)

    def most_in(self, span: float, *, since: float = 0.0, until: float = float("inf")) -> int:
        """Return the most messages in any window of this length."""
        went = [(at, count) for at, count in self.went if since <= at < until]
        return max((sum(n for at, n in went if start <= at < start + span) for start, _ in went), default=0)


def seconds(now: datetime) -> float:
    return (now - NOW) / SECOND


def at(moment: float) -> datetime:
    return NOW + timedelta(seconds=moment)


limits = st.tuples(
    st.integers(1, 300).map(lambda n: Limit(n, Unit.SECOND)),
    st.integers(1, 9_000).map(lambda n: Limit(n, Unit.MINUTE)),
    st.integers(1, 900).map(lambda n: Limit(n, Unit.HOUR)),
    st.integers(1, 900).map(lambda n: Limit(n, Unit.DAY)),
).flatmap(lambda four: st.sets(st.sampled_from(four), min_size=1))
actions = st.sampled_from(["send"] * 12 + ["slow", "die", "end"])
steps = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from([0, 1, 20, 90, 260, 700, 1_500, 61_000]),
        actions,
        st.integers(1, 80),
    ),
    min_size=20,
    max_size=160,
)


@settings(max_examples=60, deadline=None)
@given(limits=limits, senders=st.integers(2, 4), steps=steps)
def test_whatever_senders_do_no_window_of_a_limit_has_more_than_it(
    limits: set[Limit], senders: int, steps: list[tuple[int, int, str, int]]
) -> None:
    world, now = World(Rules(scope="server", limits=tuple(limits)), senders), NOW
    for number, pause, action, most in steps:
        now += timedelta(milliseconds=pause)
        sender = number % senders
        if action == "send":
            world.send(sender, most, now)
        elif action == "slow":
            world.renew(sender, now, wish=most, reply="421 4.7.0 try later")
        elif action == "die":
            world.die(sender)
        else:
            world.renew(sender, now)
        held = sum(each.unused for each in world.held.values())
        assert world.used + world.given_back + held + world.lost == world.taken
    for limit in limits:
        span = SPANS[limit.unit]
        even = limit.unit in (Unit.SECOND, Unit.MINUTE)
        for part in (0.1, 0.5, 1.0) if even else (1.0,):
            burst = limit.messages * SLACK / span + senders if even else 0
            assert world.most_in(span * part) <= limit.messages * part + burst


def saturated(limit: str, senders: int, *, most: int, lasts: float) -> World:
    """Let senders look every 20 ms, each able to send `most` messages at a time."""
    world = World(rules(limit), senders)
    for step in range(int(lasts * 50)):
        for sender in range(senders):
            world.send(sender, most, at(step * 0.02))
    return world


@settings(max_examples=12, deadline=None)
@given(messages=st.integers(10, 900), senders=st.integers(1, 4))
@example(messages=40, senders=3)
def test_all_that_the_limit_lets_go_goes_and_the_meter_is_locked_once_a_second(
    messages: int, senders: int
) -> None:
    world = saturated(f"{messages} per second", senders, most=1_000, lasts=20)
    assert messages * 19 <= world.used <= messages * (20 + SLACK) + senders
    # A sender that got nothing asks again when the next share ends.
    assert len(world.locks) <= senders * (20 * 1.5 + 3)
    alone = saturated(f"{messages} per second", 1, most=1_000, lasts=20)
    assert len(alone.locks) <= 21


def test_slow_senders_share_a_flow_that_each_alone_could_not_use() -> None:
    world = saturated("300 per second", 3, most=2, lasts=20)
    assert world.used >= 2 * 100 * 20, "one alone sends at most 100 a second"


def test_a_sender_that_could_use_all_gets_what_slow_ones_leave() -> None:
    world = World(rules("300 per second"), 2)
    for step in range(20 * 50):
        world.send(0, 1, at(step * 0.02))
        world.send(1, 1_000, at(step * 0.02))
    assert world.used >= 300 * 18
    assert len(world.locks) <= 2 * 25


def test_what_is_given_back_can_be_taken_by_the_next_sender_at_once() -> None:
    world = World(rules("40 per second", "100 per day"), 2)
    world.send(0, 5, NOW)
    world.renew(0, NOW)
    world.send(1, 100, NOW)
    assert world.used == 11, "one message and a quarter of a second's, as if one sender had sent them"
    world.renew(1, NOW)
    assert {use.limit: use.used for use in uses(world.rules, world.meter, NOW)}["100 per day"] == 11


def test_tokens_of_a_dead_sender_count_and_those_of_an_even_flow_for_a_second_only() -> None:
    world = World(rules("100 per second", "250 per day"), 2)
    world.send(0, 10, NOW)
    world.die(0)
    for step in range(60):
        world.send(1, 100, at(step * 0.1))
    assert (world.used, world.lost) == (180, 70)
    assert world.most_in(1.0) <= 100 * 1.25 + 2


def test_a_slowdown_by_another_sender_is_seen_within_a_second() -> None:
    world = World(rules("100 per second"), 2)
    for step in range(20 * 50):
        if step == 500:
            world.renew(0, at(10), wish=1, reply="421 4.7.0 try later")
        for sender in (0, 1):
            world.send(sender, 1_000, at(step * 0.02))
    assert world.most_in(1.0, until=10) >= 100
    assert world.most_in(1.0, since=11.1) <= 50 * 1.25 + 2


def test_a_clock_that_was_set_back_for_an_hour_does_not_keep_tokens_for_an_hour() -> None:
    world = World(rules("100 per second"), 1)
    world.send(0, 10, at(3_600))
    for step in range(100):
        world.send(0, 10, at(step * 0.1))
    assert world.used >= 500
