"""Store the accounts of the staff."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from digest.model.staff import Person, Role
from digest.storage.tables.staff import staff

EVERY_DIGEST = "*"  # in the notices and the digests of an account: it is about all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person's account, with the hashes of what the person must know to sign in."""

    person: Person
    added_at: datetime
    signed_in_at: datetime | None = None
    removed_at: datetime | None = None
    link_until: datetime | None = None
    subject: str | None = None
    password: str | None = field(default=None, repr=False)
    totp: str | None = field(default=None, repr=False)
    totp_step: int = 0
    recovery: tuple[str, ...] = field(default=(), repr=False)
    notices: str = EVERY_DIGEST

    @property
    def is_active(self) -> bool:
        """Tell whether the person can sign in: the account is not removed, and has a password or OIDC."""
        return self.removed_at is None and bool(self.password or self.subject)

    @property
    def needs_more_than_a_password(self) -> bool:
        """Tell whether a password alone signs nobody in: it has a second factor, or only OIDC."""
        return self.totp is not None or self.password is None


def add_account(connection: Connection, person: Person, folded: str, now: datetime) -> None:
    """Add an account. It cannot be used until its person has a password."""
    values = {
        "id": person.id,
        "name": person.name,
        "address": person.address,
        "folded": folded,
        "role": person.role,
        "digests": digests_text(person.digests),
        "added_at": now,
        "recovery": [],
    }
    connection.execute(insert(staff).values(values))


def digests_text(digests: Collection[str] | None) -> str:
    """Return the digests of a person as an account has them; None stands for all."""
    return EVERY_DIGEST if digests is None else " ".join(sorted(digests))


def accounts(connection: Connection) -> tuple[Account, ...]:
    """Return all accounts that are not removed, by name."""
    rows = connection.execute(
        select(staff).where(staff.c.removed_at.is_(None)).order_by(staff.c.name, staff.c.id)
    )
    return tuple(map(_account, rows))


def account_of(connection: Connection, person_id: str) -> Account | None:
    """Return the account of a person, even if it is removed."""
    row = connection.execute(select(staff).where(staff.c.id == person_id)).one_or_none()
    return _account(row) if row else None


def account_at(connection: Connection, folded: str) -> Account | None:
    """Return the account with an address, even if it is removed."""
    row = connection.execute(select(staff).where(staff.c.folded == folded)).one_or_none()
    return _account(row) if row else None


def account_by_subject(connection: Connection, subject: str) -> Account | None:
    """Return the account that has signed in by OpenID Connect as `subject`, even if it is removed."""
    row = connection.execute(select(staff).where(staff.c.subject == subject)).one_or_none()
    return _account(row) if row else None


def account_by_link(connection: Connection, link_hash: str, now: datetime) -> Account | None:
    """Return the account whose one-time link has this hash and is still valid."""
    valid = staff.c.link == link_hash, staff.c.link_until > now, staff.c.removed_at.is_(None)
    row = connection.execute(select(staff).where(*valid)).one_or_none()
    return _account(row) if row else None


def change_account(connection: Connection, person_id: str, **values: object) -> None:
    """Set columns of an account."""
    connection.execute(update(staff).where(staff.c.id == person_id).values(values))


def use_totp_step(connection: Connection, person_id: str, step: int) -> bool:
    """Use up the code of a step of time; return False if it, or a later one, is used already."""
    fresh = update(staff).where(staff.c.id == person_id, staff.c.totp_step < step)
    return connection.execute(fresh.values(totp_step=step)).rowcount == 1


def lock_account(connection: Connection, person_id: str) -> Account | None:
    """Return an account, and keep others from changing it until the commit."""
    row = connection.execute(select(staff).where(staff.c.id == person_id).with_for_update()).one_or_none()
    return _account(row) if row else None


def lock_administrators(connection: Connection) -> Sequence[str]:
    """Return the ids of all administrators who can sign in, and keep others from changing them."""
    active = or_(staff.c.password.is_not(None), staff.c.subject.is_not(None))
    query = select(staff.c.id).where(staff.c.role == Role.ADMINISTRATOR, staff.c.removed_at.is_(None), active)
    return connection.scalars(query.order_by(staff.c.id).with_for_update()).all()


def _account(row: Row[Any]) -> Account:
    digests = None if row.digests == EVERY_DIGEST else frozenset(row.digests.split())
    person = Person(id=row.id, name=row.name, address=row.address, role=Role(row.role), digests=digests)
    return Account(
        person=person,
        added_at=row.added_at,
        signed_in_at=row.signed_in_at,
        removed_at=row.removed_at,
        link_until=row.link_until,
        subject=row.subject,
        password=row.password,
        totp=row.totp,
        totp_step=row.totp_step,
        recovery=tuple(row.recovery),
        notices=row.notices,
    )
