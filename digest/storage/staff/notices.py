"""Store what the staff has been told: each person once for each occasion, with the message in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, func, or_, select

from digest.model.editions import OPEN, EditionState, StepKind
from digest.schedule.policy import POLICY
from digest.schedule.schedule import SKIP_REASON
from digest.schedule.staff_notices import WATCHED, Copies, StaffNoticeKind
from digest.storage.occurrences import SKIPPED_BY, STARTED
from digest.storage.tables.editions import editions, steps
from digest.storage.tables.schedules import occurrences
from digest.storage.tables.staff import staff_notices
from subscribers.store.tables import upsert

_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffNotice:
    """One message to one person: its occasion, and the look that its links are about.

    `notice_id` is the id of the message in the ledger of notices.
    """

    notice_id: int
    person_id: str
    occasion: str
    kind: StaffNoticeKind
    digest: str
    edition_id: str = ""
    snapshot: str = ""  # the hash of the edition's snapshot
    look: str = ""  # the hash of all that an approval covers
    edits: int = 0  # how many edits the edition had
    detail: str = ""
    made_at: datetime
    expires_at: datetime  # of its links


def add_staff_notice(connection: Connection, notice: StaffNotice) -> bool:
    """Save that a person is told something; False if the person has been told already."""
    row = {name: getattr(notice, name) for name in StaffNotice.__dataclass_fields__}
    fresh = upsert(connection, staff_notices).values(row).on_conflict_do_nothing()
    return connection.execute(fresh.returning(staff_notices.c.notice_id)).one_or_none() is not None


def told_already(connection: Connection, occasions: Collection[str]) -> frozenset[tuple[str, str]]:
    """Return who has been told which of these occasions: the ids of the persons, and the occasions."""
    told = staff_notices.c.occasion.in_(occasions)
    rows = connection.execute(select(staff_notices.c.person_id, staff_notices.c.occasion).where(told))
    return frozenset((row.person_id, row.occasion) for row in rows)


def staff_notice(connection: Connection, notice_id: int) -> StaffNotice | None:
    """Return what a message to the staff is about; None if it is forgotten."""
    found = select(staff_notices).where(staff_notices.c.notice_id == notice_id)
    row = connection.execute(found).one_or_none()
    return _notice(row) if row else None


def copies_of(connection: Connection, edition_id: str) -> tuple[Copies, ...]:
    """Return the staff's copies of an edition, by snapshot, oldest first."""
    first = func.min(staff_notices.c.made_at)
    copies = staff_notices.c.edition_id == edition_id, staff_notices.c.kind == StaffNoticeKind.COPY
    found = select(staff_notices.c.snapshot, first).where(*copies).group_by(staff_notices.c.snapshot)
    return tuple(Copies(snapshot, at) for snapshot, at in connection.execute(found.order_by(first)))


def watched_editions(connection: Connection, now: datetime) -> tuple[str, ...]:
    """Return the ids of the editions about which the staff may have to be told something now."""
    recent = editions.c.send_at > now - WATCHED
    voided = exists().where(steps.c.edition_id == editions.c.id, steps.c.kind == StepKind.VOID)
    sent_anyway = (editions.c.state == EditionState.SENT) & (editions.c.approved_by == POLICY) & voided
    over = (editions.c.state == EditionState.SKIPPED) & (editions.c.finished_at > now - WATCHED)
    found = select(editions.c.id).where(recent, or_(editions.c.state.in_(OPEN), over, sent_anyway))
    return tuple(connection.scalars(found.order_by(editions.c.send_at, editions.c.id)))


def dates_without_editions(
    connection: Connection, schedules: Sequence[str], now: datetime
) -> tuple[tuple[str, date, datetime, str], ...]:
    """Return the latest dates that are done without an edition, unless a person wanted that.

    Each has its schedule, its local date, the time when it was done, and its outcome, which says why.
    """
    made = select(editions.c.id).where(editions.c.id == occurrences.c.outcome).exists()
    wanted = or_(
        occurrences.c.outcome.in_((STARTED, SKIP_REASON)), occurrences.c.outcome.startswith(SKIPPED_BY)
    )
    latest = occurrences.c.schedule.in_(schedules), occurrences.c.done_at > now - WATCHED
    columns = occurrences.c["schedule", "local_date", "done_at", "outcome"]
    rows = connection.execute(select(*columns).where(*latest, ~made, ~wanted).order_by(occurrences.c.done_at))
    return tuple((schedule, day, at, why) for schedule, day, at, why in rows)


def forget_staff_notices(connection: Connection, now: datetime) -> None:
    """Forget what the staff was told a month ago."""
    connection.execute(delete(staff_notices).where(staff_notices.c.made_at <= now - _KEPT))


def _notice(row: Row[Any]) -> StaffNotice:
    return StaffNotice(**{**row._mapping, "kind": StaffNoticeKind(row.kind)})
