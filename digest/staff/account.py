"""Let a person look after the own account: the password, and the browsers that are signed in."""

from __future__ import annotations

from datetime import datetime, timedelta

from digest.editions.notices.account import tell_person
from digest.model.staff import Person
from digest.schedule.staff_notices import StaffNoticeKind
from digest.staff.audit import record
from digest.staff.passwords import hash_password, is_password, password_fault
from digest.staff.people import StaffError
from digest.staff.signin import WINDOW, browser_words, is_over
from digest.storage.database import Database
from digest.storage.staff import people as stored
from digest.storage.staff import sessions
from digest.storage.staff.people import Account
from digest.storage.staff.sessions import StaffSession
from subscribers.store.confirmations import count_attempt

_FRESH = timedelta(minutes=10)
_ATTEMPTS = 10


def own_account(database: Database, person: Person) -> Account:
    """Return a person's account. Raises StaffError if it was removed a moment ago."""
    with database.read() as connection:
        account = stored.account_of(connection, person.id)
    if account is None or account.removed_at is not None:
        raise StaffError("there is no account any more")
    return account


def require_proof(
    database: Database, person: Person, password: str, *, session: StaffSession, now: datetime
) -> None:
    """Raise StaffError unless the person, and not somebody at an open computer, asks for a change.

    A person without a password must have signed in within the last ten minutes.
    """
    account = own_account(database, person)
    if account.password is None:
        if now - session.made_at > _FRESH:
            raise StaffError("Please sign out and in again first, because this changes how you sign in.")
        return
    with database.write() as connection:
        tried = count_attempt(connection, f"staff:proof:{person.id}", window=WINDOW, now=now)
    if tried > _ATTEMPTS:
        raise StaffError("Too many attempts. Please try again in a quarter of an hour.")
    if not is_password(account.password, password):
        raise StaffError("Your present password is another one. Nothing has changed.")


def change_password(
    database: Database,
    secret: bytes,
    person: Person,
    password: str,
    *,
    session: StaffSession,
    now: datetime,
) -> None:
    """Give a person another password; the other sessions end, and an email tells the person.

    Raises StaffError if it cannot be used.
    """
    if fault := password_fault(password, person.name, person.address):
        raise StaffError(fault)
    hashed = hash_password(password)
    with database.write() as connection:
        stored.change_account(connection, person.id, password=hashed, link=None, link_until=None)
        sessions.end_sessions(connection, person.id, keep=session.hash)
        record(connection, person, "changed the password", person.name, now)
        if account := stored.account_of(connection, person.id):
            tell_person(connection, secret, account, StaffNoticeKind.PASSWORD, browser_words(session), now)


def open_sessions(database: Database, person: Person, now: datetime) -> tuple[StaffSession, ...]:
    """Return the browsers in which a person is signed in, the last used first."""
    with database.read() as connection:
        return tuple(each for each in sessions.sessions_of(connection, person.id) if not is_over(each, now))


def end_session_named(database: Database, person: Person, name: str, now: datetime) -> bool:
    """End the session of a person that has a name; return False if it had ended."""
    with database.write() as connection:
        found = [each.hash for each in sessions.sessions_of(connection, person.id) if each.name == name]
        ended = [each for each in found if sessions.end_session(connection, each)]
        if ended:
            record(connection, person, "ended a session", person.name, now)
    return bool(ended)


def end_other_sessions(database: Database, person: Person, session: StaffSession, now: datetime) -> int:
    """End all sessions of a person but one; return their number."""
    with database.write() as connection:
        ended = sessions.end_sessions(connection, person.id, keep=session.hash)
        if ended:
            record(connection, person, f"ended {ended} other sessions", person.name, now)
    return ended
