"""Compare our SMTP client with other senders, in one run: `python -m benchmarks.wire`.

The messages are ready-made: the ledger, the database and the filling of fields are not measured. Rounds
alternate between the senders, and a ratio is the median of the ratios of all rounds, because absolute rates
vary threefold on shared machines. smtp-source does not pipeline; a C client that does would be level with
ours on DATA and faster on BDAT.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import senders, sinks
from benchmarks.senders import Run, Sender, Task
from digest.smtp.terms import Pace


@dataclass(frozen=True, slots=True)
class Contender:
    """A sender, and the number of messages for a run of about a second: to a near server, and 40 ms away."""

    name: str
    sender: Sender
    near: int
    far: int


PIPELINING = Contender("ours, PIPELINING", senders.ours(Pace.PIPELINING), 30_000, 1_000)
CHUNKING = Contender("ours, CHUNKING 8", senders.ours(in_flight=8), 60_000, 8_000)
CHUNKING_16 = Contender("ours, CHUNKING 16", senders.ours(in_flight=16), 60_000, 16_000)
SMTP_SOURCE = Contender("smtp-source", senders.smtp_source, 30_000, 250)
AIOSMTPLIB = Contender("aiosmtplib", senders.aiosmtplib, 3_000, 250)
SMTPLIB = Contender("smtplib", senders.stdlib, 3_000, 250)


@dataclass(frozen=True, slots=True)
class Scene:
    """A server at some distance, and the contenders that send to it."""

    title: str
    open: Callable[[], AbstractContextManager[int]]
    contenders: tuple[Contender, ...]
    far: bool = False
    ca_file: str | None = None


def scenes(folder: Path) -> tuple[Scene, ...]:
    """Return every scene; the programs it needs are built in `folder`."""
    program, chain = sinks.build(folder), sinks.certificate(folder)
    others = (SMTP_SOURCE, AIOSMTPLIB, SMTPLIB)

    def fast(chain: Path | None = None) -> AbstractContextManager[sinks.Sink]:
        return sinks.fast_sink(program, chain)

    return (
        Scene("smtp-sink, 0 ms", lambda: _near(sinks.postfix_sink()), (PIPELINING, *others)),
        Scene("fast sink, 0 ms", lambda: _near(fast()), (PIPELINING, CHUNKING, *others)),
        Scene(
            "fast sink, TLS, 0 ms",
            lambda: _near(fast(chain)),
            (PIPELINING, CHUNKING, AIOSMTPLIB, SMTPLIB),
            ca_file=str(chain),
        ),
        Scene(
            "fast sink, 40 ms", lambda: _far(fast()), (PIPELINING, CHUNKING, CHUNKING_16, *others), far=True
        ),
    )


@contextmanager
def _near(server: AbstractContextManager[sinks.Sink]) -> Iterator[int]:
    with server as sink:
        yield sink.port


@contextmanager
def _far(server: AbstractContextManager[sinks.Sink]) -> Iterator[int]:
    with server as sink, sinks.delayed(sink.port, 0.040) as port:
        yield port


def play(scene: Scene, rounds: int, scale: float) -> dict[str, list[Run]]:
    """Run all contenders of a scene in turn, each against a new server."""
    present = [one for one in scene.contenders if one is not AIOSMTPLIB or _has_aiosmtplib()]
    runs: dict[str, list[Run]] = {contender.name: [] for contender in present}
    for _ in range(rounds):
        for contender in present:
            messages = max(20, int((contender.far if scene.far else contender.near) * scale))
            with scene.open() as port:
                task = Task(port=port, messages=messages, ca_file=scene.ca_file)
                runs[contender.name].append(senders.measure(contender.sender, task))
    return runs


def show(scene: Scene, runs: dict[str, list[Run]]) -> None:
    """Print the medians of one scene, and the ratios of our sender to the others."""
    print(f"\n{scene.title:<22}{'messages/s':>12}{'CPU µs each':>13}   median of paired ratios")
    for name, mine in runs.items():
        rate = statistics.median(run.rate for run in mine)
        cpu = statistics.median(run.cpu for run in mine)
        against = [other for other in runs if name.startswith("ours") and not other.startswith("ours")]
        ratios = ", ".join(f"{_ratio(mine, runs[other]):.2f} × {other}" for other in against)
        print(f"{name:<22}{rate:>12,.0f}{cpu:>13.1f}   {ratios}", flush=True)


def _ratio(mine: list[Run], theirs: list[Run]) -> float:
    return statistics.median(a.rate / b.rate for a, b in zip(mine, theirs, strict=True))


def _has_aiosmtplib() -> bool:
    return importlib.util.find_spec("aiosmtplib") is not None


def machine() -> str:
    """Describe the machine and the versions that the figures depend on."""
    postfix = subprocess.run(
        ["/usr/sbin/postconf", "-dh", "mail_version"], capture_output=True, text=True, check=False
    ).stdout.strip()
    try:
        other = importlib.metadata.version("aiosmtplib")
    except importlib.metadata.PackageNotFoundError:
        other = "not installed (pip install newsletter-digest[bench])"
    return (
        f"Python {platform.python_version()}, Postfix {postfix}, aiosmtplib {other}; "
        f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores; "
        "25 KB messages, 10 connections"
    )


def main() -> None:
    """Play every scene and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="longer or shorter runs (default 1)")
    parser.add_argument("--only", default="", help="scenes whose title contains this")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        for scene in scenes(Path(folder)):
            if options.only in scene.title:
                show(scene, play(scene, options.rounds, options.scale))


if __name__ == "__main__":
    main()
