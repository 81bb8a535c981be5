"""Let nodes fail while they send an edition, and count what each reader got: `python -m benchmarks.failures`.

For each event there is a new publication, a new PostgreSQL server with `fsync` on, and three nodes, which are
real `digest work` processes on one machine. The fast sink waits before it answers, and counts the messages of
each recipient. An event begins when a quarter of the readers has been reached.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from dataclasses import dataclass, replace

from tests.chaos.nodes import events
from tests.chaos.nodes.events import Happening, Part, lasting
from tests.chaos.nodes.network import Cable
from tests.chaos.nodes.sending import Plan, staged

_GOES_ON, _ALL_WORK = 10, 15  # seconds that are allowed
_MORE = 2.4  # times the rate of one node that three nodes must have
_KILLS = (*(Part.WORKER, Part.MACHINE) * 5, Part.SUPERVISOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """An event, and what it needs."""

    title: str
    happens: Happening
    standby: bool = False
    cuts: bool = False
    doubt: str = "hold"
    slower: float = 1  # times the pause of the mail server, because the event takes long


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of an event. Times are in seconds."""

    doubled: int
    missed: int
    in_doubt: int
    got_it: int  # of those in doubt
    in_flight: int  # at the most
    went_on: float
    all_work: float
    sent_after: float

    @property
    def is_fine(self) -> bool:
        """Tell whether everything is as it must be."""
        in_time = self.went_on <= _GOES_ON and self.all_work <= _ALL_WORK
        return not self.doubled and not self.missed and self.in_doubt <= self.in_flight and in_time

    def __str__(self) -> str:
        found = f"{self.doubled:>5} {self.missed:>6} {self.in_doubt:>8} {self.got_it:>6} {self.in_flight:>9}"
        times = f"{self.went_on:>7.1f} {self.all_work:>8.1f} {self.sent_after:>7.0f}"
        return f"{found} {times}  {'fine' if self.is_fine else 'MISSED'}"


HEAD = "twice missed in doubt got it in flight goes on all work sent in"
SCENES = (
    Scene(title="kill -9 of a node, ten times", happens=events.kills(*_KILLS), slower=6),
    Scene(title="SIGSTOP for 30 s", happens=events.freeze(1, lasting(30)), slower=2),
    Scene(title="SIGSTOP for 150 s, more than a lease", happens=events.freeze(1, lasting(150)), slower=8),
    Scene(title="database stopped for 5 s", happens=events.outage(lasting(5))),
    Scene(title="database stopped for 60 s", happens=events.outage(lasting(60))),
    Scene(title="failover to a synchronous standby", happens=events.failover(lasting(0)), standby=True),
    Scene(
        title="failover after 150 s, doubt resent",
        happens=events.failover(lasting(150)),
        standby=True,
        doubt="resend",
    ),
    Scene(
        title="no standby for 150 s, doubt resent",
        happens=events.standby_away(lasting(150)),
        standby=True,
        doubt="resend",
    ),
    Scene(
        title="cut from the database for 30 s",
        happens=events.cut(1, Cable.DATABASE, lasting(30)),
        cuts=True,
        slower=2,
    ),
    Scene(
        title="cut from the database for 150 s",
        happens=events.cut(1, Cable.DATABASE, lasting(150)),
        cuts=True,
        slower=8,
    ),
    Scene(
        title="cut from the mail server for 30 s",
        happens=events.cut(1, Cable.MAIL, lasting(30)),
        cuts=True,
        slower=2,
    ),
    Scene(title="clock of a node 5 min ahead", happens=events.wrong_clock(1, 300, lasting(5)), slower=2),
    Scene(title="clock of a node 5 min behind", happens=events.wrong_clock(1, -300, lasting(5)), slower=2),
    Scene(title="a node of a newer version", happens=events.newer_node, slower=2),
)


def play(scene: Scene, plan: Plan) -> Found:
    """Send an edition, and let the event happen."""
    plan = replace(plan, pause=round(plan.pause * scene.slower), doubt=scene.doubt)
    with staged(plan, standby=scene.standby, cuts=scene.cuts, durable=True) as sending:
        sending.start_nodes()
        sending.until_all_work(time.monotonic())
        sending.until_reached(plan.readers // 4)
        effect = scene.happens(sending)
        all_work = sending.until_all_work(effect.over, effect.workers)
        went_on = sending.went_on(effect.over)
        sending.hurry()
        verdict = sending.verdict(sending.until_sent(900))
    return Found(
        doubled=verdict.doubled,
        missed=verdict.missed,
        in_doubt=verdict.in_doubt,
        got_it=verdict.in_doubt_accepted,
        in_flight=effect.in_flight,
        went_on=went_on,
        all_work=all_work,
        sent_after=verdict.seconds,
    )


def _played(scene: Scene, plan: Plan) -> Found | str:
    try:
        return play(scene, plan)
    except AssertionError as error:  # so that the other events are tried, too
        return f"FAILED: {error}"


def rate(plan: Plan) -> float:
    """Send an edition without an event; return the readers per second in the middle half of it."""
    with staged(plan, durable=True) as sending:
        sending.start_nodes()
        sending.until_all_work(time.monotonic())
        verdict = sending.verdict(sending.until_sent(900))
        if verdict.doubled or verdict.missed or verdict.in_doubt:
            raise SystemExit(f"without any event: {verdict}")
        return sending.rate_between(plan.readers // 4, plan.readers * 3 // 4)


def main() -> None:
    """Play every scene, and print a line for each."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.failures", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--readers", type=int, default=200_000, help="(default 200,000)")
    parser.add_argument("--lines", type=int, default=2, help="of each node (default 2)")
    parser.add_argument(
        "--pause", type=int, default=20, help="milliseconds before the server answers (default 20)"
    )
    parser.add_argument("--only", default="", help="events whose title contains this")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that all processes are ended
    plan = Plan(readers=wanted.readers, lines=wanted.lines, connections=2 * wanted.lines, pause=wanted.pause)
    print(f"{plan.readers:,} readers, three nodes of {plan.lines} lines, {plan.pause} ms before an answer\n")
    if wanted.only in "nothing":
        one, three = (rate(replace(plan, nodes=nodes)) for nodes in (1, 3))
        print(f"nothing: {one:,.0f} a second with one node, {three:,.0f} with three: {three / one:.2f} times")
        print(f"(must be {_MORE} times at least)\n", flush=True)
    print(f"{'event':<38} {HEAD}", flush=True)
    for scene in SCENES:
        if wanted.only in scene.title:
            print(f"{scene.title:<38} {_played(scene, plan)}", flush=True)


if __name__ == "__main__":
    main()
