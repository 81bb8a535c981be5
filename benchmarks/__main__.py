"""Compare our whole sender with other senders, in one run: `python -m benchmarks`.

Our sender does everything: it claims, personalises, sends, and records every answer in SQLite with
synchronous=FULL. The others only send. Rounds alternate between the senders, and a ratio is the median of the
ratios of all rounds, because absolute rates vary threefold on shared machines. docs/benchmarks.md explains
the figures.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import publisher, senders, sinks
from benchmarks import rate as rates
from benchmarks.endtoend import Lists
from benchmarks.figures import Aim, Contender, Scene, scenes
from benchmarks.senders import Run, Task
from benchmarks.wire import machine

SIZE = 26_030  # bytes of our message; the other senders use messages of the same size
_CPU_MUST, _CPU_AIM = 40, 25  # microseconds for each message

Runs = dict[Contender, list[Run]]


def play(scene: Scene, lists: Lists, rounds: int, scale: float) -> Runs:
    """Run all contenders of a scene in turn, each against a new server."""
    runs: Runs = {contender: [] for contender in scene.contenders}
    for _ in range(rounds):
        for contender in scene.contenders:
            messages = max(20, int((contender.far if scene.far else contender.near) * scale))
            sender = contender.start(lists, messages)
            with scene.open() as port:
                task = Task(port=port, messages=messages, size=SIZE, ca_file=scene.ca_file)
                runs[contender].append(senders.measure_alone(sender, task, load))
    return runs


def load() -> None:
    """Import and load everything that a program loads once, before it sends."""
    senders.load()
    publisher.load()


def show(scene: Scene, runs: Runs) -> None:
    """Print the medians of one scene."""
    for contender, mine in runs.items():
        rate, cpu = (statistics.median(getattr(run, name) for run in mine) for name in ("rate", "cpu"))
        print(f"{scene.title:<18} {contender.name:<30} {rate:>9,.0f} {cpu:>11,.1f}", flush=True)


def judge(scene: Scene, runs: Runs) -> list[str]:
    """Return a line for each target: what was measured, and whether the target is met."""
    lines = [_ratio_line(scene, aim, runs) for aim in scene.aims]
    if scene.title == "fast sink":
        for contender in (one for one in runs if one.name.startswith("ours")):
            cpu = statistics.median(run.cpu for run in runs[contender])
            lines.append(_line(f"{contender.name}: CPU µs a message", cpu, _CPU_MUST, _CPU_AIM, less=True))
    return lines


def _ratio_line(scene: Scene, aim: Aim, runs: Runs) -> str:
    pairs = zip(runs[aim.ours], runs[aim.other], strict=True)
    ratio = statistics.median(mine.rate / theirs.rate for mine, theirs in pairs)
    what = f"{scene.title}: {aim.ours.name} / {aim.other.name}"
    return _line(what, ratio, aim.must, aim.aim)


def _line(what: str, value: float, must: float, aim: float, *, less: bool = False) -> str:
    def met(limit: float) -> bool:
        return value <= limit if less else value >= limit

    verdict = "aim met" if met(aim) else "must met" if met(must) else "MISSED"
    return f"{what:<72} {value:>8.2f} {must:>7g} {aim:>7g}  {verdict}"


def million(folder: Path, lists: Lists) -> list[str]:
    """Send to ten thousand and to a million readers, each list in a process of its own."""
    program = sinks.build(folder)
    lines = []
    for readers in (10_000, 1_000_000):
        path = lists.copy(readers)
        with sinks.fast_sink(program) as sink:
            command = [sys.executable, "-m", "benchmarks.endtoend", path, sink.port, readers]
            done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True)
        seconds, cpu, peak = map(float, done.stdout.split())
        print(f"{'fast sink':<18} {f'ours, {readers:,} readers':<30} {readers / seconds:>9,.0f}", end=" ")
        print(f"{cpu / readers * 1e6:>11,.1f}   peak of memory {peak / 1024:,.0f} MB", flush=True)
        if readers == 1_000_000:
            lines.append(_line("a million readers: seconds", seconds, 60, 30, less=True))
            lines.append(_line("a million readers: MB of memory at the most", peak / 1024, 64, 64, less=True))
    return lines


def minute(folder: Path) -> list[str]:
    """Measure a limit of a hundred per second for a minute, with one process and with three."""
    lines = []
    for processes in (1, 3):
        rate, _ = rates.measure(folder, processes, 100, 60)
        what = f"100 a second for a minute, {processes} at work: % off"
        lines.append(_line(what, abs(rate - 100), 3, 1, less=True))
    return lines


def main() -> None:
    """Play every scene; print the figures, then the targets."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="longer or shorter runs (default 1)")
    parser.add_argument("--only", default="", help="scenes whose title contains this")
    parser.add_argument("--million", action="store_true", help="also send to a million readers")
    parser.add_argument("--minute", action="store_true", help="also measure a limit for a minute")
    options = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}: {machine()}\n")
    print(f"{'server':<18} {'sender':<29} {'messages/s':>10} {'CPU µs each':>11}")
    verdicts = []
    with tempfile.TemporaryDirectory() as folder:
        lists = Lists(Path(folder))
        for scene in scenes(Path(folder)):
            if options.only in scene.title:
                runs = play(scene, lists, options.rounds, options.scale)
                show(scene, runs)
                verdicts += judge(scene, runs)
        if options.million:
            verdicts += million(Path(folder), lists)
        if options.minute:
            verdicts += minute(Path(folder))
    print(f"\n{'what is asked for; ratios are medians of pairs':<72} {'measured':>8} {'must':>7} {'aim':>7}")
    print(*verdicts, sep="\n")


if __name__ == "__main__":
    main()
