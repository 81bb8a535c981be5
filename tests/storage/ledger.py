"""Provide steps for tests of the ledger: an edition that is going out, and two senders, Ana and Ben."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text, update

from digest.model.deliveries import DeliveryState, Recipient, Result
from digest.model.editions import EditionState, StepCause
from digest.storage.database import Database, open_database
from digest.storage.editions.steps import advance
from digest.storage.ledger import addressing
from digest.storage.ledger import deliveries as ledger
from digest.storage.ledger.outcomes import list_deliveries
from digest.storage.ledger.queue import START, Place
from digest.storage.ledger.senders import Sender
from digest.storage.tables.deliveries import deliveries
from digest.storage.tables.editions import editions
from subscribers.store.mailable import mailable
from tests.databases import create_tables
from tests.send.world import EDITION, NOW, add_edition, add_readers

LEASE = timedelta(minutes=2)

ANA = Sender(edition_id=EDITION, owner="ana", lease=LEASE)
BEN = Sender(edition_id=EDITION, owner="ben", lease=LEASE)
LATER = NOW + LEASE
STATE = DeliveryState


def begin(database: Database, readers: int = 0) -> None:
    add_edition(database)
    add_readers(database, readers)
    with database.write() as connection:
        advance(connection, EDITION, EditionState.SENDING, StepCause(at=NOW))
    addressed(database)


def addressed(database: Database) -> int:
    with database.write() as connection:
        return addressing.address(connection, EDITION, mailable("daily", NOW), now=NOW)


def claimed(database: Database, sender: Sender = ANA, *, at: int = 0, limit: int = 100) -> list[Recipient]:
    now = NOW + timedelta(seconds=at)
    with database.write() as connection:
        page, _ = ledger.claim(connection, sender, mailable("daily", now), now=now, limit=limit)
    return list(page or ())


def marked(database: Database, ids: Sequence[int], sender: Sender = ANA) -> list[int]:
    with database.write() as connection:
        return sorted(ledger.exchange(connection, sender, mailable("daily", NOW), marks=ids, now=NOW))


def settled(database: Database, *results: Result, sender: Sender = ANA) -> None:
    with database.write() as connection:
        ledger.exchange(connection, sender, mailable("daily", NOW), results=results, now=NOW)


def taken(
    database: Database, sender: Sender = ANA, *results: Result, after: Place = START, limit: int = 2
) -> tuple[list[int] | None, Place]:
    with database.write() as connection:
        readers = mailable("daily", NOW)
        group, place = ledger.take(
            connection, sender, readers, results=results, after=after, limit=limit, now=NOW
        )
    return None if group is None else [reader.subscriber_id for reader in group], place


def states(database: Database) -> dict[int, DeliveryState]:
    with database.read() as connection:
        rows = list_deliveries(connection, EDITION, limit=1000)
    return {row.subscriber_id: row.state for row in rows}


def accepted(key: int) -> Result:
    return Result(key, STATE.ACCEPTED, None, 250, "2.0.0 queued")


def ids(page: Sequence[Recipient]) -> list[int]:
    return [reader.subscriber_id for reader in page]


def with_tables(url: str) -> Database:
    database = replace(open_database(url), leases_by_caller=True)
    with database.write() as connection:
        create_tables(connection)
    return database


def until_it_waits(database: Database, other: Future[Any]) -> None:
    """Return when another thread waits for a lock in PostgreSQL, or has ended without waiting."""
    here = "FROM pg_stat_activity WHERE datname = current_database()"
    blocked = f"SELECT count(*) {here} AND wait_event_type = 'Lock'"
    waits = False
    while not (waits or other.done()):
        with database.read() as connection:
            waits = bool(connection.scalar(text(blocked)))


def put_off(database: Database, number: int, due_at: datetime) -> None:
    with database.write() as connection:
        connection.execute(
            update(deliveries).where(deliveries.c.subscriber_id == number).values(due_at=due_at)
        )


def goes_at_once(database: Database) -> bool:
    with database.read() as connection:
        return bool(connection.scalar(select(editions.c.at_once)))
