"""Notice new digests and changed schedules: dates before that moment are neither missed nor made up for."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from digest.config import Config
from digest.editions.clocks import AHEAD
from digest.model.editions import EditionState, StepCause
from digest.model.errors import SkipError
from digest.model.publication import Digest
from digest.model.run_context import EventKind, RunEvent
from digest.schedule.cadence import Cadence, cadences
from digest.schedule.schedule import SKIP_REASON, instant_of, skipped_dates
from digest.schedule.seen import OUT, SeenSchedule, last_seen
from digest.schedule.text import parse_schedule
from digest.storage.database import Database
from digest.storage.editions.drafts import lock_digest
from digest.storage.editions.due import open_edition
from digest.storage.editions.steps import advance
from digest.storage.occurrences import (
    SKIPPED_BY,
    STARTED,
    Occurrence,
    finish_occurrence,
    learn_rule,
    note_occurrence,
    note_schedule,
    outcome_of,
    seen_schedules,
    settled_dates,
    skipped_by_hand,
    unskip_occurrence,
)

INSTANT = timedelta(microseconds=1)  # a date that is due exactly now still counts
_DAY = timedelta(days=1)


def begin_digests(database: Database, config: Config, now: datetime) -> tuple[RunEvent, ...]:
    """Record each cadence that is new, changed or removed; return an event for each new or changed one.

    A cadence that was removed and is added again counts as new.
    """
    every = {cadence.key: cadence for digest in config.digests for cadence in cadences(digest)}
    with database.read() as connection:
        seen = seen_schedules(connection)
    gone = [key for key in seen if key not in every]
    for key in gone:
        _note(database, key, OUT, seen[key], now)
    return tuple(
        _event(database, cadence, seen.get(key, ()), now)
        for key, cadence in every.items()
        if _note(database, key, cadence.rule, seen.get(key, ()), now)
    )


def next_times(database: Database, config: Config, now: datetime) -> dict[str, datetime]:
    """Return when each digest, by its slug, is next due to be sent after `now`."""
    return {digest.slug: next_time(database, Cadence(digest=digest), now) for digest in config.digests}


def skip_date(database: Database, digest: Digest, day: date, why: str, now: datetime) -> str:
    """Skip one date of a digest, and its edition if there is one; return the edition's id, or "".

    `why` names the person too. Raises SkipError if the digest is not due on that day, or if that date is
    over, and StateError if its edition has begun to be sent.
    """
    key, outcome = Cadence(digest=digest).key, f"{SKIPPED_BY}{why}"
    with database.write() as connection:
        lock_digest(connection, digest.slug)
        record = open_edition(connection, digest.slug, day)
        if record:
            advance(connection, record.edition.id, EditionState.SKIPPED, StepCause(at=now, why=outcome))
            due_at = record.edition.send_at
        else:
            _require_open(digest, day, outcome_of(connection, key, day))
            due_at = _coming(digest, day, now)
        done = Occurrence(local_date=day, due_at=due_at, done_at=now, outcome=outcome)
        if not note_occurrence(connection, key, done):
            finish_occurrence(connection, key, local_date=day, outcome=outcome, now=now)
    return record.edition.id if record else ""


def unskip_date(database: Database, digest: Digest, day: date, now: datetime) -> None:
    """Take back that a person has skipped a date: an edition is composed for it at its cutoff.

    A draft that was skipped with the date stays skipped; its posts are in the new edition. Raises SkipError
    if nobody has skipped that date, or if its send time has passed.
    """
    key = Cadence(digest=digest).key
    with database.write() as connection:
        lock_digest(connection, digest.slug)
        skipped = dict(skipped_by_hand(connection, key, now))
        if day not in skipped:
            raise SkipError(digest.slug, day, "nobody has skipped that date, or its time is over", undo=True)
        unskip_occurrence(connection, key, day)


def _require_open(digest: Digest, day: date, outcome: str | None) -> None:
    if outcome == STARTED:
        raise SkipError(digest.slug, day, "its edition is being composed; try again in a minute")
    if outcome is not None and not outcome.startswith(SKIPPED_BY):
        raise SkipError(digest.slug, day, f"that date is over ({outcome})")


def _coming(digest: Digest, day: date, now: datetime) -> datetime:
    """Return the send time of a date that is still to come."""
    cadence = Cadence(digest=digest)
    at = instant_of(day, time.min, digest.zone) - INSTANT
    due = next(cadence.coming(max(at, now)))
    if due.local_date != day:
        following = next(cadence.coming(now)).local_date
        raise SkipError(digest.slug, day, f"no edition is due then; the next one is due on {following}")
    return due.send_at


def coming_skips(database: Database, config: Config, now: datetime) -> tuple[str, ...]:
    """Return lines for coming dates that are left out: by `skip` of the configuration, and by hand."""
    by_hand = []
    with database.read() as connection:
        for digest in config.digests:
            skipped = skipped_by_hand(connection, Cadence(digest=digest).key, now)
            by_hand += [f"{digest.slug}: {day}: {why}" for day, why in skipped]
    return (*_configured_skips(config, now), *by_hand)


def _configured_skips(config: Config, now: datetime) -> tuple[str, ...]:
    found = (
        (digest, skipped_dates(digest, parse_schedule(digest.schedule), after=now))
        for digest in config.digests
    )
    return tuple(
        f"{digest.slug}: skipped on {', '.join(map(str, days))}: {SKIP_REASON}"
        for digest, days in found
        if days
    )


def local_text(instant: datetime, digest: Digest) -> str:
    """Return an instant as text, in the local time of a digest."""
    return f"{instant.astimezone(ZoneInfo(digest.zone)):%a %d %b %Y %H:%M} ({digest.zone})"


def _note(database: Database, key: str, rule: str, seen: tuple[SeenSchedule, ...], now: datetime) -> bool:
    """Record a changed schedule; False if it has not changed, or if another process has recorded it."""
    last = last_seen(seen, now)
    known = last.rule if last else OUT
    if known == rule:
        return False
    with database.write() as connection:
        if known is None and rule != OUT:
            learn_rule(connection, key, rule)
            return False
        return note_schedule(connection, key, SeenSchedule(rule=rule, seen_at=now), number=len(seen) + 1)


def _event(database: Database, cadence: Cadence, seen: tuple[SeenSchedule, ...], now: datetime) -> RunEvent:
    last = last_seen(seen, now)
    due = local_text(next_time(database, cadence, now - INSTANT), cadence.digest)
    new = last is None or last.rule == OUT
    what = "starts now; its first" if new else "has a changed schedule; its next"
    return RunEvent(
        kind=EventKind.BEGAN if new else EventKind.CHANGED,
        subject=cadence.digest.slug,
        detail=f"{what} {cadence.noun} is due {due}",
    )


def next_time(database: Database, cadence: Cadence, after: datetime) -> datetime:
    """Return the next send time strictly after an instant; a date with an edition has the edition's time."""
    with database.read() as connection:
        first, until = after.date() - _DAY, after + AHEAD
        known = settled_dates(connection, cadence.key, first=first, until=until)
    times = (known.get(due.local_date, due.send_at) for due in cadence.coming(after - _DAY))
    return next(send_at for send_at in times if send_at and send_at > after)
