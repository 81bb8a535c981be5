"""Ring every few seconds: APScheduler knows no due times, it only says "look now"."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Event, Lock

from apscheduler.schedulers.background import BackgroundScheduler

from digest.app.begin import begin_digests
from digest.app.run import collect_due, compose_due, gather_due, send_due
from digest.app.tidy import tidy
from digest.app.watch import Happening, Kind, Watch, utc_now
from digest.app.wiring import App
from digest.model import FeedReport

log = logging.getLogger(__name__)

_REST = 60.0  # seconds after a failure, before the same thing is tried again
_BREATH = 1.0  # seconds
_FAILS = ("failed", "gone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bell:
    """How often to look, in seconds."""

    collect: float = 60
    compose: float = 5
    send: float = 5
    tidy: float = 600  # sign-ups nobody confirmed are forgotten


def serve(
    app: App,
    stop: Event,
    *,
    bell: Bell | None = None,
    clock: Callable[[], datetime] = utc_now,
    report: Callable[[Happening], None] = lambda _: None,
) -> None:
    """Do what is due until `stop` is set; then finish what is on the wire, and return.

    What happens is logged, and given to `report`, which several threads may call.
    Feeds, composing and each digest's sending ring apart: a slow feed or a large edition delays nothing
    else. A ring while the same work is still going on is dropped.
    """
    bell = bell or Bell()
    voice = _Voice(report)
    watch = Watch(clock=clock, stop=stop.is_set, report=voice.say, feed=voice.feed)
    for happening in begin_digests(app, watch.clock()):
        watch.report(happening)
    jobs: dict[str, tuple[Callable[[], object], float]] = {
        "collect": (partial(collect_due, app, watch), bell.collect),
        "compose": (partial(compose_due, app, watch), bell.compose),
        "gather": (partial(gather_due, app, watch), bell.compose),
        "send the others": (partial(send_due, app, watch, only=_others(app)), bell.send),
        "tidy": (lambda: tidy(app, watch.clock()), bell.tidy),
    }
    for digest in app.config.digests:
        jobs[f"send {digest.slug}"] = (partial(send_due, app, watch, only=digest.slug.__eq__), bell.send)
    scheduler = BackgroundScheduler(timezone="UTC", executors={"default": _pool(len(jobs))})
    for name, (work, seconds) in jobs.items():
        _add(scheduler, name, _Guarded(name, work, stop), seconds)
    scheduler.start()
    log.info("serving %s; stop with SIGTERM or Ctrl-C", ", ".join(each.slug for each in app.config.digests))
    while not stop.wait(_BREATH):  # without an end, a signal that comes just before is not heard
        pass
    log.info("stopping: what is on the wire is finished first")
    scheduler.shutdown(wait=True)
    log.info("stopped")


def _pool(size: int) -> dict[str, object]:
    return {"type": "threadpool", "max_workers": size}


def _add(scheduler: BackgroundScheduler, name: str, work: Callable[[], None], seconds: float) -> None:
    scheduler.add_job(
        work,
        "interval",
        seconds=seconds,
        id=name,
        next_run_time=datetime.now(scheduler.timezone),  # at once, and then in its rhythm
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,  # a busy machine rings late rather than not at all
    )


def _others(app: App) -> Callable[[str], bool]:
    """Take the editions of digests that have been taken out of the configuration."""
    known = {digest.slug for digest in app.config.digests}
    return lambda slug: slug not in known


@dataclass(slots=True)
class _Guarded:
    """One kind of work: after a failure it rests a while, and the bell goes on."""

    name: str
    work: Callable[[], object]
    stop: Event

    def __call__(self) -> None:
        if self.stop.is_set():
            return
        try:
            fine = self.work() is not False
        except Exception:
            log.exception("%s failed; it is tried again", self.name)
            fine = False
        if not fine:
            self.stop.wait(_REST)


@dataclass(slots=True)
class _Voice:
    """Log what happens, and what goes on happening only once."""

    report: Callable[[Happening], None]
    _said: dict[str, Happening] = field(default_factory=dict)
    _wrong: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def say(self, happening: Happening) -> None:
        with self._lock:
            if self._said.get(happening.subject) == happening:
                return
            self._said[happening.subject] = happening
        self.report(happening)
        level = logging.ERROR if happening.kind is Kind.FAILED else logging.INFO
        log.log(level, "%s", happening)

    def feed(self, report: FeedReport) -> None:
        if report.status == "waiting":
            return
        wrong = f"{report.status}: {report.detail}" if report.status in _FAILS else ""
        with self._lock:  # composing asks feeds too: both may hear of the same failure
            known, self._wrong[report.feed] = self._wrong.get(report.feed, ""), wrong
        if report.status == "ok":
            log.info("feed %s: %s", report.feed, f"{report.new} new. {report.detail}".rstrip())
        elif wrong and wrong != known:
            log.warning("feed %s: %s", report.feed, wrong)
