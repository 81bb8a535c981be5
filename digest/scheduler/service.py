"""Run the verbs every few seconds; APScheduler knows no due times, it only triggers the work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Event, Lock, Thread

from apscheduler.schedulers.background import BackgroundScheduler

from digest.app import App
from digest.editions.feeds import collect_due, collect_pushed
from digest.editions.preflight import check_ahead
from digest.editions.schedules import begin_digests
from digest.inbound.inbox import receive_all
from digest.model.errors import DigestError, OutageError
from digest.model.posts import FeedReport
from digest.model.run_context import EventKind, RunContext, RunEvent, utc_now
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
from digest.scheduler.run import clean_up, release_and_report, tell_staff
from digest.scheduler.sending import send_due
from digest.sources.hubs import Hubs, ask_hubs

log = logging.getLogger(__name__)

_PAUSE = 60.0  # seconds after a failure, before the same work is tried again
_WAIT = 1.0  # seconds
_FAILS = ("failed", "gone")
_LEVELS = {
    EventKind.FAILED: logging.ERROR,
    EventKind.PAUSED: logging.ERROR,
    EventKind.CLOCK: logging.WARNING,
    EventKind.DIFFERS: logging.WARNING,
}


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


def serve(
    app: App,
    stop: Event,
    *,
    intervals: Intervals | None = None,
    clock: Callable[[], datetime] = utc_now,
    report: Callable[[RunEvent], None] = lambda _: None,
    bell: Event | None = None,
    pages: bool = False,
    reloaded: Callable[[App], App | None] = lambda _: None,
) -> None:
    """Do what is due until `stop` is set; then finish the messages in flight, and return.

    With `pages`, which the caller serves, hubs are asked to tell of new posts.
    Notices are also sent when `bell` rings. About once a second, `reloaded` is given the app in use, and
    returns the next one if there is one. Work that is under way goes on with the app that it began with.

    With an engine, the firings store jobs for the nodes, which collect, compose, send, receive and clean up.

    Each event is logged and given to `report`, which several threads may call. Collecting, composing and
    the sending of each digest are triggered separately, so that a slow feed or a large edition delays
    nothing else. A trigger is dropped while the same work is still running.
    """
    intervals = intervals or Intervals()
    reporter = _Reporter(report)
    context = RunContext(clock=clock, stop=stop.is_set, report=reporter.event, feed=reporter.feed)
    scheduler = BackgroundScheduler(timezone="UTC", executors={"default": _pool()})
    busy, bell = _Busy(), bell or Event()
    _begin(app, context)

    def jobs(app: App) -> _Jobs:
        hubs = {"ask hubs": (partial(_ask_hubs, app, context), intervals.ask_hubs)} if pages else {}
        staff = {"tell the staff": (partial(tell_staff, app, context), intervals.staff)}
        return _jobs(app, context, intervals, busy) | hubs | staff

    _schedule(scheduler, jobs(app), stop, app)
    # The function has the app of the moment.
    notices = _Guarded("send notices", lambda: send_notices(app, context), stop, app.database.note_outage)
    ringing = Thread(target=_work_at_the_bell, args=(notices, stop, bell, intervals.notices), daemon=True)
    scheduler.start()
    ringing.start()
    log.info("serving %s; stop with SIGTERM or Ctrl-C", _slugs(app))
    begun = True
    while not stop.wait(_WAIT):  # without a time limit, a signal that comes just before would be missed
        if changed := reloaded(app):
            app, begun = changed, False
            _schedule(scheduler, jobs(app), stop, app)
            log.info("reloaded %s: serving %s", app.config.path, _slugs(app))
        begun = begun or _begun(app, context)
    log.info("stopping; messages in flight are finished first")
    bell.set()
    ringing.join()
    scheduler.shutdown(wait=True)
    log.info("stopped")


def _begin(app: App, context: RunContext) -> None:
    release_and_report(app, context)
    for event in begin_digests(app.database, app.config, context.clock()):
        context.report(event)


def _begun(app: App, context: RunContext) -> bool:
    """Begin after a reload; False if the database is away."""
    try:
        _begin(app, context)
    except OutageError as error:
        app.database.note_outage(error)
        return False
    return True


def _slugs(app: App) -> str:
    return ", ".join(each.slug for each in app.config.digests)


_Jobs = dict[str, tuple[Callable[[], object], float]]  # by name: the work, and the interval in seconds


def _jobs(app: App, context: RunContext, intervals: Intervals, busy: _Busy) -> _Jobs:
    works = (
        _for_nodes(app, context, intervals) if app.config.has_engine else _here(app, context, intervals, busy)
    )
    return {"check links": (partial(check_ahead, app, context), intervals.check_links), **works}


def _here(app: App, context: RunContext, intervals: Intervals, busy: _Busy) -> _Jobs:
    """Return the work as calls of the verbs in this process."""
    mailbox = app.config.mail.mailbox
    receive = {"receive": (partial(receive_all, app, mailbox, context), intervals.receive)} if mailbox else {}
    return {
        "collect": (lambda: _collect(app, context), intervals.collect),
        "collect what was pushed": (
            partial(collect_pushed, app.database, app.config, context),
            intervals.pushes,
        ),
        "compose": (partial(compose_due, app, context), intervals.compose),
        "gather": (partial(gather_due, app, context), intervals.compose),
        "send the others": (partial(send_due, app, context, only=busy.others(app)), intervals.send),
        "clean up": (lambda: clean_up(app, context.clock()), intervals.clean_up),
        **receive,
        **{
            f"send {digest.slug}": (partial(busy.send, app, context, digest.slug), intervals.send)
            for digest in app.config.digests
        },
    }


def _for_nodes(app: App, context: RunContext, intervals: Intervals) -> _Jobs:
    """Return the work as jobs for the nodes."""
    return {
        "release": (partial(release_and_report, app, context), intervals.collect),
        "collect": (partial(fire_collect, app, context), intervals.pushes),
        "compose": (partial(fire_compose, app, context), intervals.compose),
        "gather": (partial(fire_gather, app, context), intervals.compose),
        "send": (partial(fire_send, app, context), intervals.send),
        "clean up": (partial(fire_clean, app), intervals.clean_up),
        "receive": (partial(fire_receive, app), intervals.receive),
    }


def _collect(app: App, context: RunContext) -> None:
    release_and_report(app, context)
    collect_due(app.database, app.config, context)


def _ask_hubs(app: App, context: RunContext) -> None:
    ask_hubs(Hubs(database=app.database, config=app.config, secret=app.secret), context)


def _schedule(scheduler: BackgroundScheduler, jobs: _Jobs, stop: Event, app: App) -> None:
    """Add the jobs, or replace those with the same names, and remove all others.

    A job that is running now is not interrupted, and its name is not triggered again before it ends.
    """
    for job in scheduler.get_jobs():
        if job.id not in jobs:
            job.remove()
    for name, (work, seconds) in jobs.items():
        _add(scheduler, name, _Guarded(name, work, stop, app.database.note_outage), seconds)


def _work_at_the_bell(work: Callable[[], None], stop: Event, bell: Event, seconds: float) -> None:
    while not stop.is_set():
        bell.clear()
        work()
        bell.wait(seconds)


def _pool() -> dict[str, object]:
    # A thread is started only when it is needed; each digest may need one.
    return {"type": "threadpool", "max_workers": 200}


def _add(scheduler: BackgroundScheduler, name: str, work: Callable[[], None], seconds: float) -> None:
    scheduler.add_job(
        work,
        "interval",
        seconds=seconds,
        id=name,
        replace_existing=True,
        next_run_time=datetime.now(scheduler.timezone),  # immediately, and then at each interval
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,  # on a busy machine, a late run is better than none
    )


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


@dataclass(slots=True)
class _Reporter:
    """Log each event, but an event that repeats only once."""

    report: Callable[[RunEvent], None]
    _last: dict[str, RunEvent] = field(default_factory=dict)
    _failures: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def event(self, event: RunEvent) -> None:
        with self._lock:
            if self._last.get(event.subject) == event:
                return
            self._last[event.subject] = event
        self.report(event)
        log.log(_LEVELS.get(event.kind, logging.INFO), "%s", event)

    def feed(self, report: FeedReport) -> None:
        if report.status == "waiting":
            return
        failure = f"{report.status}: {report.detail}" if report.status in _FAILS else ""
        with self._lock:  # composing fetches feeds too, so both may report the same failure
            known, self._failures[report.feed] = self._failures.get(report.feed, ""), failure
        if report.status == "ok":
            log.info("feed %s: %s", report.feed, f"{report.new} new. {report.detail}".rstrip())
        elif failure and failure != known:
            log.warning("feed %s: %s", report.feed, failure)
