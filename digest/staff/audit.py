"""Write and read the trail of what the staff did, which never says what readers did."""

from __future__ import annotations

from datetime import datetime

from digest.model.staff import Person
from digest.storage.database import Connection, Database
from digest.storage.staff.audit import AuditEntry, append_audit, audit_entries, audit_people

PAGE = 100  # entries
_LONGEST = 200  # characters of a subject


def note(database: Database, person: Person | None, action: str, subject: str, now: datetime) -> None:
    """Write into the trail that a person did something; without a person, the command line did it.

    `action` is in the past tense: "approved an edition". `subject` names an edition, a digest, a date or a
    person of the staff, and never a reader.
    """
    with database.write() as connection:
        record(connection, person, action, subject, now)


def record(connection: Connection, person: Person | None, action: str, subject: str, now: datetime) -> None:
    """Do the same in the transaction of the action itself."""
    append_audit(connection, person, action, subject[:_LONGEST], now)


def trail(database: Database, *, person_id: str = "", before: int | None = None) -> tuple[AuditEntry, ...]:
    """Return the newest entries, of everybody or of one person; `before` is the id of the last one seen."""
    with database.read() as connection:
        return audit_entries(connection, person_id=person_id, before=before, limit=PAGE)


def people_in_trail(database: Database) -> tuple[tuple[str, str], ...]:
    """Return the id and the name of everybody who is in the trail, also of people who were removed."""
    with database.read() as connection:
        return audit_people(connection)
