"""Sign people in and out: passwords, limits, one-time links and sessions."""

from __future__ import annotations

import hmac
import logging
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from digest.editions.notices.account import tell_person
from digest.model.staff import Person
from digest.schedule.staff_notices import StaffNoticeKind
from digest.staff.audit import record
from digest.staff.passwords import hash_password, is_outdated, is_password, password_fault
from digest.staff.people import StaffError
from digest.storage.database import Connection, Database
from digest.storage.staff import people as stored
from digest.storage.staff import sessions
from digest.storage.staff.people import Account
from digest.storage.staff.sessions import StaffSession
from subscribers.address import parse_address
from subscribers.errors import AddressError
from subscribers.store.confirmations import count_attempt
from subscribers.tokens import address_hash, token_hash

log = logging.getLogger(__name__)

IDLE = timedelta(minutes=30)  # a session that is not used ends after this time
LIFE = timedelta(hours=12)  # and every session after this one
WINDOW = timedelta(minutes=15)  # in which attempts are counted
OF_ACCOUNT, OF_CLIENT = 10, 30  # attempts in one window
_SEEN = timedelta(minutes=1)  # how exactly the last use of a session is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """The client that asks to be signed in: a key to count by, its network, its browser."""

    key: str
    client: str = ""
    browser: str = ""


