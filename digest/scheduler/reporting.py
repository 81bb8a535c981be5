"""Report what happens: each event once, and a failure of one digest without stopping the others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from digest.model.errors import DigestError, OutageError
from digest.model.posts import FeedReport
from digest.model.run_context import EventKind, RunContext, RunEvent

log = logging.getLogger(__name__)

_FAILS = ("failed", "gone")


def guarded(subject: str, context: RunContext, action: Callable[[], None]) -> bool:
    """Take an action for a digest or an edition; report its failure, and return False.

    An outage of the database is raised, because it is not the fault of the digest or the edition.
    """
    try:
        action()
    except OutageError:
        raise
    except DigestError as error:
        context.report(RunEvent(kind=EventKind.FAILED, subject=subject, detail=str(error)))
        return False
    return True


@dataclass(slots=True)
class Reporter:
    """Logs each event, but only once if it repeats. Several threads may share it."""

    report: Callable[[RunEvent], None]
    _last: dict[str, RunEvent] = field(default_factory=dict)
    _failures: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def event(self, event: RunEvent) -> None:
        """Log an event and give it to `report`."""
        with self._lock:
            if self._last.get(event.subject) == event:
                return
            self._last[event.subject] = event
        self.report(event)
        log.log(_level(event.kind), "%s", event)

    def feed(self, report: FeedReport) -> None:
        """Log the result of collecting a feed."""
        if report.status == "waiting":
            return
        failure = f"{report.status}: {report.detail}" if report.status in _FAILS else ""
        with self._lock:  # composing fetches feeds too, so both may report the same failure
            known, self._failures[report.feed] = self._failures.get(report.feed, ""), failure
        if report.status == "ok":
            log.info("feed %s: %s", report.feed, f"{report.new} new. {report.detail}".rstrip())
        elif failure and failure != known:
            log.warning("feed %s: %s", report.feed, failure)


def _level(kind: EventKind) -> int:
    if kind.needs_somebody:
        return logging.ERROR
    return logging.WARNING if kind.is_a_warning else logging.INFO
