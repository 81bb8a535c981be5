"""Find the senders that are at work, what they have on the wire, and the slices that wait for a sender."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select, update

from digest.model.editions import EditionState
from digest.storage.ledger.leases import CLOCK, LEASE, is_stale
from digest.storage.ledger.slices import unpacked
from digest.storage.tables.deliveries import slices
from digest.storage.tables.editions import editions

_UNDER_WAY = EditionState.SENDING, EditionState.CANCELLED  # only such editions have senders


def owners(connection: Connection, edition_id: str | None = None) -> tuple[str, ...]:
    """Return the names of all senders that have slices, of one edition or of all that are under way."""
    if edition_id is None:
        held = _held(connection)
    else:
        held = select(slices).where(slices.c.edition_id == edition_id, slices.c.owner.is_not(None))
    return tuple(connection.scalars(held.with_only_columns(slices.c.owner).distinct()))


def editions_at_work(connection: Connection) -> tuple[str, ...]:
    """Return the ids of the editions of which senders have slices."""
    held = _held(connection).with_only_columns(slices.c.edition_id)
    return tuple(connection.scalars(held.distinct()))


def at_work(connection: Connection) -> tuple[tuple[str, str, int, int, datetime], ...]:
    """Return every sender: its edition, name, slices, deliveries on the wire, and when it last moved one."""
    rows = connection.execute(_held(connection).order_by(slices.c.edition_id, slices.c.owner)).all()
    return tuple(
        (*who, len(its), sum(len(unpacked(row.wire)) for row in its), max(row.moved_at for row in its))
        for who, group in groupby(rows, key=attrgetter("edition_id", "owner"))
        for its in [list(group)]
    )


def _held(connection: Connection) -> Select[Any]:
    """Return a query for the slices that senders have, of all editions."""
    return select(slices).where(slices.c.edition_id.in_(_under_way(connection)), slices.c.owner.is_not(None))


def on_wire(connection: Connection, edition_id: str) -> frozenset[int]:
    """Return the subscribers whose deliveries are on the wire."""
    wires = select(slices.c.wire).where(slices.c.edition_id == edition_id, slices.c.owner.is_not(None))
    return frozenset().union(*map(unpacked, connection.scalars(wires)))


def without_sender(
    connection: Connection, now: datetime, *, ended: Sequence[str] = (), only_ended: bool = False
) -> tuple[tuple[str, int], ...]:
    """Return the due slices that no sender has, of all editions being sent: the edition's id and the number.

    A sender has lost its slice if it has `ended`, or has not moved it for a lease. With `only_ended`, only
    the slices of those senders are found. The oldest come first.
    """
    lost = slices.c.owner.in_(ended)
    free = or_(slices.c.owner.is_(None), lost, is_stale(connection, slices.c.moved_at, LEASE, now))
    going = editions.c.state == EditionState.SENDING, editions.c.paused_at.is_(None)
    ids = connection.scalars(select(editions.c.id).where(*going)).all()
    found = (
        select(slices.c.edition_id, slices.c.number)
        .where(slices.c.edition_id.in_(ids), slices.c.due_at <= now, lost if only_ended else free)
        .order_by(slices.c.due_at, slices.c.edition_id, slices.c.number)
    )
    return tuple((edition_id, number) for edition_id, number in connection.execute(found))


def with_nothing_open(connection: Connection) -> tuple[str, ...]:
    """Return the ids of the editions being sent of which no slice has anything open."""
    has_open = select(slices.c.number).where(
        slices.c.edition_id == editions.c.id, slices.c.due_at.is_not(None)
    )
    found = select(editions.c.id).where(editions.c.state == EditionState.SENDING, ~has_open.exists())
    return tuple(connection.scalars(found))


def next_look(connection: Connection, edition_id: str) -> datetime | None:
    """Return when an edition next needs a sender: when a slice is due, or when a sender may have died."""
    of_edition = slices.c.edition_id == edition_id, slices.c.due_at.is_not(None)
    due_at = connection.scalar(select(func.min(slices.c.due_at)).where(*of_edition, slices.c.owner.is_(None)))
    moved = select(func.min(slices.c.moved_at)).where(*of_edition, slices.c.owner.is_not(None))
    moved_at = connection.scalar(moved)
    times = due_at, moved_at and moved_at + LEASE
    return min((each for each in times if each), default=None)


def date_back_moves(connection: Connection) -> None:
    """Let slices that moved later than now have moved now, because the clock of PostgreSQL was put back.

    Their leases then run out two minutes from now, and not two minutes after that time.
    """
    ids = _under_way(connection)
    ahead = slices.c.edition_id.in_(ids), slices.c.owner.is_not(None), slices.c.moved_at > CLOCK
    connection.execute(update(slices).where(*ahead).values(moved_at=CLOCK))


def _under_way(connection: Connection) -> Sequence[str]:
    # With the ids in the statement, PostgreSQL knows that they are few, and does not read the slices of all
    # editions that were ever sent.
    return connection.scalars(select(editions.c.id).where(editions.c.state.in_(_UNDER_WAY))).all()
