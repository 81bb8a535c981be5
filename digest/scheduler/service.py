"""Run the verbs every few seconds; APScheduler knows no due times, it only triggers the work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from threading import Event, Thread

from apscheduler.schedulers.background import BackgroundScheduler

from digest.app import App
from digest.editions.feeds import collect_due, collect_pushed
from digest.editions.preflight import check_ahead
from digest.editions.schedules import begin_digests
from digest.inbound.inbox import receive_all
from digest.model.errors import DigestError, OutageError
from digest.model.run_context import RunContext, RunEvent, utc_now
from digest.readers.notices import send_notices
from digest.scheduler.composing import compose_due, gather_due
from digest.scheduler.firing import (
    fire_clean,
    fire_collect,
    fire_compose,
    fire_gather,
    fire_receive,
    fire_send,
)
from digest.scheduler.reporting import Reporter
from digest.scheduler.run import clean_up, release_and_report, tell_staff
from digest.scheduler.sending import send_due
from digest.sources.hubs import Hubs, ask_hubs

log = logging.getLogger(__name__)

_PAUSE = 60.0  # seconds after a failure, before the same work is tried again
_WAIT = 1.0  # seconds
_THREADS = 200  # at most; one is started only when it is needed, and each digest may need one

_Jobs = dict[str, tuple[Callable[[], object], float]]  # by name: the work, and the interval in seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How often to look, in seconds."""

    collect: float = 60
    pushes: float = 3  # of hubs; another process may have recorded them
    ask_hubs: float = 60
    compose: float = 5
    send: float = 5
    notices: float = 5  # besides those that the bell announces
    staff: float = 5  # to find what the staff should be told
    receive: float = 60  # from the mailbox
    check_links: float = 60  # of editions that are to be sent within a day
    clean_up: float = 600  # of expired sign-ups, old counts of the limits, old answers and unused pictures


