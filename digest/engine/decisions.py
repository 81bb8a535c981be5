"""Decide when a failed job is tried again, and that a worker is deaf. Pure.

After an outage of the database, a worker can stop fetching jobs without an error. Two signs show this while
the database answers: its heartbeat stands still, or jobs wait although it has free lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from digest.model.errors import DatabaseError, NotFoundError, OutageError, TransportError
from digest.schedule.jobs import NewerJobError

_PAUSE = 60  # seconds before a job that has failed is tried again
_SOON = 10  # the same for a job that another node may be able to do
_OF_THE_NODE = (DatabaseError, TransportError)  # faults that another node may not have
BEATS = 3  # so many beats in a row must show the same


def pause_after(error: BaseException, attempts: int) -> int | None:
    """Return after how many seconds a job is tried again that has failed with this error; None: never."""
    if isinstance(error, NotFoundError):
        return None
    if isinstance(error, OutageError):
        return int(min(2 ** min(attempts, 10), _SOON))
    if isinstance(error, NewerJobError):
        return min(_SOON * (attempts + 1), _PAUSE)
    return _SOON if isinstance(error, _OF_THE_NODE) else _PAUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """The signs of life at one beat: the worker's row in the database, and how many jobs it has fetched."""

    heartbeat_at: datetime | None  # None: the row is gone
    fetched: int
    is_idle: bool  # jobs wait for it, and a line is free


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchdog:
    """The signs so far. `verdict` is a clause that says why the worker is deaf; empty: it is not."""

    last: Sign | None = None
    still: int = 0  # beats without a heartbeat
    idle: int = 0  # beats without a fetched job, although one waited
    verdict: str = ""

    def after(self, sign: Sign) -> Watchdog:
        """Return the watchdog after another beat for which the database has answered."""
        last = self.last
        if last is None:
            return Watchdog(last=sign)
        still = self.still + 1 if sign.heartbeat_at == last.heartbeat_at else 0
        idle = self.idle + 1 if sign.is_idle and last.is_idle and sign.fetched == last.fetched else 0
        return Watchdog(last=sign, still=still, idle=idle, verdict=_verdict(sign, still, idle))


def _verdict(sign: Sign, still: int, idle: int) -> str:
    if sign.heartbeat_at is None:
        return "its row is gone, because others took it for dead"
    if still >= BEATS:
        return f"its heartbeat has not moved for {still} beats, although the database answers"
    if idle >= BEATS:
        return f"jobs wait and lines are free, but it has fetched none for {idle} beats"
    return ""
