"""Say who is at work: the scheduler, the senders with what they hold, and the notices that wait or failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.editions.outlook.words import clock_words, counted, span_words
from digest.model.deliveries import DeliveryState
from digest.monitoring.wording import are
from digest.storage.database import Database
from digest.storage.ledger.notices import count_notices
from digest.storage.ledger.senders import at_work
from digest.storage.owner import host_of
from digest.storage.reports import last_run

_SILENT = timedelta(minutes=15)  # with cron, it should run every few minutes
_JUST_NOW = timedelta(seconds=20)  # it is noted every 15 seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderStatus:
    """A process that sends an edition: its machine, its slices, and when it last wrote to one of them."""

    edition_id: str
    host: str
    slices: int
    wire: int
    moved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerStatus:
    """When a scheduler looked at the clock last, in words, and whether that is too long ago."""

    text: str
    is_silent: bool


def scheduler_status(database: Database, zone: str, now: datetime) -> SchedulerStatus:
    """Return when `digest serve` or `digest run` looked last at what is due."""
    with database.read() as connection:
        at = last_run(connection)
    if at is not None and now - at < _SILENT:
        ago = now - at
        said = "just now" if ago < _JUST_NOW else f"{span_words(ago)} ago"
        return SchedulerStatus(text=f"scheduler ran {said}", is_silent=False)
    since = f"since {clock_words(at, zone, now)}" if at else "yet"
    text = (
        f"The scheduler has not run {since}, so nothing is composed or sent."
        " Start `digest serve`, or `digest run` every few minutes."
    )
    return SchedulerStatus(text=text, is_silent=True)


def senders_at_work(database: Database) -> tuple[SenderStatus, ...]:
    """Return the senders that have slices, by edition and machine."""
    with database.read() as connection:
        found = at_work(connection)
    return tuple(
        SenderStatus(edition_id=edition_id, host=host_of(owner), slices=slices, wire=wire, moved_at=moved_at)
        for edition_id, owner, slices, wire, moved_at in found
    )


def notices_text(database: Database) -> tuple[str, bool]:
    """Return one sentence about the messages about accounts, and whether some of them need somebody."""
    with database.read() as connection:
        found = count_notices(connection)
    state = DeliveryState
    waiting = sum(found.get(each, 0) for each in (state.QUEUED, state.WIRE))
    parts = [
        f"{counted(waiting, 'message')} about accounts {are(waiting)} waiting" if waiting else "",
        _phrase(found.get(state.DEFERRED, 0), "tried again later"),
        _phrase(found.get(state.REJECTED, 0), "rejected"),
        _phrase(found.get(state.UNCERTAIN, 0), "uncertain"),
    ]
    needs = bool(found.get(state.REJECTED, 0) or found.get(state.UNCERTAIN, 0))
    return _sentence(parts) or "No message about an account is waiting or has failed.", needs


def _phrase(number: int, state: str) -> str:
    return f"{number:,} {are(number)} {state}" if number else ""


def _sentence(parts: Sequence[str]) -> str:
    text = ", ".join(filter(None, parts))
    return f"{text}." if text else ""
