"""Short forms of the operations that the tests use: sign up, confirm, change the address, two at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Connection, Table, func, select, text

from digest.storage.database import Database, open_database
from subscribers.address import parse_address
from subscribers.model import (
    Format,
    Origin,
    Preferences,
    Reader,
    Subscriber,
    SubscriberState,
)
from subscribers.rules.decisions import Refused, SignupLimits, SubscriptionRequest
from subscribers.rules.moving import Move, Moved, MoveRequest
from subscribers.rules.notices import NoticeKind
from subscribers.rules.signup import Confirmed, Signup, SignupRequest
from subscribers.store import confirmations, moving, readers, signup
from subscribers.store.mailable import mailable
from subscribers.store.tables import notices
from subscribers.tokens import address_hash
from tests.databases import create_tables

SECRET = b"a secret of the tests, long enough"
NOW = datetime(2026, 11, 22, 7, 30, 0, 123456, tzinfo=UTC)
LIMITS = SignupLimits()
Answer = TypeVar("Answer")
FORM = Origin(source="form:daily", wording="2026-11", client="192.0.2.0/24")
DAILY = SubscriptionRequest(
    digest="daily", preferences=Preferences.parse(topics="-sport", hour="7:30", zone="Europe/Berlin")
)


LINKS: dict[str, str] = {}  # the hash of each link's token, by the name that a test gives to the link


def sign_up(
    database: Database, name: str, *, address: str = "Anna@example.org", now: datetime = NOW
) -> Signup:
    request = SignupRequest(
        address=parse_address(address),
        address_hash=hash_of(address),
        requests=(DAILY,),
        language="de",
        format=Format.TEXT,
        origin=FORM,
    )
    with database.write() as connection:
        decision = signup.sign_up(connection, request, secret=SECRET, limits=LIMITS, now=now)
        _name_link(connection, name, NoticeKind.CONFIRMATION)
    return decision


def _name_link(connection: Connection, name: str, kind: NoticeKind) -> None:
    """Let a name stand for the link of the latest notice of a kind."""
    latest = select(notices.c.token_hash).where(notices.c.kind == kind).order_by(notices.c.id.desc()).limit(1)
    LINKS[name] = connection.scalar(latest) or ""


def confirm_link(database: Database, name: str, now: datetime = NOW) -> Confirmed | Refused:
    with database.write() as connection:
        return signup.confirm(
            connection, LINKS.get(name, name), origin=FORM, secret=SECRET, limits=LIMITS, now=now
        )


def fresh_link(database: Database, name: str, now: datetime = NOW) -> Signup:
    with database.write() as connection:
        old = LINKS.get(name, name)
        decision = signup.fresh_link(connection, old, secret=SECRET, limits=LIMITS, now=now)
        _name_link(connection, "fresh", NoticeKind.CONFIRMATION)
    return decision


def on_the_list(database: Database) -> Subscriber:
    sign_up(database, "token")
    confirm_link(database, "token")
    subscriber = reader_of_address(database).subscriber
    assert subscriber is not None
    return subscriber


def move_request(address: str) -> MoveRequest:
    return MoveRequest(address=parse_address(address), address_hash=hash_of(address), origin=FORM)


def ask_move(
    database: Database,
    address: str,
    names: tuple[str, str] = ("old", "new"),
    of: str = "Anna@example.org",
) -> Move:
    subscriber = reader_of_address(database, of).subscriber
    assert subscriber is not None
    with database.write() as connection:
        decision = moving.ask_move(
            connection, subscriber.id, move_request(address), secret=SECRET, limits=LIMITS, now=NOW
        )
        for name, kind in zip(names, (NoticeKind.OLD_ADDRESS, NoticeKind.NEW_ADDRESS), strict=True):
            _name_link(connection, name, kind)
    return decision


def confirm_move(database: Database, name: str) -> Moved | Refused:
    with database.write() as connection:
        return moving.confirm_move(connection, LINKS.get(name, name), origin=FORM, now=NOW)


def expire_by(database: Database, now: datetime) -> int:
    with database.write() as connection:
        return confirmations.expire(connection, LIMITS, now)


def reader_of_address(database: Database, address: str = "Anna@example.org") -> Reader:
    with database.read() as connection:
        return readers.reader_at(connection, parse_address(address).folded, hash_of(address))


def mailable_now(database: Database, now: datetime = NOW) -> list[str]:
    with database.read() as connection:
        return [row.address for row in connection.execute(mailable("daily", now))]


def hash_of(address: str = "Anna@example.org") -> str:
    return address_hash(SECRET, parse_address(address).folded)


def names_of(readers: tuple[Reader, ...]) -> list[str]:
    return [reader.subscriber.folded.partition("@")[0] for reader in readers if reader.subscriber]


def count_of(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def half_moved(database: Database) -> None:
    on_the_list(database)
    ask_move(database, "new@example.org")
    assert confirm_move(database, "old") == Moved(change=None)


def at_the_new_address() -> Subscriber:
    new = "new@example.org"
    return replace(somebody(), address=new, folded=new, address_hash=hash_of(new))


def somebody() -> Subscriber:
    return Subscriber(
        id=1,
        address="anna@EXAMPLE.org",
        folded="anna@example.org",
        address_hash=hash_of(),
        state=SubscriberState.PENDING,
        language="en",
        created_at=NOW,
    )


def meanwhile(
    url: str,
    first: Callable[[Connection], None],
    second: Callable[[Database], Answer],
    prepare: Callable[[Database], object] = lambda database: None,
) -> tuple[Database, Answer]:
    """Let `second` begin while `first` is not committed, commit when it waits, and return its answer."""
    database = open_database(url)
    with database.write() as connection:
        create_tables(connection)
    prepare(database)
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            first(connection)
            answer = pool.submit(second, database)
            while not _somebody_waits(database):
                assert not answer.done(), answer.exception()
        return database, answer.result()


def _somebody_waits(database: Database) -> bool:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with database.read() as connection:
        return int(connection.execute(waiting).scalar_one()) > 0
