"""Lay the coming fourteen days out as a calendar: which digests come when, and which dates are skipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import takewhile

from digest.config import Config
from digest.editions.outlook.words import local
from digest.editions.schedules import INSTANT
from digest.model.editions import EditionState
from digest.model.publication import Digest
from digest.schedule.cadence import Cadence
from digest.schedule.schedule import SKIP_REASON, instant_of
from digest.storage.database import Connection, Database
from digest.storage.desk.overview import edition_state
from digest.storage.occurrences import SKIPPED_BY, STARTED, outcome_of, skipped_by_hand

DAYS = 14
_WEEK = 7
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A digest on one day; it is `off` if that date is skipped or has no edition.

    `note` says what has happened, once the send time of the day has passed.
    """

    digest: str  # its slug
    title: str
    off: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of the calendar."""

    day: date
    is_today: bool
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A date that a digest skips: by whom and why. Those of config.toml are undone there."""

    digest: str
    title: str
    day: date
    by: str
    reason: str
    in_config: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Two weeks from today on, and the dates in these weeks and later that are skipped."""

    weeks: tuple[tuple[Day, ...], ...]
    skips: tuple[Skip, ...]


def calendar_of(database: Database, config: Config, zone: str, now: datetime) -> Calendar:
    """Return the calendar of all digests; its days are those of `zone`."""
    today = local(now, zone).date()
    with database.read() as connection:
        skips = [skip for digest in config.digests for skip in _skips(connection, digest, now)]
        past = {digest.slug: _past(connection, digest, today) for digest in config.digests}
    off = {(skip.digest, skip.day) for skip in skips}
    entries = {
        (digest.slug, day): Entry(digest=digest.slug, title=digest.title, off=(digest.slug, day) in off)
        for digest in config.digests
        for day in _dates(digest, today, now)
    }
    # A date of today that is over shows its outcome, and nothing if the digest began only after that time.
    entries |= {(slug, today): entry for slug, entry in past.items() if entry}
    days = [
        Day(
            day=day,
            is_today=day == today,
            entries=tuple(
                entries[slug, day]
                for slug in (each.slug for each in config.digests)
                if (slug, day) in entries
            ),
        )
        for day in (today + number * _DAY for number in range(DAYS))
    ]
    weeks = tuple(tuple(days[at : at + _WEEK]) for at in range(0, DAYS, _WEEK))
    return Calendar(weeks=weeks, skips=tuple(sorted(skips, key=lambda skip: (skip.day, skip.title))))


def _dates(digest: Digest, today: date, now: datetime) -> Sequence[date]:
    """Return the coming dates of a digest's schedule in the calendar, with those that are skipped."""
    after = max(instant_of(today, time.min, digest.zone) - INSTANT, now)
    coming = Cadence(digest=digest).coming(after, with_skipped=True)
    dates = (due.local_date for due in coming)
    return list(takewhile(lambda day: day < today + DAYS * _DAY, dates))


def _past(connection: Connection, digest: Digest, today: date) -> Entry | None:
    """Return what has become of today's edition of a digest; None if nothing has happened yet."""
    outcome = outcome_of(connection, Cadence(digest=digest).key, today)
    if outcome is None or outcome == STARTED:
        return None
    state = edition_state(connection, outcome)
    if state is None:
        skipped = outcome.startswith(SKIPPED_BY) or outcome == SKIP_REASON
        return Entry(digest=digest.slug, title=digest.title, off=True, note="" if skipped else "no edition")
    gone = state in (EditionState.SKIPPED, EditionState.CANCELLED)
    return Entry(digest=digest.slug, title=digest.title, off=gone, note=state.value)


def _skips(connection: Connection, digest: Digest, now: datetime) -> list[Skip]:
    key, today = Cadence(digest=digest).key, local(now, digest.zone).date()
    found = [_by_hand(digest, day, outcome) for day, outcome in skipped_by_hand(connection, key, now)]
    known = {skip.day for skip in found}
    in_file = (day for day in digest.skip if day >= today and day not in known)
    return [
        *found,
        *(
            Skip(
                digest=digest.slug,
                title=digest.title,
                day=day,
                by="",
                reason="in config.toml",
                in_config=True,
            )
            for day in in_file
        ),
    ]


def _by_hand(digest: Digest, day: date, outcome: str) -> Skip:
    by, _, reason = outcome.removeprefix(SKIPPED_BY).partition(": ")
    return Skip(digest=digest.slug, title=digest.title, day=day, by=by, reason=reason)
