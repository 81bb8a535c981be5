"""Wait for processes that tests have started."""

from __future__ import annotations

from subprocess import Popen, TimeoutExpired
from typing import AnyStr


def ended(process: Popen[AnyStr], seconds: float) -> bool:
    """Wait so many seconds at most for the end of a process, and tell whether it has ended.

    A test that waits for something else may call this again and again: unlike a loop that only looks, it
    leaves the processor to the processes.
    """
    try:
        process.wait(seconds)
    except TimeoutExpired:
        return False
    return True