class Refusal(StrEnum):
    """Why nobody is signed in. The pages say nothing more, so that nobody learns which accounts exist."""

    WRONG = "wrong"
    TOO_MANY = "too many"


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The person whose password was right. `second` means that a code of the second factor is needed too."""

    person: Person
    second: bool
    mark: str = field(repr=False)  # changes with the password


def check_password(
    database: Database, secret: bytes, address: str, password: str, *, visitor: Visitor, now: datetime
) -> Welcome | Refusal:
    """Check an address and a password, and count the attempt. The answer takes as long for any address."""
    folded = _folded(address)
    if not _admit(database, secret, folded, visitor, now):
        log.warning("there were too many attempts to sign in, by one network or to one account")
        return Refusal.TOO_MANY
    with database.read() as connection:
        account = stored.account_at(connection, folded)
    usable = account if account is not None and account.removed_at is None else None
    right = is_password(usable.password if usable else None, password)
    if usable is None or not right:
        log.info("somebody could not sign in as %s", usable.person.id if usable else "nobody we know")
        return Refusal.WRONG
    if usable.password and is_outdated(usable.password):
        with database.write() as connection:
            stored.change_account(connection, usable.person.id, password=hash_password(password))
    return welcome_of(usable)


def admits(database: Database, visitor: Visitor, now: datetime) -> bool:
    """Count a request that makes this server ask a provider; False if a client has made too many."""
    with database.write() as connection:
        return count_attempt(connection, f"staff:oidc:{visitor.key}", window=WINDOW, now=now) <= OF_CLIENT


def begin_session(
    database: Database, person_id: str, visitor: Visitor, now: datetime, *, tell: bytes | None = None
) -> str:
    """Sign a person in, and return the new cookie, which is kept nowhere.

    The person is told by email if `tell` is given, the secret of the installation. Raises StaffError if there
    is no account any more.
    """
    with database.write() as connection:
        account = stored.account_of(connection, person_id)
        if account is None or not account.is_active:
            raise StaffError("there is no account any more")
        if tell is not None:
            tell_person(connection, tell, account, StaffNoticeKind.SIGN_IN, browser_words(visitor), now)
        return _begin(connection, account.person, visitor, now)


def browser_words(used: Visitor | StaffSession) -> str:
    """Return in which browser something was done, in words: "in Firefox on Linux"."""
    return f"in {used.browser}" if used.browser else ""


def person_of(
    database: Database, cookie: str, now: datetime, *, used: bool = True
) -> tuple[Person, StaffSession] | None:
    """Return the person who is signed in with a cookie, and the session; None if it is over.

    The session is prolonged if it is `used`, and not by a page that asks for news by itself.
    """
    hashed = token_hash(cookie)
    with database.read() as connection:
        session = sessions.session_at(connection, hashed)
        account = stored.account_of(connection, session.person_id) if session else None
    if session is None or account is None or not account.is_active or is_over(session, now):
        return None
    if used and now - session.seen_at >= _SEEN:
        with database.write() as connection:
            sessions.note_seen(connection, hashed, now)
        session = replace(session, seen_at=now)
    return account.person, session


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLeft:
    """The seconds until a session ends. Use prolongs it, unless the end `is_final`."""

    seconds: int
    is_final: bool


def time_left(session: StaffSession, now: datetime) -> TimeLeft:
    """Return how long a session lasts if it is not used."""
    unused, last = session.seen_at + IDLE, session.made_at + LIFE
    left = min(unused, last) - now
    return TimeLeft(seconds=max(0, int(left.total_seconds())), is_final=last <= unused)


def is_over(session: StaffSession, now: datetime) -> bool:
    """Tell whether the time of a session is over."""
    return now - session.seen_at >= IDLE or now - session.made_at >= LIFE


def sign_out(database: Database, cookie: str) -> None:
    """End the session of a cookie."""
    with database.write() as connection:
        sessions.end_session(connection, token_hash(cookie))


def person_of_link(database: Database, token: str, now: datetime) -> Person | None:
    """Return the person whose one-time link has this token; None if the link is used, replaced or too old."""
    with database.read() as connection:
        account = stored.account_by_link(connection, token_hash(token), now)
    return account.person if account else None


def use_link(
    database: Database,
    token: str,
    password: str,
    *,
    now: datetime,
    visitor: Visitor | None = None,
    tell: bytes | None = None,
) -> Welcome | None:
    """Set a password by a one-time link; None if the link cannot be used.

    All sessions of the person end. The person is told by email if `tell` is given, the secret of the
    installation. Raises StaffError if the password cannot be used.
    """
    person = person_of_link(database, token, now)
    if person is None:
        return None
    _require_good(password, person)
    hashed = hash_password(password)
    with database.write() as connection:
        account = stored.account_by_link(connection, token_hash(token), now)
        if account is None:
            return None
        values = {"password": hashed, "link": None, "link_until": None}
        stored.change_account(connection, person.id, **values)
        sessions.end_sessions(connection, person.id)
        record(connection, person, "set a password by link", person.name, now)
        if tell is not None:
            how = browser_words(visitor) if visitor else ""
            tell_person(connection, tell, account, StaffNoticeKind.PASSWORD, how, now)
        known = stored.account_of(connection, person.id)
    return welcome_of(known) if known else None


def still_welcome(database: Database, person_id: str, mark: str) -> Person | None:
    """Return the person whose password was right a moment ago, unless the password has changed since."""
    with database.read() as connection:
        account = stored.account_of(connection, person_id)
    if account is None or not account.is_active or not hmac.compare_digest(_mark(account), mark):
        return None
    return account.person


def welcome_of(account: Account) -> Welcome:
    """Return what is known of a person who has just proved who they are."""
    return Welcome(person=account.person, second=account.totp is not None, mark=_mark(account))


def _mark(account: Account) -> str:
    return token_hash(account.password or "")[:16]


def _begin(connection: Connection, person: Person, visitor: Visitor, now: datetime) -> str:
    cookie = secrets.token_urlsafe(32)
    session = StaffSession(
        hash=token_hash(cookie),
        person_id=person.id,
        made_at=now,
        seen_at=now,
        client=visitor.client,
        browser=visitor.browser,
    )
    sessions.expire_sessions(connection, made_before=now - LIFE, seen_before=now - IDLE)
    sessions.add_session(connection, session)
    stored.change_account(connection, person.id, signed_in_at=now)
    record(connection, person, "signed in", "", now)
    return cookie


def _admit(database: Database, secret: bytes, folded: str, visitor: Visitor, now: datetime) -> bool:
    """Count an attempt to sign in, under the account and under the client."""
    with database.write() as connection:
        of_client = count_attempt(connection, f"staff:{visitor.key}", window=WINDOW, now=now)
        key = f"staff:account:{address_hash(secret, folded)}"
        of_account = count_attempt(connection, key, window=WINDOW, now=now)
    return of_client <= OF_CLIENT and of_account <= OF_ACCOUNT


def _require_good(password: str, person: Person) -> None:
    if fault := password_fault(password, person.name, person.address):
        raise StaffError(fault)


def _folded(address: str) -> str:
    """Return an address as accounts have it; what is no address belongs to no account."""
    try:
        return parse_address(address).folded
    except AddressError:
        return "nobody"
