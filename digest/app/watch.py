"""How a run tells the time, hears that it is to stop, and says what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from digest.model import Counts, FeedReport


class Kind(StrEnum):
    """What happened to a digest or an edition."""

    BEGAN = "began"  # a digest was seen for the first time
    CHANGED = "changed"  # its schedule was
    COMPOSED = "composed"
    NOTHING = "no edition"  # and why
    MISSED = "missed"  # an outage made it too late; its posts are carried
    WAITING = "waiting"  # for approval, or for its digest
    SKIPPED = "skipped"
    SENDING = "sending"  # some readers' copies are still to be tried again
    SENT = "sent"
    CANCELLED = "cancelled"  # while it was sent
    FAILED = "failed"  # an error somebody must act on


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing a run did, in one sentence; `subject` is a digest's slug or an edition's id."""

    kind: Kind
    subject: str
    detail: str
    counts: Counts | None = None

    def __str__(self) -> str:
        if self.kind in (Kind.BEGAN, Kind.CHANGED, Kind.MISSED):
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
class Watch:
    """Given to everything that may take long.

    `stop` is asked often; once it says True, what is on the wire is finished and the rest is left.
    """

    clock: Callable[[], datetime] = utc_now
    stop: Callable[[], bool] = _never
    report: Callable[[Happening], None] = _ignore
    feed: Callable[[FeedReport], None] = _ignore
    progress: Callable[[str, Counts], None] = _ignore  # an edition's id and how far it is
