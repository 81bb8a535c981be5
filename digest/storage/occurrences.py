"""Remember which occurrences of a schedule are done: rung twice, or by two processes, done once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, and_, delete, select, update

from digest.storage.editions import OPEN
from digest.storage.tables import editions, occurrences
from subscribers.upsert import upsert

STARTED = "started"  # somebody is at it, or died at it: after the lease another may try
LEASE = timedelta(minutes=5)

_SHOWN = 100  # a schedule has at most one occurrence a day, so these go back three months


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One local date of a schedule, and what came of it."""

    local_date: date
    due_at: datetime
    done_at: datetime
    outcome: str

    @property
    def done(self) -> bool:
        """Tell whether nothing is left to do for it."""
        return self.outcome != STARTED


def occurrences_of(connection: Connection, schedule: str, *, until: datetime) -> tuple[Occurrence, ...]:
    """Return the latest occurrences due at or before an instant, the last one first."""
    rows = connection.execute(
        select(occurrences.c.local_date, occurrences.c.due_at, occurrences.c.done_at, occurrences.c.outcome)
        .where(occurrences.c.schedule == schedule, occurrences.c.due_at <= until)
        .order_by(occurrences.c.due_at.desc())
        .limit(_SHOWN)
    )
    return tuple(Occurrence(**row) for row in rows.mappings())


def settled_dates(connection: Connection, schedule: str, *, first: date) -> dict[date, datetime | None]:
    """Return the local dates from `first` on that are done with: when what came of each goes out, if ever."""
    goes_out = (editions.c.id == occurrences.c.outcome) & editions.c.state.in_(OPEN)
    rows = connection.execute(
        select(occurrences.c.local_date, editions.c.send_at)
        .join_from(occurrences, editions, goes_out, isouter=True)
        .where(
            occurrences.c.schedule == schedule,
            occurrences.c.local_date >= first,
            occurrences.c.outcome != STARTED,
        )
    )
    return {row.local_date: row.send_at for row in rows}


def claim_occurrence(
    connection: Connection, schedule: str, *, local_date: date, due_at: datetime, now: datetime
) -> bool:
    """Take one occurrence; False: it is done, or somebody took it less than `LEASE` ago."""
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
    """Keep an occurrence unless its local date is known already; False: it is."""
    row = {
        "schedule": schedule,
        "local_date": occurrence.local_date,
        "due_at": occurrence.due_at,
        "done_at": occurrence.done_at,
        "outcome": occurrence.outcome,
    }
    # the count of rows inserted is told by neither engine alike
    fresh = upsert(connection, occurrences).values(row).on_conflict_do_nothing()
    return connection.execute(fresh.returning(occurrences.c.local_date)).one_or_none() is not None


def finish_occurrence(
    connection: Connection, schedule: str, *, local_date: date, outcome: str, now: datetime
) -> None:
    """Record what came of a claimed occurrence, in one sentence."""
    connection.execute(
        update(occurrences)
        .where(occurrences.c.schedule == schedule, occurrences.c.local_date == local_date)
        .values(outcome=outcome, done_at=now)
    )


def release_occurrence(connection: Connection, schedule: str, *, local_date: date) -> None:
    """Give a claimed occurrence back, so that the next ring may take it."""
    connection.execute(
        delete(occurrences).where(
            occurrences.c.schedule == schedule,
            occurrences.c.local_date == local_date,
            occurrences.c.outcome == STARTED,
        )
    )


def undo_occurrence(connection: Connection, outcome: str) -> None:
    """Forget the occurrence of which this edition came, so that the next ring makes another one."""
    connection.execute(delete(occurrences).where(occurrences.c.outcome == outcome))
