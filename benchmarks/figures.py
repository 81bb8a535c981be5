"""Define the measurements: the servers, the senders that are compared, and our targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import endtoend, senders, sinks
from benchmarks.endtoend import Lists
from benchmarks.per_reader import PerReader
from benchmarks.senders import Sender
from digest.smtp.terms import Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A sender, and the number of messages for a run of some seconds: to a near server, and 40 ms away.

    `start` prepares a run of so many messages; the preparation is not measured.
    """

    name: str
    start: Callable[[Lists, int], Sender]
    near: int
    far: int = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A target: the ratio of one contender's messages per second to another's."""

    ours: Contender
    other: Contender
    must: float
    aim: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A server at some distance, the contenders that send to it, and the targets."""

    title: str
    open: Callable[[], AbstractContextManager[int]]
    contenders: tuple[Contender, ...]
    aims: tuple[Aim, ...]
    far: bool = False
    ca_file: str | None = None


def _ours(
    name: str, near: int, far: int, *, choices: int = 1, pace: Pace = Pace.CHUNKING, in_flight: int = 8
) -> Contender:
    def start(lists: Lists, messages: int) -> Sender:
        return endtoend.ours(lists.copy(messages, choices), pace=pace, in_flight=in_flight)

    return Contender(name=name, start=start, near=near, far=far)


def _ready_made(name: str, sender: Sender, near: int) -> Contender:
    return Contender(name=name, start=lambda _lists, _messages: sender, near=near)


PIPELINING = _ours("ours, PIPELINING", 50_000, 1_000, pace=Pace.PIPELINING)
CHUNKING = _ours("ours, CHUNKING 8", 200_000, 8_000)
CHUNKING_16 = _ours("ours, CHUNKING 16", 100_000, 16_000, in_flight=16)
ONE_CHOICE = _ours("ours, 1 topic choice", 100_000, 0)
MANY_CHOICES = _ours("ours, 1,000 topic choices", 100_000, 0, choices=1_000)
SMTP_SOURCE = _ready_made("smtp-source", senders.smtp_source, 50_000)
AIOSMTPLIB = _ready_made("aiosmtplib, ready-made bytes", senders.aiosmtplib, 2_500)
SMTPLIB = _ready_made("smtplib, ready-made bytes", senders.stdlib, 2_500)


def scenes(folder: Path) -> tuple[Scene, ...]:
    """Return every scene; the programs it needs are built in `folder`."""
    program, chain = sinks.build(folder), sinks.certificate(folder)
    per_reader = PerReader()
    built = _ready_made("aiosmtplib, built per reader", per_reader.aiosmtplib, 400)
    built_plainly = _ready_made("smtplib, built per reader", per_reader.smtplib, 400)

    def fast(chain: Path | None = None, round_trip: float = 0.0) -> AbstractContextManager[int]:
        return _at(sinks.fast_sink(program, chain), round_trip)

    return (
        Scene(
            title="smtp-sink",
            open=lambda: _at(sinks.postfix_sink()),
            contenders=(PIPELINING, SMTP_SOURCE, AIOSMTPLIB, SMTPLIB),
            aims=(
                Aim(ours=PIPELINING, other=SMTP_SOURCE, must=1.0, aim=1.15),
                Aim(ours=PIPELINING, other=AIOSMTPLIB, must=3, aim=5),
            ),
        ),
        Scene(
            title="fast sink",
            open=fast,
            contenders=(PIPELINING, CHUNKING, SMTP_SOURCE, AIOSMTPLIB, SMTPLIB, built, built_plainly),
            aims=(
                Aim(ours=CHUNKING, other=SMTP_SOURCE, must=1.25, aim=2),
                Aim(ours=CHUNKING, other=AIOSMTPLIB, must=15, aim=30),
                Aim(ours=CHUNKING, other=built, must=100, aim=200),
            ),
        ),
        Scene(
            title="fast sink, TLS",
            open=lambda: fast(chain),
            contenders=(PIPELINING, CHUNKING, AIOSMTPLIB, SMTPLIB),
            aims=(Aim(ours=CHUNKING, other=AIOSMTPLIB, must=10, aim=20),),
            ca_file=str(chain),
        ),
        Scene(
            title="fast sink, 40 ms",
            open=lambda: fast(round_trip=0.040),
            contenders=(PIPELINING, CHUNKING, CHUNKING_16, SMTP_SOURCE, AIOSMTPLIB, SMTPLIB),
            aims=(
                Aim(ours=PIPELINING, other=AIOSMTPLIB, must=3.8, aim=4),
                Aim(ours=CHUNKING, other=AIOSMTPLIB, must=25, aim=31),
                Aim(ours=CHUNKING_16, other=AIOSMTPLIB, must=45, aim=60),
            ),
            far=True,
        ),
        Scene(
            title="fast sink, topics",
            open=fast,
            contenders=(ONE_CHOICE, MANY_CHOICES),
            aims=(Aim(ours=MANY_CHOICES, other=ONE_CHOICE, must=0.9, aim=0.97),),
        ),
    )


@contextmanager
def _at(server: AbstractContextManager[sinks.Sink], round_trip: float = 0.0) -> Iterator[int]:
    with server as sink:
        if round_trip:
            with sinks.delayed(sink.port, round_trip) as port:
                yield port
        else:
            yield sink.port
