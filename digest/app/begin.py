"""Remember when each digest began, so that what was due before it existed is never made up for."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from digest.app.rhythms import Rhythm, not_offered, rhythms
from digest.app.watch import Happening, Kind
from digest.app.wiring import App
from digest.config import Config
from digest.model import Digest
from digest.schedule import ScheduleError, next_due, previous_due
from digest.schedule_text import parse_schedule
from digest.storage.occurrences import (
    BEGAN,
    Occurrence,
    first_due,
    forget_schedules,
    note_occurrence,
    occurrences_of,
)

_INSTANT = timedelta(microseconds=1)  # what is due at this very moment is still to be done


def begin_digests(app: App, now: datetime) -> tuple[Happening, ...]:
    """Note where each digest begins that was never seen before `now`, and each gathering; and say so.

    A gathering that is not offered any more is forgotten: offered again it begins anew, for in between
    its readers had each edition.
    """
    for digest in app.config.digests:
        _forget(app, digest)
    every = [rhythm for digest in app.config.digests for rhythm in rhythms(digest)]
    return tuple(_began(rhythm, now) for rhythm in every if _is_new(app, rhythm, now))


def next_times(config: Config, now: datetime) -> dict[str, datetime]:
    """Return when each digest, by its slug, is next due to be sent after `now`."""
    return {
        digest.slug: next_due(parse_schedule(digest.schedule), digest.zone, now)[1]
        for digest in config.digests
    }


def last_before(digest: Digest, at: datetime) -> tuple[date, datetime]:
    """Return the last occurrence before an instant; a day before it when there was none."""
    try:
        return previous_due(parse_schedule(digest.schedule), digest.zone, at - _INSTANT)
    except ScheduleError:
        return at.date() - timedelta(days=1), at - timedelta(days=1)


def local_text(instant: datetime, digest: Digest) -> str:
    """Write an instant on the clocks of a digest."""
    return f"{instant.astimezone(ZoneInfo(digest.zone)):%a %d %b %Y %H:%M} ({digest.zone})"


def _forget(app: App, digest: Digest) -> None:
    gone = not_offered(digest)
    with app.database.read() as connection:
        known = [schedule for schedule in gone if first_due(connection, schedule)]
    if known:
        with app.database.write() as connection:
            forget_schedules(connection, known)


def _is_new(app: App, rhythm: Rhythm, now: datetime) -> bool:
    with app.database.read() as connection:
        if occurrences_of(connection, rhythm.key, until=now + rhythm.digest.cutoff):
            return False
    day, due = last_before(rhythm.digest, now)
    with app.database.write() as connection:
        before = Occurrence(local_date=day, due_at=due, done_at=now, outcome=BEGAN)
        return note_occurrence(connection, rhythm.key, before)


def _began(rhythm: Rhythm, now: datetime) -> Happening:
    digest = rhythm.digest
    due = next_due(parse_schedule(digest.schedule), digest.zone, now - _INSTANT)[1]
    detail = f"begins now; its first {rhythm.noun} is due {local_text(due, digest)}"
    return Happening(kind=Kind.BEGAN, subject=digest.slug, detail=detail)
