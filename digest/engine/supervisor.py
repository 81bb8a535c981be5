"""Start a process again whenever it ends, until this one is stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from threading import Event
from time import monotonic

log = logging.getLogger(__name__)

DEAF = 70  # the exit code of a worker that must be started again (EX_SOFTWARE)
_LOOK = 0.2  # seconds between two looks at the process
_HEALTHY = 60.0  # seconds; a process that lived so long is started again at once
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 5.0  # seconds


def supervise(start: Callable[[], BaseProcess], stop: Event, hung_up: Callable[[], bool]) -> int:
    """Keep a process running until `stop` is set; return the exit code of the last one.

    A process that lived for a minute is started again at once, and another after a pause that grows. When
    `hung_up` says so, the process is stopped in order, and the next one reads the configuration.
    """
    pause = 0.0
    while True:
        process, began = start(), monotonic()
        asked = _wait(process, stop, hung_up)
        code = _end(process) if asked else (process.exitcode or 0)
        if stop.is_set():
            return code
        lived = monotonic() - began
        pause = 0.0 if asked or lived > _HEALTHY else _next(pause)
        if not asked:
            log.error("the worker ended with %d; it is started again in %.0f s", code, pause)
        stop.wait(pause)


def _wait(process: BaseProcess, stop: Event, hung_up: Callable[[], bool]) -> bool:
    """Wait until the process ends, which returns False, or until it should be stopped."""
    while process.is_alive():
        if stop.wait(_LOOK) or hung_up():
            return True
    process.join()
    return stop.is_set()


def _end(process: BaseProcess) -> int:
    process.terminate()
    process.join()
    return process.exitcode or 0


def _next(pause: float) -> float:
    return min(2 * pause or _FIRST_PAUSE, _LONGEST_PAUSE)
