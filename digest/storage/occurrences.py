"""Store which occurrences of a schedule are done, so that each is done once, even if triggered twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from digest.model.editions import OPEN
from digest.schedule.seen import SeenSchedule
from digest.storage.tables.editions import editions
from digest.storage.tables.schedules import occurrences, schedules
from subscribers.store.tables import upsert

STARTED = "started"  # a process is working on it, or died; after the lease another process may try
LEASE = timedelta(minutes=5)
SKIPPED_BY = "skipped by "  # the outcome of a date begins so if a person has skipped it

_SHOWN = 100  # a schedule has at most one occurrence a day, so these go back three months


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One local date of a schedule, and its outcome."""

    local_date: date
    due_at: datetime
    done_at: datetime
    outcome: str

    @property
    def done(self) -> bool:
        """Tell whether nothing is left to do for this date."""
        return self.outcome != STARTED


def occurrences_of(connection: Connection, schedule: str, *, until: datetime) -> tuple[Occurrence, ...]:
    """Return the latest occurrences due at or before `until`, newest first."""
    rows = connection.execute(
        select(occurrences.c.local_date, occurrences.c.due_at, occurrences.c.done_at, occurrences.c.outcome)
        .where(occurrences.c.schedule == schedule, occurrences.c.due_at <= until)
        .order_by(occurrences.c.due_at.desc())
        .limit(_SHOWN)
    )
    return tuple(Occurrence(**row) for row in rows.mappings())


def settled_dates(
    connection: Connection, schedule: str, *, first: date, until: datetime
) -> dict[date, datetime | None]:
    """Return the local dates from `first` on that are done, each with the send time of its open edition.

    Dates that were done later than `until` do not count.
    """
    goes_out = (editions.c.id == occurrences.c.outcome) & editions.c.state.in_(OPEN)
    rows = connection.execute(
        select(occurrences.c.local_date, editions.c.send_at)
        .join_from(occurrences, editions, goes_out, isouter=True)
        .where(
            occurrences.c.schedule == schedule,
            occurrences.c.local_date >= first,
            occurrences.c.done_at <= until,
            occurrences.c.outcome != STARTED,
        )
    )
    return {row.local_date: row.send_at for row in rows}


def outcome_of(connection: Connection, schedule: str, local_date: date) -> str | None:
    """Return the outcome of a date, or None if nothing has happened for it yet."""
    of_date = occurrences.c.schedule == schedule, occurrences.c.local_date == local_date
    outcome: str | None = connection.scalar(select(occurrences.c.outcome).where(*of_date))
    return outcome


def skipped_by_hand(connection: Connection, schedule: str, after: datetime) -> tuple[tuple[date, str], ...]:
    """Return the dates due after an instant that a person has skipped, each with the outcome."""
    by_hand = occurrences.c.due_at > after, occurrences.c.outcome.startswith(SKIPPED_BY)
    found = select(occurrences.c.local_date, occurrences.c.outcome).where(*by_hand)
    rows = connection.execute(found.where(occurrences.c.schedule == schedule).order_by(occurrences.c.due_at))
    return tuple((day, outcome) for day, outcome in rows)


def unskip_occurrence(connection: Connection, schedule: str, local_date: date) -> None:
    """Forget that a person has skipped a date."""
    of_date = occurrences.c.schedule == schedule, occurrences.c.local_date == local_date
    connection.execute(delete(occurrences).where(*of_date, occurrences.c.outcome.startswith(SKIPPED_BY)))


def claim_occurrence(
    connection: Connection, schedule: str, *, local_date: date, due_at: datetime, now: datetime
) -> bool:
    """Claim one occurrence; return False if it is done, or was claimed less than `LEASE` ago."""
    abandoned = and_(occurrences.c.outcome == STARTED, occurrences.c.done_at <= now - LEASE)
    taken_over = connection.execute(
        update(occurrences)
        .where(occurrences.c.schedule == schedule, occurrences.c.local_date == local_date, abandoned)
        .values(done_at=now, outcome=STARTED)
    )
    return taken_over.rowcount == 1 or note_occurrence(
        connection, schedule, Occurrence(local_date=local_date, due_at=due_at, done_at=now, outcome=STARTED)
    )


