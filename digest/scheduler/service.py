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
from digest.editions.feeds import collect_due
from digest.editions.schedules import begin_digests
from digest.model.errors import DigestError, OutageError
from digest.model.posts import FeedReport
from digest.model.run_context import EventKind, RunContext, RunEvent, utc_now
from digest.readers.notices import send_notices
from digest.scheduler.run import clean_up, compose_due, gather_due, release_and_report, send_due

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
    compose: float = 5
    send: float = 5
    notices: float = 5  # besides those that the bell announces
    clean_up: float = 600  # to erase sign-ups that nobody has confirmed


def serve(
    app: App,
    stop: Event,
    *,
    intervals: Intervals | None = None,
    clock: Callable[[], datetime] = utc_now,
    report: Callable[[RunEvent], None] = lambda _: None,
    bell: Event | None = None,
) -> None:
    """Do what is due until `stop` is set; then finish the messages in flight, and return.

    Notices are also sent when `bell` rings.
    Each event is logged and given to `report`, which several threads may call. Collecting, composing and
    the sending of each digest are triggered separately, so that a slow feed or a large edition delays
    nothing else. A trigger is dropped while the same work is still running.
    """
    intervals = intervals or Intervals()
    reporter = _Reporter(report)
    context = RunContext(clock=clock, stop=stop.is_set, report=reporter.event, feed=reporter.feed)
    release_and_report(app, context)
    for event in begin_digests(app.database, app.config, context.clock()):
        context.report(event)
    jobs: dict[str, tuple[Callable[[], object], float]] = {
        "collect": (lambda: _collect(app, context), intervals.collect),
        "compose": (partial(compose_due, app, context), intervals.compose),
        "gather": (partial(gather_due, app, context), intervals.compose),
        "send the others": (partial(send_due, app, context, only=_others(app)), intervals.send),
        "clean up": (lambda: clean_up(app, context.clock()), intervals.clean_up),
    }
    for digest in app.config.digests:
        jobs[f"send {digest.slug}"] = (
            partial(send_due, app, context, only=digest.slug.__eq__),
            intervals.send,
        )
    scheduler = BackgroundScheduler(timezone="UTC", executors={"default": _pool(len(jobs))})
    for name, (work, seconds) in jobs.items():
        _add(scheduler, name, _Guarded(name, work, stop, app.database.note_outage), seconds)
    bell = bell or Event()
    ringing = Thread(
        target=_send_at_the_bell, args=(app, context, stop, bell, intervals.notices), daemon=True
    )
    scheduler.start()
    ringing.start()
    log.info("serving %s; stop with SIGTERM or Ctrl-C", ", ".join(each.slug for each in app.config.digests))
    while not stop.wait(_WAIT):  # without a time limit, a signal that comes just before would be missed
        pass
    log.info("stopping; messages in flight are finished first")
    bell.set()
    ringing.join()
    scheduler.shutdown(wait=True)
    log.info("stopped")


def _collect(app: App, context: RunContext) -> None:
    release_and_report(app, context)
    collect_due(app.database, app.config, context)


def _send_at_the_bell(app: App, context: RunContext, stop: Event, bell: Event, seconds: float) -> None:
    work = _Guarded("send notices", partial(send_notices, app, context), stop, app.database.note_outage)
    while not stop.is_set():
        bell.clear()
        work()
        bell.wait(seconds)


def _pool(size: int) -> dict[str, object]:
    return {"type": "threadpool", "max_workers": size}


def _add(scheduler: BackgroundScheduler, name: str, work: Callable[[], None], seconds: float) -> None:
    scheduler.add_job(
        work,
        "interval",
        seconds=seconds,
        id=name,
        next_run_time=datetime.now(scheduler.timezone),  # immediately, and then at each interval
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,  # on a busy machine, a late run is better than none
    )


def _others(app: App) -> Callable[[str], bool]:
    """Return a function that accepts the digests that are no longer in the configuration."""
    known = {digest.slug for digest in app.config.digests}
    return lambda slug: slug not in known


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
