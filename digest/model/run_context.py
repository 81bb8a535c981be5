"""The run context: a run's clock, its stop signal, and the functions that it reports to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from digest.model.deliveries import Counts
from digest.model.posts import FeedReport


class EventKind(StrEnum):
    """The kinds of events of a digest or an edition."""

    BEGAN = "began"  # the digest was seen for the first time
    CHANGED = "changed"  # the schedule has changed
    COMPOSED = "composed"
    NOTHING = "no edition"  # the detail says why
    MISSED = "missed"  # it was too late after an outage; its posts are carried over
    WAITING = "waiting"  # it waits for approval, or for its digest
    SKIPPED = "skipped"
    DIFFERS = "differs"  # it is not what was approved, but it is sent all the same
    PAUSED = "paused"  # the program has paused it, because something is wrong
    SENDING = "sending"  # some deliveries are still open
    SENT = "sent"
    CANCELLED = "cancelled"  # during sending
    CLOCK = "clock"  # rows of the database are later than the clock
    NOTICES = "notices"  # messages about accounts were sent
    FAILED = "failed"  # an error that somebody must fix

    @property
    def needs_somebody(self) -> bool:
        """Tell whether an operator must do something."""
        return self in (EventKind.FAILED, EventKind.PAUSED)

    @property
    def is_a_warning(self) -> bool:
        """Tell whether the event belongs on stderr."""
        return self.needs_somebody or self in (EventKind.CLOCK, EventKind.DIFFERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """One event of a run, in one sentence; `subject` is a digest's slug, an edition's id, or "clock"."""

    kind: EventKind
    subject: str
    detail: str
    counts: Counts | None = None

    def __str__(self) -> str:
        named = (EventKind.BEGAN, EventKind.CHANGED, EventKind.MISSED, EventKind.CLOCK, EventKind.NOTICES)
        if self.kind in named:
            return f"{self.subject}: {self.detail}"
        return f"{self.subject}: {self.kind}: {self.detail}"


def utc_now() -> datetime:
    """Return the time of this machine's clock."""
    return datetime.now(UTC)


def _never() -> bool:
    return False


def _ignore(*_: object) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The clock, the stop signal and the reports of a run, which every operation that may take long is given.

    `stop` is called often. Once it returns True, messages in flight are finished and the rest is left.
    """

    clock: Callable[[], datetime] = utc_now
    stop: Callable[[], bool] = _never
    report: Callable[[RunEvent], None] = _ignore
    feed: Callable[[FeedReport], None] = _ignore
    progress: Callable[[str, Counts], None] = _ignore  # an edition's id, and its counts so far