def note_occurrence(connection: Connection, schedule: str, occurrence: Occurrence) -> bool:
    """Save an occurrence; return False if its local date is known already."""
    row = {
        "schedule": schedule,
        "local_date": occurrence.local_date,
        "due_at": occurrence.due_at,
        "done_at": occurrence.done_at,
        "outcome": occurrence.outcome,
    }
    # RETURNING, because the engines do not report the number of inserted rows in the same way.
    fresh = upsert(connection, occurrences).values(row).on_conflict_do_nothing()
    return connection.execute(fresh.returning(occurrences.c.local_date)).one_or_none() is not None


def finish_occurrence(
    connection: Connection, schedule: str, *, local_date: date, outcome: str, now: datetime
) -> None:
    """Record the outcome of a claimed occurrence, in one sentence."""
    connection.execute(
        update(occurrences)
        .where(occurrences.c.schedule == schedule, occurrences.c.local_date == local_date)
        .values(outcome=outcome, done_at=now)
    )


def release_occurrence(connection: Connection, schedule: str, *, local_date: date) -> None:
    """Give a claimed occurrence back, so that the next tick may claim it."""
    connection.execute(
        delete(occurrences).where(
            occurrences.c.schedule == schedule,
            occurrences.c.local_date == local_date,
            occurrences.c.outcome == STARTED,
        )
    )


_DAY = timedelta(days=1)


def release_dates(connection: Connection, limit: datetime, now: datetime) -> tuple[str, ...]:
    """Give back the dates that were done later than `limit`, and return their outcomes.

    A date of the next 24 hours whose edition has gone out stays done. A schedule that was first seen later
    than `limit` counts as first seen `now`.
    """
    ahead = occurrences.c.done_at > limit
    gone_out = select(editions.c.id).where(editions.c.started_at.is_not(None))
    free = or_(occurrences.c.due_at > now + _DAY, occurrences.c.outcome.not_in(gone_out))
    released = delete(occurrences).where(ahead, free).returning(occurrences.c.outcome)
    outcomes = tuple(connection.scalars(released))
    connection.execute(update(occurrences).where(ahead).values(done_at=now))
    connection.execute(update(schedules).where(schedules.c.seen_at > limit).values(seen_at=now))
    return outcomes


def latest_date(connection: Connection) -> datetime | None:
    """Return when a date was last done, or a schedule last seen to change; None if there is neither."""
    done, seen = select(func.max(occurrences.c.done_at)), select(func.max(schedules.c.seen_at))
    times = connection.scalar(done), connection.scalar(seen)
    return max((time for time in times if time), default=None)


def undo_occurrence(connection: Connection, outcome: str) -> None:
    """Delete the occurrence whose outcome is this edition, so that the next tick makes another edition."""
    connection.execute(delete(occurrences).where(occurrences.c.outcome == outcome))


def hand_dates_over(connection: Connection, edition_ids: Collection[str], to: str) -> None:
    """Make one edition the outcome of the dates for which other editions were composed; they stay done."""
    made = occurrences.c.outcome.in_(edition_ids)
    connection.execute(update(occurrences).where(made).values(outcome=to))


def seen_schedules(connection: Connection) -> Mapping[str, tuple[SeenSchedule, ...]]:
    """Return what was seen of each schedule, oldest first, by the schedule's name."""
    rows = connection.execute(
        select(schedules.c.schedule, schedules.c.rule, schedules.c.seen_at).order_by(
            schedules.c.schedule, schedules.c.seen_at, schedules.c.number
        )
    )
    found: dict[str, tuple[SeenSchedule, ...]] = defaultdict(tuple)
    for schedule, rule, seen_at in rows:
        found[schedule] += (SeenSchedule(rule=rule, seen_at=seen_at),)
    return found


def note_schedule(connection: Connection, schedule: str, seen: SeenSchedule, *, number: int) -> bool:
    """Save what was seen of a schedule as row `number`; return False if another process was faster."""
    row = {"schedule": schedule, "number": number, "rule": seen.rule, "seen_at": seen.seen_at}
    fresh = upsert(connection, schedules).values(row).on_conflict_do_nothing().returning(schedules.c.number)
    return connection.execute(fresh).one_or_none() is not None


def learn_rule(connection: Connection, schedule: str, rule: str) -> None:
    """Save the rule of a schedule that has a row without a rule."""
    unknown = (schedules.c.schedule == schedule) & schedules.c.rule.is_(None)
    connection.execute(update(schedules).where(unknown).values(rule=rule))
