"""Run tasks after the answer has been sent: a bounded queue, one thread, and retries for emails."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from threading import Condition, Thread
from time import monotonic

from digest.model.errors import DigestError
from digest.model.messages import Message, Outcome, Transport
from digest.send.send import send_one

log = logging.getLogger(__name__)

BackgroundTask = Callable[[], Sequence[Message]]

_PAUSES = (15.0, 60.0, 300.0)  # seconds before each retry of an email that could not be handed over
_REST = 0.2  # seconds; the answer is out by then, so its timing reveals nothing about the task
_AGAIN = (Outcome.DEFERRED, Outcome.UNSENT)


@dataclass(order=True, slots=True)
class _Task:
    at: float
    number: int
    work: BackgroundTask = field(compare=False)
    tries: int = field(default=0, compare=False)


class BackgroundTasks:
    """A queue of tasks that run after the answers; each task returns the messages to send.

    A task runs once; only its messages are retried. Waiting tasks are lost when the process is killed, and
    their readers have to ask again.
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
        self._thread = Thread(target=self._run, name="background-tasks", daemon=True)
        self._thread.start()

    def take(self, task: BackgroundTask) -> bool:
        """Queue a task. Return False when too many tasks wait or the queue is closed."""
        with self._changed:
            if self._closing or len(self._tasks) >= self._most:
                return False
            self._add(_Task(monotonic() + self._rest, next(self._numbers), task))
            return True

    def settle(self) -> None:
        """Run all waiting tasks now and wait until they are done. Retries may still be waiting."""
        with self._changed:
            self._hurry()
            self._changed.wait_for(lambda: not self._busy and not self._due())

    def close(self) -> None:
        """Finish all waiting tasks except retries, and accept no more."""
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
        unsent: list[Message] = []
        try:
            for message in task.work():
                if self._is_settled(message):
                    continue
                unsent.append(message)
        except Exception as error:
            # Only the kind is logged, because the text may contain an address.
            log.error("a background task failed: %s", type(error).__name__)
        if unsent and task.tries < len(_PAUSES):
            at = monotonic() + _PAUSES[task.tries]
            with self._changed:
                self._add(_Task(at, next(self._numbers), lambda: unsent, task.tries + 1))
        elif unsent:
            log.error("%d emails could not be handed over; giving up", len(unsent))

    def _is_settled(self, message: Message) -> bool:
        try:
            receipt = send_one(self._transport(), message)
        except DigestError as error:
            log.error("an email could not be handed over: %s", type(error).__name__)
            return False
        if receipt.outcome is Outcome.REJECTED:
            log.warning("an email to a reader was refused with code %s", receipt.code)
        return receipt.outcome not in _AGAIN
