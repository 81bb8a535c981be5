"""Store what the scheduler reported last: when it looked at the clock, and why an edition does not go out."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from digest.storage.tables.schedules import reports
from subscribers.store.tables import upsert

_SCHEDULER = "scheduler"  # no edition has this id, because theirs end with a date
_KEPT = timedelta(days=7)


def last_run(connection: Connection) -> datetime | None:
    """Return when a scheduler looked at the clock last; None if none ever did."""
    at: datetime | None = connection.scalar(select(reports.c.at).where(reports.c.subject == _SCHEDULER))
    return at


def note_run(connection: Connection, now: datetime) -> None:
    """Save that a scheduler has looked at the clock."""
    _note(connection, _SCHEDULER, now, "")


def trouble_of(connection: Connection, edition_id: str) -> str:
    """Return why the last attempt to send an edition failed, as a clause; empty if it did not."""
    found: str | None = connection.scalar(select(reports.c.detail).where(reports.c.subject == edition_id))
    return found or ""


def note_trouble(connection: Connection, edition_id: str, now: datetime, why: str) -> None:
    """Save why an attempt to send an edition failed."""
    _note(connection, edition_id, now, why)


def end_trouble(connection: Connection, edition_id: str) -> None:
    """Forget why an attempt to send an edition failed, because another has succeeded."""
    connection.execute(delete(reports).where(reports.c.subject == edition_id))


def forget_reports(connection: Connection, now: datetime) -> None:
    """Forget what was reported a week ago."""
    connection.execute(delete(reports).where(reports.c.at <= now - _KEPT))


def _note(connection: Connection, subject: str, now: datetime, detail: str) -> None:
    row = {"subject": subject, "at": now, "detail": detail}
    changed = {"at": now, "detail": detail}
    saved = upsert(connection, reports).values(row)
    connection.execute(saved.on_conflict_do_update(index_elements=["subject"], set_=changed))
