"""A node: one process that does jobs, says so with each beat, and ends itself if it has become deaf."""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from threading import Event
from time import monotonic

from digest.app import App
from digest.engine import jobs as engine_jobs
from digest.engine.decisions import Sign, Watchdog
from digest.engine.supervisor import DEAF
from digest.engine.worker import Terms, Worker
from digest.model.errors import OutageError
from digest.model.nodes import BEAT, WRONG_CLOCK, Node, version_order
from digest.model.run_context import RunContext, RunEvent, utc_now
from digest.monitoring.nodes import forget_ended
from digest.scheduler.jobs import Jobs
from digest.scheduler.reconcile import reconcile
from digest.storage.database import Connection
from digest.storage.ledger.senders import date_back_moves
from digest.storage.nodes import beat, is_watched, leave, newest_version, take_watch
from digest.storage.owner import note_end, own_name

log = logging.getLogger(__name__)

_TICK = 0.5  # seconds between two looks
_DRAIN = 40.0  # seconds for the lines to end after a stop; a sender waits 30 for answers
_RATE_BEATS = 4  # beats over which the rate is measured


def work(
    app: App,
    terms: Terms,
    stop: Event,
    *,
    clock: Callable[[], datetime] = utc_now,
    is_orphan: Callable[[], bool] = lambda: False,
) -> int:
    """Do jobs until `stop` is set, and return the exit code: 0, or DEAF if the worker must be started again.

    After a stop, messages in flight are finished, and the rest of each slice is left to others. It is a stop,
    too, if `is_orphan` says that the supervisor is gone. `clock` is for the verbs; beats use the machine's.
    """
    node = _Node(app=app, terms=terms, stop=stop, clock=clock)
    node.start()
    while not node.is_deaf and not stop.wait(_TICK):
        if is_orphan():
            log.error("the supervisor is gone; the node ends")
            stop.set()
        node.tick()
    return node.end()


@dataclass(slots=True, kw_only=True)
class _Node:
    app: App
    terms: Terms
    stop: Event
    clock: Callable[[], datetime]
    id: str = field(default_factory=own_name)
    is_deaf: bool = False
    _jobs: Jobs = field(init=False)
    _worker: Worker | None = None  # before the first beat: its clock or its version may be wrong
    _watchdog: Watchdog = field(default_factory=Watchdog)
    _unended: frozenset[int] = frozenset()  # jobs that the engine takes for running, and that no line does
    _note: str = ""
    _has_beaten: bool = False
    _beat_at: float = -1e9  # on the clock that never goes back
    _rates: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_RATE_BEATS))
    _started_at: datetime = field(default_factory=utc_now)

    def __post_init__(self) -> None:
        context = RunContext(clock=self.clock, stop=lambda: self.stop.is_set() or self.is_deaf, report=_log)
        self._jobs = Jobs(app=self.app, context=context, lines=self.terms.lines)

    def start(self) -> None:
        log.info("node %s does jobs of %s with %d lines", self.id, _listed(self.terms), self.terms.lines)
        self.tick()

    def _start_worker(self) -> None:
        self._worker = Worker(self.app.database.connect_args(), self._jobs.do, self.terms)
        self._watchdog = Watchdog()
        self._worker.start()

    def tick(self) -> None:
        """Do what is to be done about twice a second; an outage of the database ends nothing."""
        try:
            if monotonic() - self._beat_at >= BEAT.total_seconds():
                self._beat_at = monotonic()
                self._beat()
            self._look_after_ledger()
        except OutageError as error:
            self.app.database.note_outage(error)
        except Exception:  # the lines of this node are sending, and must not be ended by a mistake here
            log.exception("a beat has failed; the next one is tried")
        self._follow_note()

    def _beat(self) -> None:
        with self.app.database.write() as connection:
            ahead = beat(connection, self._described())
            forget_ended(connection)
            newest = newest_version(connection)
            sign, unended = self._sign(connection)
            engine_jobs.remove(connection, unended & self._unended)
        self._unended = unended
        note = _note(ahead >= WRONG_CLOCK or -ahead >= WRONG_CLOCK, newest)
        if note and note != self._note:
            log.warning("%s", note)
        self._note, self._has_beaten = note, True
        if sign:
            self._watchdog = self._watchdog.after(sign)
            self.is_deaf = bool(self._watchdog.verdict)
            if self.is_deaf:
                log.error("the worker is deaf: %s; it is started again", self._watchdog.verdict)

    def _sign(self, connection: Connection) -> tuple[Sign | None, frozenset[int]]:
        worker = self._worker
        if worker is None or worker.id is None or not worker.is_alive or self._note:
            return None, frozenset()
        heartbeat_at = engine_jobs.heartbeat_of(connection, worker.id)
        has_room = len(worker.running) < self.terms.lines
        waits = has_room and engine_jobs.waits(connection, self.terms.queues)
        unended = engine_jobs.doing(connection, worker.id) - worker.running
        return Sign(heartbeat_at=heartbeat_at, fetched=worker.fetched, is_idle=waits), unended

    def _look_after_ledger(self) -> None:
        if self._note:
            return  # its clock may be behind, and it would not see what has become due
        with self.app.database.write() as connection:
            watches = take_watch(connection, self.id)
            if watches:
                engine_jobs.remove_dead(connection)
                date_back_moves(connection)
        if watches:
            with self.app.database.read() as connection:
                watches = is_watched(connection)
        reconcile(self.app, self.clock(), watches=watches)

    def _follow_note(self) -> None:
        """Take no more jobs while there is a note; what the lines have begun is finished."""
        worker = self._worker
        if worker and not worker.is_alive and not worker.is_stopped:
            log.error("the worker has ended by itself; the node is started again")
            self.is_deaf = True
        elif worker and worker.is_alive:
            if self._note:
                worker.stop()
        elif self._has_beaten and not self._note and not self.stop.is_set():
            self._start_worker()

    def _described(self) -> Node:
        self._rates.append((monotonic(), self._jobs.handled.count))
        (then, before), (now, count) = self._rates[0], self._rates[-1]
        return Node(
            id=self.id,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=_own_version(),
            queues=tuple(self.terms.queues),
            lines=self.terms.lines,
            started_at=self._started_at,
            beat_at=utc_now(),
            work=self._worker.work if self._worker else (),
            sent=count,
            rate=(count - before) / (now - then) if now > then else 0.0,
            note=self._note,
        )

    def end(self) -> int:
        """Finish what is in flight, and say good-bye."""
        if self._worker and not self._worker.end(_DRAIN):
            log.error("some lines have not ended; their slices are taken by others")
        try:
            with self.app.database.write() as connection:
                leave(connection, self.id)
        except OutageError as error:
            self.app.database.note_outage(error)
        note_end(self.id)
        log.info("node %s has ended", self.id)
        return DEAF if self.is_deaf else 0


def _note(has_wrong_clock: bool, newest: str) -> str:
    """Return one sentence that says why a node takes no more jobs; empty if it takes them."""
    own = _own_version()
    if newest and version_order(newest) > version_order(own):
        return f"This node has version {own} and another has {newest}, so it takes no more jobs: update it."
    if has_wrong_clock:
        return "The clock of this machine differs from the database's by a minute or more: set it."
    return ""


def _own_version() -> str:
    return version("newsletter-digest")


def _log(event: RunEvent) -> None:
    log.log(logging.ERROR if event.kind.needs_somebody else logging.INFO, "%s", event)


def _listed(terms: Terms) -> str:
    return ", ".join(terms.queues)
