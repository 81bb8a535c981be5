"""Divide an edition's deliveries into slices, each written by one sender at a time.

A slice is a range of subscriber ids. A sender that takes a slice raises its fence; each later transaction of
this sender writes the slice's row first, on the condition that the fence is still the same. So a sender that
overslept its lease writes nothing, and senders wait neither for each other nor for a lock on the edition.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    TextClause,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    update,
)

from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState
from digest.storage.ledger.leases import (
    CLOCK,
    LEASE,
    NO_ANSWER,
    Again,
    by_caller,
    is_stale,
    lease_time,
    never,
)
from digest.storage.ledger.prepared import Prepared, among
from digest.storage.tables.deliveries import SENDABLE, deliveries, slices
from digest.storage.tables.editions import editions
from subscribers.store.tables import upsert

LARGEST = 5_000  # deliveries in a slice
_SMALLEST = 500
_FEWEST = 16  # slices of an edition, so that several senders have something to do


class Slice(NamedTuple):
    """A range of an edition's deliveries that a sender has taken, from one subscriber id to another.

    `owner` is unique to one run of one process.
    """

    edition_id: str
    number: int
    first_id: int
    last_id: int
    fence: int
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One run of one process that takes slices of an edition, by its unique name.

    A slice of another sender is taken after `lease`; what was on the wire is settled by `again`, see `doubt`.
    With a number in `only`, no other slice is taken.
    """

    edition_id: str
    owner: str
    lease: timedelta = LEASE
    again: Again = never
    only: int | None = None


