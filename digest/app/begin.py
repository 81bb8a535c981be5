"""Remember when each digest began, so that what was due before it existed is never made up for."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from digest.app.watch import Happening, Kind
from digest.app.wiring import App
from digest.config import Config
from digest.model import Digest
from digest.schedule import ScheduleError, next_due, previous_due
from digest.schedule_text import parse_schedule
from digest.storage.occurrences import BEGAN, Occurrence, note_occurrence, occurrences_of

_INSTANT = timedelta(microseconds=1)  # what is due at this very moment is still to be done


def begin_digests(app: App, now: datetime) -> tuple[Happening, ...]:
    """Note where each digest begins that was never seen before `now`, and say so."""
    return tuple(_began(digest, now) for digest in app.config.digests if _is_new(app, digest, now))


def next_times(config: Config, now: datetime) -> dict[str, datetime]:
    """Return when each digest, by its slug, is next due to be sent after `now`."""
    return {
        digest.slug: next_due(parse_schedule(digest.schedule), digest.zone, now)[1]
        for digest in config.digests
    }


def schedule_of(slug: str) -> str:
    """Return the name under which the occurrences of a digest are kept."""
    return f"compose:{slug}"


def local_text(instant: datetime, digest: Digest) -> str:
    """Write an instant on the clocks of a digest."""
    return f"{instant.astimezone(ZoneInfo(digest.zone)):%a %d %b %Y %H:%M} ({digest.zone})"


def _is_new(app: App, digest: Digest, now: datetime) -> bool:
    schedule = schedule_of(digest.slug)
    with app.database.read() as connection:
        if occurrences_of(connection, schedule, until=now + digest.cutoff):
            return False
    with app.database.write() as connection:
        return note_occurrence(connection, schedule, _before(digest, now))


def _before(digest: Digest, now: datetime) -> Occurrence:
    """Return the last occurrence before `now`, as one that is over and done with."""
    try:
        day, due = previous_due(parse_schedule(digest.schedule), digest.zone, now - _INSTANT)
    except ScheduleError:
        day, due = now.date() - timedelta(days=1), now - timedelta(days=1)
    return Occurrence(local_date=day, due_at=due, done_at=now, outcome=BEGAN)


def _began(digest: Digest, now: datetime) -> Happening:
    due = next_due(parse_schedule(digest.schedule), digest.zone, now - _INSTANT)[1]
    detail = f"begins now; its first edition is due {local_text(due, digest)}"
    return Happening(kind=Kind.BEGAN, subject=digest.slug, detail=detail)
