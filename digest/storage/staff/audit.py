"""Store the trail of what the staff did; it is append-only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from digest.model.staff import Person
from digest.storage.tables.staff import staff_audit


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One action: who did what to which edition, person or date, and when.

    `name` is the person's name as it was then.
    """

    id: int
    at: datetime
    person_id: str | None
    name: str
    action: str
    subject: str


COMMAND_LINE = "the command line"


def append_audit(
    connection: Connection, person: Person | None, action: str, subject: str, now: datetime
) -> None:
    """Append an action to the trail.

    Without a person, it was done at the command line.
    """
    values = {
        "at": now,
        "person_id": person.id if person else None,
        "name": person.name if person else COMMAND_LINE,
        "action": action,
        "subject": subject,
    }
    connection.execute(insert(staff_audit).values(values))


def audit_entries(
    connection: Connection, *, person_id: str = "", before: int | None = None, limit: int
) -> tuple[AuditEntry, ...]:
    """Return the newest entries, of everybody or of one person; `before` is the id of the last one seen."""
    query = select(staff_audit).order_by(staff_audit.c.id.desc()).limit(limit)
    if person_id:
        query = query.where(staff_audit.c.person_id == person_id)
    if before is not None:
        query = query.where(staff_audit.c.id < before)
    return tuple(AuditEntry(**row._mapping) for row in connection.execute(query))


def audit_people(connection: Connection) -> tuple[tuple[str, str], ...]:
    """Return the people in the trail, by name: the id of each, and the last name that it has there."""
    newest = select(func.max(staff_audit.c.id)).where(staff_audit.c.person_id.is_not(None))
    last = newest.group_by(staff_audit.c.person_id)
    query = select(staff_audit.c.person_id, staff_audit.c.name).where(staff_audit.c.id.in_(last))
    return tuple((row.person_id, row.name) for row in connection.execute(query.order_by(staff_audit.c.name)))
