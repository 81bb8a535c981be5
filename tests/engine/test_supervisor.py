from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event

from digest.engine.supervisor import DEAF, supervise

CONTEXT = get_context("fork")


def starting(*works: Callable[[], None]) -> tuple[Callable[[], BaseProcess], list[BaseProcess]]:
    """Return a function that starts a process for each of these works, in turn, and the processes."""
    left, started = list(works), list[BaseProcess]()

    def start() -> BaseProcess:
        process = CONTEXT.Process(target=left.pop(0))
        process.start()
        started.append(process)
        return process

    return start, started


def deaf() -> None:
    os._exit(DEAF)


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at_work() -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    time.sleep(60)


class Soon(Event):
    """An event that sets itself when it has been asked so many times about a process that works."""

    def __init__(self, started: list[BaseProcess], last: int) -> None:
        super().__init__()
        self._started, self._last = started, last
        self.pauses: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout)
        if len(self._started) >= self._last and _has_handler(self._started[-1]):
            self.set()
        return super().wait(0)


def test_a_worker_that_is_deaf_or_killed_is_started_again() -> None:
    start, started = starting(deaf, killed, at_work)
    stop = Soon(started, last=3)
    assert supervise(start, stop, lambda: False) == 0
    assert [process.exitcode for process in started] == [DEAF, -signal.SIGKILL, 0]


def test_a_worker_that_ends_again_and_again_is_started_after_growing_pauses() -> None:
    start, started = starting(killed, killed, killed, at_work)
    stop = Soon(started, last=4)
    supervise(start, stop, lambda: False)
    assert [pause for pause in stop.pauses if pause in (1.0, 2.0, 4.0)] == [1.0, 2.0, 4.0]


def test_after_a_hangup_the_worker_is_stopped_in_order_and_another_is_started() -> None:
    start, started = starting(at_work, at_work)
    stop, hangups = Soon(started, last=2), [True]

    def hung_up() -> bool:
        return bool(hangups and len(started) == 1 and _has_handler(started[0]) and hangups.pop())

    assert supervise(start, stop, hung_up) == 0
    assert [process.exitcode for process in started] == [0, 0]


def _has_handler(process: BaseProcess) -> bool:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
