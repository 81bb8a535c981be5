"""Do behind the answer what must not show in it: a bounded queue, one thread, mails tried again."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from threading import Condition, Thread
from time import monotonic

from digest.errors import DigestError
from digest.model import Letter, Outcome, Transport
from digest.send.send import send_one

log = logging.getLogger(__name__)

Errand = Callable[[], Sequence[Letter]]

_PAUSES = (15.0, 60.0, 300.0)  # seconds before a mail that could not be handed over is tried again
_REST = 0.2  # seconds: by then the answer is out, and how long it takes tells nothing of what is done
_AGAIN = (Outcome.DEFERRED, Outcome.UNSENT)


@dataclass(order=True, slots=True)
class _Task:
    at: float
    number: int
    work: Errand = field(compare=False)
    tries: int = field(default=0, compare=False)


class Errands:
    """A queue of what is to be done behind the answers, each giving letters to be mailed.

    Only the first try of an errand decides anything; what is tried again is the mail alone. What waits
    when the process is killed is lost, and whoever asked for it asks again.
    """

    def __init__(self, transport: Callable[[], Transport], *, most: int = 1_000, rest: float = _REST) -> None:
        self._transport = transport
        self._rest = rest
        self._most = most
        self._tasks: list[_Task] = []
        self._numbers = count()
        self._busy = False
        self._closing = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="errands", daemon=True)
        self._thread.start()

    def take(self, errand: Errand) -> bool:
        """Accept an errand, or say False at once when too many wait."""
        with self._changed:
            if self._closing or len(self._tasks) >= self._most:
                return False
            self._add(_Task(monotonic() + self._rest, next(self._numbers), errand))
            return True

    def settle(self) -> None:
        """Do at once what waits, and wait until it is done (what is to be tried again may still wait)."""
        with self._changed:
            self._hurry()
            self._changed.wait_for(lambda: not self._busy and not self._due())

    def close(self) -> None:
        """Finish what waits but for what is to be tried again, and take nothing more."""
        with self._changed:
            self._closing = True
            self._hurry()
        self._thread.join()

    def _add(self, task: _Task) -> None:
        heapq.heappush(self._tasks, task)
        self._changed.notify_all()

    def _hurry(self) -> None:
        for task in self._tasks:
            if not task.tries:
                task.at = 0.0
        heapq.heapify(self._tasks)
        self._changed.notify_all()

    def _due(self) -> bool:
        return bool(self._tasks) and self._tasks[0].at <= monotonic()

    def _run(self) -> None:
        while (task := self._next()) is not None:
            self._do(task)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _next(self) -> _Task | None:
        with self._changed:
            while not self._due():
                if self._closing:
                    return None
                self._changed.wait(self._tasks[0].at - monotonic() if self._tasks else None)
            self._busy = True
            return heapq.heappop(self._tasks)

    def _do(self, task: _Task) -> None:
        left: list[Letter] = []
        try:
            for letter in task.work():
                if self._mailed(letter):
                    continue
                left.append(letter)
        except Exception as error:
            # The kind alone: the text may hold an address.
            log.error("an errand failed: %s", type(error).__name__)
        if left and task.tries < len(_PAUSES):
            at = monotonic() + _PAUSES[task.tries]
            with self._changed:
                self._add(_Task(at, next(self._numbers), lambda: left, task.tries + 1))
        elif left:
            log.error("%d mails could not be handed over, and are given up", len(left))

    def _mailed(self, letter: Letter) -> bool:
        try:
            receipt = send_one(self._transport(), letter)
        except DigestError as error:
            log.error("a mail waits: %s", type(error).__name__)
            return False
        if receipt.outcome is Outcome.REJECTED:
            log.warning("a mail to a reader was refused with code %s", receipt.code)
        return receipt.outcome not in _AGAIN
