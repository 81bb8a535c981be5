"""Give programs of the staff tokens for the API, with scopes and an end."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from digest.model.staff import Person, Right, rights_of
from digest.staff.audit import record
from digest.staff.people import StaffError
from digest.storage.database import Database
from digest.storage.staff import people as stored
from digest.storage.staff import tokens
from digest.storage.staff.tokens import StaffToken
from subscribers.tokens import token_hash

PREFIX = "digest_"  # so that scanners of public code recognise a token
LIVES = (timedelta(days=30), timedelta(days=90), timedelta(days=365))
SCOPES = (Right.LOOK, Right.EDIT, Right.APPROVE, Right.OPERATE)  # what the API offers
_MOST = 20  # tokens of one person
_USED = timedelta(hours=1)  # how exactly the last use is known
_LONGEST = 60  # characters of a name


def make_token(
    database: Database, person: Person, name: str, scopes: Collection[Right], life: timedelta, now: datetime
) -> str:
    """Return a new token, which is shown once and kept nowhere. Raises StaffError if it cannot be made."""
    name, wanted = " ".join(name.split()), frozenset(scopes)
    if not name or len(name) > _LONGEST or not name.isprintable():
        raise StaffError(f"Say in at most {_LONGEST} characters what the token is for.")
    if not wanted or not wanted <= frozenset(SCOPES):
        raise StaffError("Choose what the token may do.")
    if lacking := wanted - rights_of(person.role):
        raise StaffError(f"You cannot give a token a right that you lack: {', '.join(sorted(lacking))}.")
    if life not in LIVES:
        raise StaffError("Choose when the token ends.")
    token = PREFIX + secrets.token_urlsafe(32)
    new = StaffToken(
        hash=token_hash(token),
        person_id=person.id,
        name=name,
        scopes=wanted,
        made_at=now,
        expires_at=now + life,
    )
    with database.write() as connection:
        if len(tokens.tokens_of(connection, person.id)) >= _MOST:
            raise StaffError(f"You have {_MOST} tokens already. Revoke one first.")
        tokens.add_token(connection, new)
        record(connection, person, "made a token", name, now)
    return token


def tokens_of(database: Database, person: Person) -> tuple[StaffToken, ...]:
    """Return the tokens of a person, also those whose time is over, the newest first."""
    with database.read() as connection:
        return tokens.tokens_of(connection, person.id)


def revoke_token(database: Database, person: Person, name: str, now: datetime) -> bool:
    """Revoke the token of a person whose hash begins with `name`; return False if there is none."""
    with database.write() as connection:
        for token in tokens.tokens_of(connection, person.id):
            if token.hash[:16] == name and tokens.end_token(connection, person.id, token.hash):
                record(connection, person, "revoked a token", token.name, now)
                return True
    return False


def person_of_token(database: Database, token: str, now: datetime) -> tuple[Person, frozenset[Right]] | None:
    """Return the person whose token this is, and the rights that it has now; None if it is not valid.

    A token never has a right that its person has lost.
    """
    hashed = token_hash(token)
    with database.read() as connection:
        found = tokens.token_at(connection, hashed)
        account = stored.account_of(connection, found.person_id) if found else None
    if found is None or account is None or not account.is_active or now >= found.expires_at:
        return None
    if found.used_at is None or now - found.used_at >= _USED:
        with database.write() as connection:
            tokens.note_used(connection, hashed, now)
    return account.person, found.scopes & rights_of(account.person.role)
