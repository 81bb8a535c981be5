"""Find rows that are later than the clock, because a clock was wrong once, and release what they hold up.

A clock that was ahead for one run leaves feeds that are not due, dates that are done and an edition that
holds posts, all until that time comes. So rows that are more than an hour later than now are not believed. If
the publishers dated most of their posts later than now too, the rows are right and the clock is behind. Then
nothing is changed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from digest.collect.fetching.health import is_ahead, released
from digest.model.errors import ClockError
from digest.model.posts import FeedRow
from digest.model.run_context import EventKind, RunEvent
from digest.storage.database import Connection, Database
from digest.storage.editions.due import sending_editions
from digest.storage.editions.steps import date_back_editions, latest_step, made_after, take_back_edition
from digest.storage.feeds import feed_rows, latest_fetch, record_feeds
from digest.storage.fingerprints import latest_reader
from digest.storage.ledger.notices import hasten_notices
from digest.storage.ledger.outcomes import hasten
from digest.storage.ledger.slices import end_leases
from digest.storage.limits import date_back_slowdowns
from digest.storage.occurrences import latest_date, release_dates
from digest.storage.posts import date_back_posts, latest_post, seen_after

AHEAD = timedelta(hours=1)  # a row may be so much later than now, because the clocks of nodes differ
_OFF = timedelta(minutes=1)  # between the clocks of a node and of the database
_LONGEST_WAIT = timedelta(hours=26)  # of a delivery: a day of 25 hours, and the tries begin later
_MADE_AHEAD = "it was made while the clock was ahead"


def check_clock(database: Database, now: datetime) -> None:
    """Raise ClockError if the clock of this machine, which says `now`, is a minute off the database's.

    Leases go by the clock of the database, but editions and readers' hours become due by this one.
    """
    difference = database.clock_difference(now)
    if abs(difference) > _OFF:
        raise ClockError(difference)


def known_time(database: Database) -> datetime | None:
    """Return when anything was last fetched, composed, sent or subscribed; None in a new database."""
    with database.read() as connection:
        times = _latest(connection), latest_reader(connection)
    return max((time for time in times if time), default=None)


def ahead_text(database: Database, now: datetime) -> str:
    """Return a sentence about rows that are later than the clock; empty if there are none."""
    with database.read() as connection:
        latest = _latest(connection)
        if latest is None or latest <= now + AHEAD:
            return ""
        before, after = seen_after(connection, now + AHEAD)
    text = (
        f"the database has rows of {latest:%Y-%m-%d %H:%M} UTC, but the clock says {now:%Y-%m-%d %H:%M} UTC"
    )
    if after > before:
        return f"{text}; {after} posts were published after that time, so set the clock of this machine right"
    return text


def release_ahead(database: Database, now: datetime) -> tuple[RunEvent, ...]:
    """Release what rows later than the clock hold up, and report it; report a clock that is behind.

    Feeds are due again, dates can be composed again, editions that were not sent are skipped and their posts
    wait again, deliveries and leases end their waiting.
    """
    if not (text := ahead_text(database, now)):
        return ()
    with database.write() as connection:
        before, after = seen_after(connection, now + AHEAD)
        if after > before:
            return (_event(text),)
        return (_event(f"{text}; they are not believed: {_release(connection, now)}"),)


def _event(detail: str) -> RunEvent:
    return RunEvent(kind=EventKind.CLOCK, subject="clock", detail=detail)


def _latest(connection: Connection) -> datetime | None:
    times = (
        latest_fetch(connection),
        latest_date(connection),
        latest_post(connection),
        latest_step(connection),
    )
    return max((time for time in times if time), default=None)


def _release(connection: Connection, now: datetime) -> str:
    """Release everything, and return in words what was released."""
    limit = now + AHEAD
    feeds = _feeds(connection, limit, now)
    dates = release_dates(connection, limit, now)
    made = dict.fromkeys((*dates, *made_after(connection, limit)))
    skipped = [each for each in made if take_back_edition(connection, each, now, reason=_MADE_AHEAD)]
    for edition_id, began_at in sending_editions(connection):
        hasten(connection, edition_id, limit if began_at > limit else now + _LONGEST_WAIT, now)
    hasten_notices(connection, now + _LONGEST_WAIT, now)
    date_back_editions(connection, limit, now)
    end_leases(connection, limit, now)
    date_back_posts(connection, limit, now)
    date_back_slowdowns(connection, limit, now)
    parts = [f"feeds due again: {len(feeds)}", f"dates to be composed again: {len(dates)}"]
    if skipped:
        parts.append(f"skipped, because the clock was ahead when they were made: {', '.join(skipped)}")
    return "; ".join(parts)


def _feeds(connection: Connection, limit: datetime, now: datetime) -> list[FeedRow]:
    ahead = [released(row, limit, now) for row in feed_rows(connection) if is_ahead(row, limit)]
    record_feeds(connection, ahead)
    return ahead
