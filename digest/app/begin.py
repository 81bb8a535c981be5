"""See where a digest begins or its schedule is another: nothing due before that is missed or made up for."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from digest.app.rhythms import Rhythm, rhythms
from digest.app.watch import Happening, Kind
from digest.app.wiring import App
from digest.publication import Digest
from digest.schedule import dues
from digest.schedule_seen import OUT, Seen, standing
from digest.schedule_text import parse_schedule
from digest.storage.occurrences import settled_dates
from digest.storage.schedules import learn_rule, note_schedule, seen_schedules

INSTANT = timedelta(microseconds=1)  # what is due at this very moment is still to be done
_DAY = timedelta(days=1)


def begin_digests(app: App, now: datetime) -> tuple[Happening, ...]:
    """Note each digest and gathering that is new, goes by another schedule or is gone; say which begin.

    What is gone begins anew when it comes back.
    """
    every = {rhythm.key: rhythm for digest in app.config.digests for rhythm in rhythms(digest)}
    with app.database.read() as connection:
        seen = seen_schedules(connection)
    gone = [key for key in seen if key not in every]
    for key in gone:
        _note(app, key, OUT, seen[key], now)
    return tuple(
        _told(app, rhythm, seen.get(key, ()), now)
        for key, rhythm in every.items()
        if _note(app, key, rhythm.rule, seen.get(key, ()), now)
    )


def next_times(app: App, now: datetime) -> dict[str, datetime]:
    """Return when each digest, by its slug, is next due to be sent after `now`."""
    return {digest.slug: _next(app, Rhythm(digest=digest), now) for digest in app.config.digests}


def local_text(instant: datetime, digest: Digest) -> str:
    """Write an instant on the clocks of a digest."""
    return f"{instant.astimezone(ZoneInfo(digest.zone)):%a %d %b %Y %H:%M} ({digest.zone})"


def _note(app: App, key: str, rule: str, seen: tuple[Seen, ...], now: datetime) -> bool:
    """Keep that a schedule is another from now on; False: it is not, or another process has kept it."""
    last = standing(seen, now)
    known = last.rule if last else OUT
    if known == rule:
        return False
    with app.database.write() as connection:
        if known is None and rule != OUT:
            learn_rule(connection, key, rule)
            return False
        return note_schedule(connection, key, Seen(rule=rule, seen_at=now), number=len(seen) + 1)


def _told(app: App, rhythm: Rhythm, seen: tuple[Seen, ...], now: datetime) -> Happening:
    last = standing(seen, now)
    due = local_text(_next(app, rhythm, now - INSTANT), rhythm.digest)
    new = last is None or last.rule == OUT
    what = "begins now; its first" if new else "goes by its changed schedule from now on; its next"
    return Happening(
        kind=Kind.BEGAN if new else Kind.CHANGED,
        subject=rhythm.digest.slug,
        detail=f"{what} {rhythm.noun} is due {due}",
    )


def _next(app: App, rhythm: Rhythm, after: datetime) -> datetime:
    """Find the next send time strictly after an instant: of a date that is done with, its edition's."""
    digest = rhythm.digest
    with app.database.read() as connection:
        known = settled_dates(connection, rhythm.key, first=after.date() - _DAY)
    times = (
        known.get(due.local_date, due.send_at)
        for due in dues(digest, parse_schedule(digest.schedule), after=after - _DAY)
    )
    return next(send_at for send_at in times if send_at and send_at > after)
