"""Store the tokens with which programs use the staff's part of the API, under their hashes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from digest.model.staff import Right
from digest.storage.tables.staff import staff_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffToken:
    """A token: what it is for, the rights that it has at most, and when it ends."""

    hash: str
    person_id: str
    name: str
    scopes: frozenset[Right]
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


def add_token(connection: Connection, token: StaffToken) -> None:
    """Add a token."""
    values = {name: getattr(token, name) for name in StaffToken.__dataclass_fields__}
    connection.execute(insert(staff_tokens).values({**values, "scopes": sorted(token.scopes)}))


def token_at(connection: Connection, hashed: str) -> StaffToken | None:
    """Return the token with this hash, even if its time is over."""
    row = connection.execute(select(staff_tokens).where(staff_tokens.c.hash == hashed)).one_or_none()
    return _token(row) if row else None


def tokens_of(connection: Connection, person_id: str) -> tuple[StaffToken, ...]:
    """Return the tokens of a person, the newest first."""
    mine = select(staff_tokens).where(staff_tokens.c.person_id == person_id)
    rows = connection.execute(mine.order_by(staff_tokens.c.made_at.desc(), staff_tokens.c.hash))
    return tuple(_token(row) for row in rows)


def note_used(connection: Connection, hashed: str, now: datetime) -> None:
    """Note that a token is used."""
    connection.execute(update(staff_tokens).where(staff_tokens.c.hash == hashed).values(used_at=now))


def end_token(connection: Connection, person_id: str, hashed: str) -> bool:
    """End one token of a person; return False if there is none."""
    one = staff_tokens.c.hash == hashed, staff_tokens.c.person_id == person_id
    return connection.execute(delete(staff_tokens).where(*one)).rowcount == 1


def end_tokens(connection: Connection, person_id: str) -> None:
    """End all tokens of a person."""
    connection.execute(delete(staff_tokens).where(staff_tokens.c.person_id == person_id))


def _token(row: Row[Any]) -> StaffToken:
    return StaffToken(
        hash=row.hash,
        person_id=row.person_id,
        name=row.name,
        scopes=frozenset(map(Right, row.scopes)),
        made_at=row.made_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )
