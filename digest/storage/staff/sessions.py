"""Store the sessions of the staff, under the hashes of their cookies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, or_, select, update

from digest.storage.tables.staff import staff_sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffSession:
    """One browser in which a person is signed in."""

    hash: str
    person_id: str
    made_at: datetime
    seen_at: datetime
    client: str
    browser: str

    @property
    def name(self) -> str:
        """Return a name for forms; nobody can sign in with it."""
        return self.hash[:16]


def add_session(connection: Connection, session: StaffSession) -> None:
    """Add a session."""
    values = {name: getattr(session, name) for name in StaffSession.__dataclass_fields__}
    connection.execute(insert(staff_sessions).values(values))


def session_at(connection: Connection, hashed: str) -> StaffSession | None:
    """Return the session with this hash, even if its time is over."""
    row = connection.execute(select(staff_sessions).where(staff_sessions.c.hash == hashed)).one_or_none()
    return StaffSession(**row._mapping) if row else None


def sessions_of(connection: Connection, person_id: str) -> tuple[StaffSession, ...]:
    """Return the sessions of a person, the last used first."""
    mine = select(staff_sessions).where(staff_sessions.c.person_id == person_id)
    rows = connection.execute(mine.order_by(staff_sessions.c.seen_at.desc(), staff_sessions.c.hash))
    return tuple(StaffSession(**row._mapping) for row in rows)


def note_seen(connection: Connection, hashed: str, now: datetime) -> None:
    """Note that a session is used."""
    one = update(staff_sessions).where(staff_sessions.c.hash == hashed)
    connection.execute(one.values(seen_at=now))


def end_session(connection: Connection, hashed: str) -> bool:
    """End one session; return False if it had ended."""
    return connection.execute(delete(staff_sessions).where(staff_sessions.c.hash == hashed)).rowcount == 1


def end_sessions(connection: Connection, person_id: str, keep: str = "") -> int:
    """End the sessions of a person except the one with the hash `keep`; return their number."""
    others = staff_sessions.c.person_id == person_id, staff_sessions.c.hash != keep
    return connection.execute(delete(staff_sessions).where(*others)).rowcount


def expire_sessions(connection: Connection, *, made_before: datetime, seen_before: datetime) -> int:
    """Delete the sessions whose time is over; return their number."""
    over = or_(staff_sessions.c.made_at <= made_before, staff_sessions.c.seen_at <= seen_before)
    return connection.execute(delete(staff_sessions).where(over)).rowcount