@dataclass(slots=True, kw_only=True)
class Service:
    """Does what is due until `stop` is set.

    Each event is logged and given to `report`, which several threads may call. Notices are also sent when
    `bell` rings. If `serves_pages`, hubs are asked to tell of new posts; the pages themselves are served by
    the caller. About once a second, `reloaded` is given the app in use, and returns the next one if there is
    one.
    """

    app: App  # the one in use
    stop: Event
    intervals: Intervals = field(default_factory=Intervals)
    clock: Callable[[], datetime] = utc_now
    report: Callable[[RunEvent], None] = lambda _: None
    bell: Event = field(default_factory=Event)
    serves_pages: bool = False
    reloaded: Callable[[App], App | None] = lambda _: None
    _context: RunContext = field(init=False)
    _busy: _Busy = field(init=False)
    _scheduler: BackgroundScheduler = field(init=False)

    def __post_init__(self) -> None:
        reporter = Reporter(self.report)
        self._context = RunContext(
            clock=self.clock, stop=self.stop.is_set, report=reporter.event, feed=reporter.feed
        )
        self._busy = _Busy()
        pool = {"type": "threadpool", "max_workers": _THREADS}
        self._scheduler = BackgroundScheduler(timezone="UTC", executors={"default": pool})

    def run(self) -> None:
        """Do what is due until `stop` is set; then finish the messages in flight, and return.

        Collecting, composing and the sending of each digest are triggered separately, so that a slow feed or
        a large edition delays nothing else. A trigger is dropped while the same work is still running. With
        an engine, the firings store jobs for the nodes, which collect, compose, send, receive and clean up.
        """
        self._begin()
        self._schedule()
        ringing = Thread(target=self._send_notices, daemon=True)
        self._scheduler.start()
        ringing.start()
        log.info("serving %s; stop with SIGTERM or Ctrl-C", _slugs(self.app))
        self._follow_reloads()
        log.info("stopping; messages in flight are finished first")
        self.bell.set()
        ringing.join()
        self._scheduler.shutdown(wait=True)
        log.info("stopped")

    def _begin(self) -> None:
        release_and_report(self.app, self._context)
        for event in begin_digests(self.app.database, self.app.config, self.clock()):
            self._context.report(event)

    def _follow_reloads(self) -> None:
        """Use the next app whenever there is one; work that is under way goes on with the one before.

        Jobs run at once if the clock was put back.
        """
        begun, looked_at = True, datetime.now(UTC)
        while not self.stop.wait(_WAIT):  # without a time limit, a signal just before would be missed
            before, looked_at = looked_at, datetime.now(UTC)
            if looked_at < before:
                self._schedule()  # APScheduler would wait until the time that each job was to run at
            if changed := self.reloaded(self.app):
                self.app, begun = changed, False
                self._schedule()
                log.info("reloaded %s: serving %s", changed.config.path, _slugs(changed))
            begun = begun or self._has_begun()

    def _has_begun(self) -> bool:
        """Begin after a reload; False if the database is away."""
        try:
            self._begin()
        except OutageError as error:
            self.app.database.note_outage(error)
            return False
        return True

    def _send_notices(self) -> None:
        """Send notices when the bell rings, and at each interval."""
        send = self._guarded("send notices", lambda: send_notices(self.app, self._context))
        while not self.stop.is_set():
            self.bell.clear()
            send()
            self.bell.wait(self.intervals.notices)

    def _guarded(self, name: str, work: Callable[[], object]) -> _Guarded:
        return _Guarded(name, work, self.stop, self.app.database.note_outage)

    # ── jobs ────────────────────────────────────────────────────────────────────────────────

    def _schedule(self) -> None:
        """Add the jobs of the app, or replace those with the same names, and remove all others.

        A job that is running now is not interrupted, and its name is not triggered again before it ends.
        """
        jobs = self._jobs()
        for job in self._scheduler.get_jobs():
            if job.id not in jobs:
                job.remove()
        for name, (work, seconds) in jobs.items():
            self._scheduler.add_job(
                self._guarded(name, work),
                "interval",
                seconds=seconds,
                id=name,
                replace_existing=True,
                next_run_time=datetime.now(UTC),  # immediately, and then at each interval
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,  # on a busy machine, a late run is better than none
            )

    def _jobs(self) -> _Jobs:
        app, context, intervals = self.app, self._context, self.intervals
        jobs: _Jobs = {
            "check links": (partial(check_ahead, app, context), intervals.check_links),
            "tell the staff": (partial(tell_staff, app, context), intervals.staff),
        }
        if self.serves_pages:
            jobs["ask hubs"] = partial(_ask_hubs, app, context), intervals.ask_hubs
        return jobs | (self._for_nodes() if app.config.has_engine else self._here())

    def _here(self) -> _Jobs:
        """Return the work as calls of the verbs in this process."""
        app, context, intervals = self.app, self._context, self.intervals
        jobs: _Jobs = {
            "collect": (partial(_collect, app, context), intervals.collect),
            "collect what was pushed": (
                partial(collect_pushed, app.database, app.config, context),
                intervals.pushes,
            ),
            "compose": (partial(compose_due, app, context), intervals.compose),
            "gather": (partial(gather_due, app, context), intervals.compose),
            "send the others": (
                partial(send_due, app, context, only=self._busy.others(app)),
                intervals.send,
            ),
            "clean up": (lambda: clean_up(app, context.clock()), intervals.clean_up),
        }
        if mailbox := app.config.mail.mailbox:
            jobs["receive"] = partial(receive_all, app, mailbox, context), intervals.receive
        for digest in app.config.digests:
            send = partial(self._busy.send, app, context, digest.slug)
            jobs[f"send {digest.slug}"] = send, intervals.send
        return jobs

    def _for_nodes(self) -> _Jobs:
        """Return the work as jobs for the nodes."""
        app, context, intervals = self.app, self._context, self.intervals
        return {
            "release": (partial(release_and_report, app, context), intervals.collect),
            "collect": (partial(fire_collect, app, context), intervals.pushes),
            "compose": (partial(fire_compose, app, context), intervals.compose),
            "gather": (partial(fire_gather, app, context), intervals.compose),
            "send": (partial(fire_send, app, context), intervals.send),
            "clean up": (partial(fire_clean, app), intervals.clean_up),
            "receive": (partial(fire_receive, app), intervals.receive),
        }


def _slugs(app: App) -> str:
    return ", ".join(each.slug for each in app.config.digests)


def _collect(app: App, context: RunContext) -> None:
    release_and_report(app, context)
    collect_due(app.database, app.config, context)


def _ask_hubs(app: App, context: RunContext) -> None:
    ask_hubs(Hubs(database=app.database, config=app.config, secret=app.secret), context)


@dataclass(slots=True)
class _Busy:
    """The digests that are being sent: one that was removed meanwhile is not one of the others yet."""

    _slugs: set[str] = field(default_factory=set)

    def send(self, app: App, context: RunContext, slug: str) -> bool:
        self._slugs.add(slug)
        try:
            return send_due(app, context, only=slug.__eq__)
        finally:
            self._slugs.discard(slug)

    def others(self, app: App) -> Callable[[str], bool]:
        """Return a function that accepts the digests that are no longer in the configuration."""
        known = {digest.slug for digest in app.config.digests}
        return lambda slug: slug not in known and slug not in self._slugs


@dataclass(slots=True)
class _Guarded:
    """One kind of work: after a failure it pauses for a while, and the scheduler goes on.

    After an outage of the database there is no pause, so that work goes on at once.
    """

    name: str
    work: Callable[[], object]
    stop: Event
    note_outage: Callable[[OutageError], None]

    def __call__(self) -> None:
        if self.stop.is_set():
            return
        try:
            fine = self.work() is not False
        except OutageError as error:
            self.note_outage(error)
            return
        except DigestError as error:
            log.error("%s failed and will be tried again: %s", self.name, error)
            fine = False
        except Exception:
            log.exception("%s failed and will be tried again", self.name)
            fine = False
        if not fine:
            self.stop.wait(_PAUSE)
