"""Let things happen to nodes, to their database and to their networks while an edition is sent."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from tests.chaos.nodes.cluster import Cluster
from tests.chaos.nodes.network import Cable
from tests.chaos.nodes.sending import Sending
from tests.clocks import ProcessClock

_WRONG = "The clock of this machine differs"
_METADATA = "Metadata-Version: 2.1\nName: newsletter-digest\nVersion: {version}\n"
Hold = Callable[[Sending], object]  # returns when a fault has lasted long enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The effect of an event: how many messages it may leave in doubt, and when the fault was over.

    Afterwards all nodes must work, or those that `workers` names.
    """

    in_flight: int
    over: float  # on the monotonic clock
    workers: frozenset[int] = frozenset()


Happening = Callable[[Sending], Effect]


def lasting(seconds: float) -> Hold:
    """Let a fault last for so many seconds."""

    def hold(sending: Sending) -> None:
        end = time.monotonic() + seconds
        sending.until(lambda: time.monotonic() >= end, seconds + 60)

    return hold


def until_noticed(sending: Sending) -> None:
    """Let an outage of the database last until all nodes have noticed it."""
    sending.until(lambda: all(_knows_of_outage(node.log.read_text()) for node in sending.nodes.values()))


def _knows_of_outage(said: str) -> bool:
    return said.count("it is tried again until it answers") > said.count("the database answers again")


def while_others_send(messages: int) -> Hold:
    """Let a fault last until the other nodes have sent so many messages."""

    def hold(sending: Sending) -> None:
        goal = min(sending.reached + messages, sending.plan.readers - 1_000)
        sending.until_reached(goal)

    return hold


class Part(Enum):
    """The part of a node that is killed."""

    WORKER = "its supervisor starts another"
    MACHINE = "somebody starts the node again"
    SUPERVISOR = "the worker must end, and somebody starts the node again"


def kill(sending: Sending, number: int, part: Part) -> Effect:
    """Kill a part of a node, and let it be started again."""
    node = sending.nodes[number]
    supervisor, *others = node.pids()
    for pid in {Part.WORKER: others, Part.SUPERVISOR: [supervisor]}.get(part, [supervisor, *others]):
        os.kill(pid, signal.SIGKILL)
    over = time.monotonic()
    if part is not Part.WORKER:
        node.process.wait()
        sending.until(lambda: all(map(_is_gone, others)))
        sending.start_node(number)
    return Effect(in_flight=0 if part is Part.SUPERVISOR else sending.plan.window, over=over)


def _is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"  # it has ended, and nobody has asked for its exit code


def kills(*parts: Part) -> Happening:
    """Kill these parts of the nodes in turn, each as soon as all nodes are at work again."""

    def happen(sending: Sending) -> Effect:
        effects: list[Effect] = []
        for turn, part in enumerate(parts):
            if effects:
                sending.until_all_work(effects[-1].over)
            effects.append(kill(sending, turn % sending.plan.nodes, part))
        return replace(effects[-1], in_flight=sum(effect.in_flight for effect in effects))

    return happen


def freeze(number: int, hold: Hold) -> Happening:
    """Stop all processes of a node, and let them continue."""

    def happen(sending: Sending) -> Effect:
        sending.nodes[number].signal(signal.SIGSTOP)
        hold(sending)
        sending.nodes[number].signal(signal.SIGCONT)
        return Effect(in_flight=sending.plan.window, over=time.monotonic())

    return happen


def outage(hold: Hold) -> Happening:
    """Stop the database as if its machine had lost its power, and start it again."""

    def happen(sending: Sending) -> Effect:
        sending.place.primary.stop()
        hold(sending)
        sending.place.primary.start()
        return _of_all(sending)

    return happen


def failover(hold: Hold) -> Happening:
    """Lose the primary, and promote its standby some time later."""

    def happen(sending: Sending) -> Effect:
        assert isinstance(sending.place, Cluster)
        sending.place.primary.stop()
        hold(sending)
        sending.place.standby.promote()
        return _of_all(sending)

    return happen


def standby_away(hold: Hold) -> Happening:
    """Stop the only standby, so that no commit ends, and start it again."""

    def happen(sending: Sending) -> Effect:
        assert isinstance(sending.place, Cluster)
        sending.place.standby.stop()
        hold(sending)
        sending.place.standby.start()
        return _of_all(sending)

    return happen


def cut(number: int, cable: Cable, hold: Hold) -> Happening:
    """Cut a node from the database or from the mail server, and connect it again."""

    def happen(sending: Sending) -> Effect:
        assert sending.network
        sending.network.pull(number, cable)
        hold(sending)
        sending.network.plug_in(number, cable)
        return Effect(in_flight=sending.plan.window, over=time.monotonic())

    return happen


def _of_all(sending: Sending) -> Effect:
    return Effect(in_flight=sending.plan.nodes * sending.plan.window, over=time.monotonic())


def wrong_clock(number: int, seconds: int, hold: Hold) -> Happening:
    """Start a node again with a clock so many seconds ahead, set it right, and put it wrong while it sends.

    It must say so both times, send nothing more, and send again when its clock is right.
    """

    def happen(sending: Sending) -> Effect:
        node, clock = sending.nodes[number], ProcessClock(sending.folder, f"{number}")

        def noticed(told: int) -> float:
            sending.until(lambda: node.log.read_text().count(_WRONG) > told)
            sending.until(lambda: number not in sending.at_work(time.monotonic() - 1))
            hold(sending)
            assert number not in sending.at_work(time.monotonic() - 1), "a node with a wrong clock sends"
            clock.set(0)
            return time.monotonic()

        clock.set(seconds)
        told = node.log.read_text().count(_WRONG)
        node.process.terminate()
        node.process.wait()
        sending.start_node(number, clock.environ)
        sending.until_all_work(noticed(told))
        clock.set(seconds)
        return Effect(in_flight=0, over=noticed(told + 1))

    return happen


def newer_node(sending: Sending) -> Effect:
    """Start a node of a newer version; the others must finish their slices and take no more."""
    older, newer = list(sending.nodes.values()), len(sending.nodes)
    sending.start_node(newer, _another_version(sending.folder, "99.0"))
    sending.until(lambda: all("it takes no more jobs" in node.log.read_text() for node in older))
    sending.until(lambda: sending.at_work(time.monotonic() - 1) == {newer})
    return Effect(in_flight=0, over=time.monotonic(), workers=frozenset({newer}))


def _another_version(folder: Path, version: str) -> dict[str, str]:
    """Return variables for a node that takes itself for another version of the program."""
    about = folder / version / f"newsletter_digest-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(_METADATA.format(version=version))
    path = [str(about.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(path)}
