"""Provide steps for tests of the ledger: an edition that is going out, and two senders, Ana and Ben."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import text, update

from digest.model.deliveries import DeliveryState, Recipient, Result
from digest.model.editions import EditionState, StepCause
from digest.storage.database import Database, open_database
from digest.storage.editions.steps import advance
from digest.storage.ledger import addressing, senders, slices
from digest.storage.ledger import deliveries as ledger
from digest.storage.ledger.deliveries import Step
from digest.storage.ledger.leases import LEASE, Again, never
from digest.storage.ledger.outcomes import list_deliveries
from digest.storage.ledger.settling import settle_late
from digest.storage.ledger.slices import Sender, Slice
from digest.storage.tables.deliveries import deliveries
from subscribers.store.mailable import mailable
from tests.databases import create_tables
from tests.send.world import EDITION, NOW, add_edition, add_readers

LATER = NOW + LEASE
STATE = DeliveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """A sender that has a slice, and the deliveries that were due in it when it was taken."""

    held: Slice
    due: list[int]  # readers
    doubted: int  # deliveries that another sender had on the wire


def begin(database: Database, readers: int = 0, *, slices_of: int = 0) -> None:
    """Add an edition that is being sent, to so many readers; optionally in small slices."""
    add_edition(database)
    add_readers(database, readers)
    with database.write() as connection:
        advance(connection, EDITION, EditionState.SENDING, StepCause(at=NOW))
    addressed(database)
    if slices_of:
        cut_small(database, slices_of)


def addressed(database: Database) -> int:
    with database.write() as connection:
        return addressing.address(connection, EDITION, mailable("daily", NOW), now=NOW)


def cut_small(database: Database, size: int) -> None:
    """Divide the edition anew, into slices of so many deliveries."""
    with database.write() as connection:
        connection.execute(text("DELETE FROM slices"))
        slices.cut(connection, EDITION, size=size, now=NOW)


def take(
    database: Database,
    owner: str = "ana",
    *,
    now: datetime = NOW,
    ended: Sequence[str] = (),
    again: Again = never,
) -> Hand | None:
    """Take the next slice as a sender; None if none is free."""
    with database.write() as connection:
        slices.lock_state(connection, EDITION)
        sender = Sender(edition_id=EDITION, owner=owner, again=again)
        taken = slices.take(connection, sender, now=now, due_by=now, ended=ended)
        due = ledger.due_in(connection, taken[0], now) if taken else []
    return Hand(held=taken[0], due=due, doubted=taken[1]) if taken else None


def taken(database: Database, owner: str = "ana", *, now: datetime = NOW, again: Again = never) -> Hand:
    """Take the next slice as a sender; one must be free."""
    hand = take(database, owner, now=now, again=again)
    assert hand
    return hand


def recipients(database: Database, hand: Hand) -> list[Recipient]:
    with database.read() as connection:
        return ledger.recipients(connection, mailable("daily", NOW), EDITION, hand.due, NOW)


def step(
    database: Database,
    hand: Hand,
    *results: Result,
    wire: Collection[int] = (),
    turns: Sequence[tuple[int, datetime]] = (),
    leaves: bool = False,
    now: datetime = NOW,
) -> bool:
    """Write one step of a sender: from then on, `wire` is on the wire."""
    written = Step(slice=hand.held, wire=wire, results=results, turns=turns, leaves=leaves)
    with database.write() as connection:
        return ledger.write(connection, written, now=now)


def late(database: Database, *results: Result, owner: str = "ana") -> None:
    """Record answers that a sender got after it had lost its slice."""
    with database.write() as connection:
        settle_late(connection, EDITION, owner, results, now=NOW)


def states(database: Database) -> dict[int, DeliveryState]:
    with database.read() as connection:
        rows = list_deliveries(connection, EDITION, limit=1000)
    return {row.subscriber_id: row.state for row in rows}


def next_look(database: Database) -> datetime | None:
    with database.read() as connection:
        return senders.next_look(connection, EDITION)


def accepted(key: int) -> Result:
    return Result(key, STATE.ACCEPTED, None, 250, "2.0.0 queued")


def rejected(key: int) -> Result:
    return Result(key, STATE.REJECTED, None, 550, "5.1.1 no such user")


def deferred(key: int, until: datetime) -> Result:
    return Result(key, STATE.DEFERRED, until, 451, "4.7.1 later")


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
