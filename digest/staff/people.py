"""Add, change and remove the people of the staff, and tell who they are."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from digest.model.errors import DigestError, NotFoundError
from digest.model.staff import Person, Right, Role
from digest.staff.audit import record
from digest.storage.database import Connection, Database
from digest.storage.staff import people as stored
from digest.storage.staff.people import Account
from digest.storage.staff.sessions import end_sessions
from digest.storage.staff.tokens import end_tokens
from subscribers.address import parse_address
from subscribers.tokens import token_hash

LINK_LIFE = timedelta(days=3)  # of a one-time link
LONGEST_NAME = 80  # characters


class StaffError(DigestError):
    """An account cannot be added, changed or removed in this way; nothing has changed."""


def people(database: Database) -> tuple[Account, ...]:
    """Return all accounts that are not removed, by name."""
    with database.read() as connection:
        return stored.accounts(connection)


def people_with(database: Database, right: Right, digest: str = "") -> tuple[Person, ...]:
    """Return the people who can sign in and have a right, for one digest if it is given, by name."""
    able = (account.person for account in people(database) if account.is_active)
    return tuple(person for person in able if person.may(right, digest))


def person_named(database: Database, person_id: str) -> Account:
    """Return the account of a person. Raises NotFoundError if there is none, or if it is removed."""
    with database.read() as connection:
        return _present(connection, person_id)


def account_named(database: Database, address: str) -> Account:
    """Return the account with an address. Raises NotFoundError, and AddressError for what is no address."""
    with database.read() as connection:
        account = stored.account_at(connection, parse_address(address).folded)
        if account is None or account.removed_at is not None:
            known = tuple(each.person.address for each in stored.accounts(connection))
            raise NotFoundError("address of the staff", address, known)
        return account


def add_person(
    database: Database, new: Person, now: datetime, *, by: Person | None = None
) -> tuple[Person, str]:
    """Add an account, or one that was removed again; return it with the token of its one-time link.

    The id of `new` does not matter. Raises StaffError if the address has an account, or an administrator
    would be limited to some digests, and AddressError.
    """
    address = parse_address(new.address)
    _require_all_digests(new)
    person = replace(new, id=secrets.token_hex(8), name=_checked_name(new.name), address=address.address)
    with database.write() as connection:
        earlier = stored.account_at(connection, address.folded)
        if earlier is None:
            stored.add_account(connection, person, address.folded, now)
        elif earlier.removed_at is None:
            raise StaffError(f"{address.address} has an account already")
        else:
            person = replace(person, id=earlier.person.id)
            again = {"name": person.name, "address": person.address, "role": person.role}
            digests = stored.digests_text(person.digests)
            stored.change_account(connection, person.id, **again, digests=digests, **_EMPTY)
        record(connection, by, f"added a person as {person.role}", person.name, now)
        return person, _new_link(connection, person, now)


def fresh_link(database: Database, person_id: str, now: datetime, *, by: Person | None = None) -> str:
    """Return the token of a new one-time link to set a password; an earlier link does not work any more."""
    with database.write() as connection:
        person = _present(connection, person_id).person
        record(connection, by, "made a link to set a password", person.name, now)
        return _new_link(connection, person, now)


def change_role(
    database: Database, person_id: str, role: Role, now: datetime, *, by: Person | None = None
) -> Person:
    """Give a person another role.

    Raises StaffError if no administrator would be left, or one would be limited to some digests.
    """
    with database.write() as connection:
        person = _present(connection, person_id).person
        _require_all_digests(replace(person, role=role))
        if role is not Role.ADMINISTRATOR:
            _require_another(connection, person)
        if role is not person.role:
            stored.change_account(connection, person_id, role=role)
            record(connection, by, f"changed a role from {person.role} to {role}", person.name, now)
        return replace(person, role=role)


def change_digests(
    database: Database,
    person_id: str,
    digests: Collection[str] | None,
    now: datetime,
    *,
    by: Person | None = None,
) -> Person:
    """Limit a person to some digests, which must exist; None ends the limit.

    Raises StaffError if there are none, or the person is an administrator.
    """
    if digests is not None and not digests:
        raise StaffError("choose at least one digest")
    with database.write() as connection:
        earlier = _present(connection, person_id).person
        person = replace(earlier, digests=None if digests is None else frozenset(digests))
        _require_all_digests(person)
        if person.digests != earlier.digests:
            stored.change_account(connection, person_id, digests=stored.digests_text(person.digests))
            some = "all digests" if person.digests is None else ", ".join(sorted(person.digests))
            record(connection, by, f"let a person work on {some}", person.name, now)
        return person


def remove_person(database: Database, person_id: str, now: datetime, *, by: Person | None = None) -> Person:
    """Remove an account: its sessions and tokens end at once.

    Raises StaffError for the last administrator.
    """
    with database.write() as connection:
        person = _present(connection, person_id).person
        _require_another(connection, person)
        stored.change_account(connection, person_id, **{**_EMPTY, "removed_at": now})
        end_sessions(connection, person_id)
        end_tokens(connection, person_id)
        record(connection, by, "removed a person", person.name, now)
        return person


# All that a person knows or has; an account that is removed, or added again, has none of it.
_EMPTY: dict[str, object] = {
    "removed_at": None,
    "password": None,
    "totp": None,
    "totp_step": 0,
    "recovery": [],
    "subject": None,
    "link": None,
    "link_until": None,
}


def _new_link(connection: Connection, person: Person, now: datetime) -> str:
    token = secrets.token_urlsafe(24)
    stored.change_account(connection, person.id, link=token_hash(token), link_until=now + LINK_LIFE)
    return token


def _present(connection: Connection, person_id: str) -> Account:
    account = stored.account_of(connection, person_id)
    if account is None or account.removed_at is not None:
        raise NotFoundError("person of the staff", person_id)
    return account


def _require_another(connection: Connection, person: Person) -> None:
    """Raise StaffError if a person is the only administrator: nobody could add another one on the pages."""
    if list(stored.lock_administrators(connection)) == [person.id]:
        raise StaffError(
            f"{person.name} is the only administrator; make somebody else an administrator first"
        )


def _require_all_digests(person: Person) -> None:
    """Raise StaffError for an administrator of some digests: people and roles concern all of them."""
    if person.role is Role.ADMINISTRATOR and person.digests is not None:
        raise StaffError("an administrator works on all digests")


def _checked_name(text: str) -> str:
    name = " ".join(text.split())
    if not name:
        raise StaffError("the name is missing")
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise StaffError(f"a name has at most {LONGEST_NAME} characters that can be printed")
    return name