def size_for(total: int) -> int:
    """Return how many deliveries of an edition of `total` make a slice."""
    return min(max(-(-total // _FEWEST), _SMALLEST), LARGEST)


def cut(connection: Connection, edition_id: str, *, size: int, now: datetime) -> None:
    """Divide the deliveries of an edition into slices that are due now; existing slices are kept."""
    before = func.row_number().over(order_by=deliveries.c.subscriber_id) - 1
    number = (before // size).label("number")
    ids = deliveries.c.subscriber_id.label("id")
    cuts = select(number, ids).where(deliveries.c.edition_id == edition_id).subquery("cuts")
    columns = ["edition_id", "number", "first_id", "last_id", "wire", "due_at", "moved_at"]
    rows = select(
        literal(edition_id),
        cuts.c.number,
        func.min(cuts.c.id),
        func.max(cuts.c.id),
        literal(b""),
        literal(now, slices.c.due_at.type),
        literal(now, slices.c.moved_at.type),
    ).group_by(cuts.c.number)
    connection.execute(upsert(connection, slices).from_select(columns, rows).on_conflict_do_nothing())


def ensure_cut(connection: Connection, edition_id: str, now: datetime) -> None:
    """Divide an edition that was sent before there were slices."""
    of_edition = slices.c.edition_id == edition_id
    if connection.scalar(select(slices.c.number).where(of_edition).limit(1)) is None:
        count = select(func.count()).where(deliveries.c.edition_id == edition_id)
        cut(connection, edition_id, size=size_for(connection.scalar(count) or 0), now=now)


# ── take ────────────────────────────────────────────────────────────────────────────────────


def take(
    connection: Connection,
    sender: Sender,
    *,
    now: datetime,
    due_by: datetime | None,
    ended: Sequence[str] = (),
) -> tuple[Slice, int] | None:
    """Take the free slice that has been due longest; return it, and how many deliveries were in doubt.

    A slice is free if nobody has it, or if its sender has `ended` or has not moved it for a lease. With
    `due_by` None, any slice with open deliveries will do. The caller must have locked the edition, by
    `lock_state`.
    """
    free = or_(
        slices.c.owner.is_(None),
        slices.c.owner.in_(ended),
        is_stale(connection, slices.c.moved_at, sender.lease, now),
    )
    is_due = slices.c.due_at.is_not(None) if due_by is None else slices.c.due_at <= due_by
    which = [] if sender.only is None else [slices.c.number == sender.only]
    found = (
        select(slices)
        .where(slices.c.edition_id == sender.edition_id, is_due, free, *which)
        .order_by(slices.c.due_at, slices.c.number)
        .limit(1)
        .with_for_update(skip_locked=True)  # a sender that has its row locked is at work
    )
    row = connection.execute(found).one_or_none()
    if row is None:
        return None
    before = Slice(sender.edition_id, row.number, row.first_id, row.last_id, row.fence, row.owner or "")
    mine = before._replace(fence=before.fence + 1, owner=sender.owner)
    raised = {"fence": mine.fence, "owner": mine.owner, "wire": b"", "moved_at": lease_time(connection, now)}
    this = slices.c.edition_id == mine.edition_id, slices.c.number == mine.number
    connection.execute(update(slices).where(*this).values(raised))
    wire = unpacked(row.wire)
    doubt(connection, before, wire, again=sender.again, now=now)
    return mine, len(wire)


def doubt(connection: Connection, held: Slice, wire: Collection[int], *, again: Again, now: datetime) -> None:
    """Count a try for deliveries on the wire whose sender is gone; they become uncertain, or are due again.

    For each delivery, `again` gets the number of tries. If it returns True, the delivery is due again at
    once, because only a server's answer is a reason to wait, and keeps its Message-ID.
    """
    if not wire:
        return
    columns = deliveries.c.subscriber_id, deliveries.c.tries
    on_wire = connection.execute(select(*columns).where(open_in(held), _among(connection, wire))).all()
    resent = {key for key, tries in on_wire if again(tries + 1)}
    tried = {"tries": deliveries.c.tries + 1, "changed_at": now}
    goes = update(deliveries).where(open_in(held), _among(connection, resent))
    connection.execute(goes.values(tried))
    # The owner is kept. If that sender is alive after all, its receipts will still decide the outcome.
    uncertain = {"state": DeliveryState.UNCERTAIN, "due_at": None, "owner": held.owner, "reply": NO_ANSWER}
    stays = update(deliveries).where(open_in(held), _among(connection, set(wire) - resent))
    connection.execute(stays.values({**tried, **uncertain}))


# ── a slice that a sender has taken ─────────────────────────────────────────────────────────

_OWN = and_(
    slices.c.edition_id == bindparam("edition"),
    slices.c.number == bindparam("slice"),
    slices.c.fence == bindparam("mine"),
)
_AT = bindparam("at", type_=slices.c.moved_at.type)
_KEPT = update(slices).where(_OWN).values(wire=bindparam("ids"))
_HOLD = Prepared(_KEPT.values(moved_at=_AT))
_HOLD_BY_DATABASE = Prepared(_KEPT.values(moved_at=CLOCK))


def _own(held: Slice) -> dict[str, object]:
    """Return the values by which `_OWN` finds a slice."""
    return {"edition": held.edition_id, "slice": held.number, "mine": held.fence}


def hold(connection: Connection, held: Slice, wire: Collection[int], *, now: datetime) -> bool:
    """Record what a sender has on the wire from now on, which renews its lease; False: another has the slice.

    This must be the first statement that a transaction makes about a slice, because it also locks the row.
    """
    values = {**_own(held), "ids": _packed(wire)}
    if by_caller(connection):
        return bool(_HOLD.run(connection, {**values, "at": now}).rowcount)
    return bool(_HOLD_BY_DATABASE.run(connection, values).rowcount)


def wire_of(connection: Connection, held: Slice) -> frozenset[int] | None:
    """Return what a slice says is on the wire, and lock it; None: another sender has the slice."""
    wire = connection.scalar(select(slices.c.wire).where(_OWN).with_for_update(), _own(held))
    return None if wire is None else unpacked(wire)


def leave(connection: Connection, held: Slice, *, now: datetime) -> None:
    """Give a slice back; it is due when the first of its open deliveries is, or never again."""
    due = func.coalesce(deliveries.c.due_at, literal(now, deliveries.c.due_at.type))
    first = select(func.min(due)).where(open_in(held)).scalar_subquery()
    left = update(slices).where(_OWN).values(owner=None, wire=b"", due_at=first)
    connection.execute(left.values(moved_at=lease_time(connection, now)), _own(held))


def keep_only(connection: Connection, sender: Sender, numbers: Collection[int], *, now: datetime) -> None:
    """Free the slices that a sender has without knowing it: all of its slices except those with `numbers`."""
    its = slices.c.edition_id == sender.edition_id, slices.c.owner == sender.owner
    freed = update(slices).where(*its, slices.c.number.not_in(numbers)).values(owner=None, due_at=now)
    connection.execute(freed.values(moved_at=lease_time(connection, now)))


def open_in(held: Slice) -> ColumnElement[bool]:
    """Return the condition for the open deliveries of a slice.

    The range is part of every statement about deliveries. So PostgreSQL reads no more than a slice, even if
    its statistics do not know the edition.
    """
    ids = deliveries.c.subscriber_id.between(held.first_id, held.last_id)
    return and_(deliveries.c.edition_id == held.edition_id, ids, SENDABLE)


def _among(connection: Connection, ids: Collection[int]) -> ColumnElement[bool]:
    return among(connection, deliveries.c.subscriber_id, ids)


# ── all slices of an edition ────────────────────────────────────────────────────────────────


def lock_state(connection: Connection, edition_id: str) -> EditionState | None:
    """Return the state of an edition, which nobody changes until the commit; None: it does not exist."""
    query = select(editions.c.state).where(editions.c.id == edition_id)
    state = connection.scalar(query.with_for_update(read=True))
    return EditionState(state) if state else None


def open_slices(connection: Connection, edition_id: str) -> tuple[int, ...]:
    """Return the numbers of the slices with open deliveries."""
    of_edition = slices.c.edition_id == edition_id, slices.c.due_at.is_not(None)
    return tuple(connection.scalars(select(slices.c.number).where(*of_edition).order_by(slices.c.number)))


def is_accepted(connection: Connection, edition_id: str) -> bool:
    """Tell whether a server has accepted at least one message of an edition."""
    # Only slices that a sender has had are read, because an edition may have millions of deliveries.
    inside = deliveries.c.subscriber_id.between(slices.c.first_id, slices.c.last_id)
    joined = slices.join(deliveries, and_(deliveries.c.edition_id == slices.c.edition_id, inside))
    taken = slices.c.edition_id == edition_id, slices.c.fence > 0
    accepted = select(slices.c.number).select_from(joined)
    found = accepted.where(*taken, deliveries.c.state == DeliveryState.ACCEPTED).limit(1)
    return connection.scalar(found) is not None


def look_again(
    connection: Connection, edition_id: str, at: datetime, *which: ColumnElement[bool] | TextClause
) -> None:
    """Make those slices due at a time in which some deliveries, by these conditions, are about to be due.

    Must be called before the deliveries are changed: the lock on a slice comes before those on its
    deliveries. A sender that is leaving the slice has then left it, or will see the change.
    """
    inside = deliveries.c.subscriber_id.between(slices.c.first_id, slices.c.last_id)
    some = select(deliveries.c.subscriber_id).where(deliveries.c.edition_id == edition_id, inside, *which)
    theirs = update(slices).where(slices.c.edition_id == edition_id, some.exists())
    connection.execute(theirs.values(due_at=at))


def look_everywhere(connection: Connection, edition_id: str, at: datetime) -> None:
    """Make all slices with open deliveries due at a time."""
    of_edition = slices.c.edition_id == edition_id, slices.c.due_at.is_not(None)
    connection.execute(update(slices).where(*of_edition).values(due_at=at))


def end_leases(connection: Connection, limit: datetime, now: datetime) -> None:
    """Free the slices that moved later than `limit`, because a clock was wrong once.

    On PostgreSQL, leases go by the clock of the database, and `limit` is not used; see `date_back_moves`.
    """
    if by_caller(connection):
        ahead = update(slices).where(slices.c.moved_at > limit)
        connection.execute(ahead.values(moved_at=now - LEASE))


# ── ids in a column ─────────────────────────────────────────────────────────────────────────

_ID_SIZE = 8  # bytes of a packed id


def _packed(ids: Collection[int]) -> bytes:
    """Pack ids as eight bytes each, because JSON takes four times as long for each group that is sent."""
    return struct.pack(f"<{len(ids)}q", *ids)


def unpacked(column: bytes) -> frozenset[int]:
    """Return the ids in a column that `_packed` made."""
    return frozenset(struct.unpack(f"<{len(column) // _ID_SIZE}q", column))
