"""Keep a row for each sender of an edition: its lease, and the deliveries that it has claimed or marked.

A sender writes only its own row in each step; a delivery's row is written when its outcome is known. When a
sender has died, its row says which deliveries to take back.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Update,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from digest.model.deliveries import DeliveryState
from digest.storage.ledger.prepared import Prepared
from digest.storage.tables import SENDABLE, deliveries, senders

_Row = Row[*tuple[Any, ...]]
_NO_ANSWER = "the sender ended before the server answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A process that sends an edition under a lease. `owner` is unique to one run of one process."""

    edition_id: str
    owner: str
    lease: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The deliveries a sender holds, as subscriber ids. A delivery is claimed or on the wire, never both."""

    claimed: frozenset[int] = frozenset()
    wire: frozenset[int] = frozenset()

    @property
    def all(self) -> frozenset[int]:
        """Return all deliveries that are held."""
        return self.claimed | self.wire

    def __or__(self, other: Held) -> Held:
        return Held(claimed=self.claimed | other.claimed, wire=self.wire | other.wire)


NOTHING = Held()


# ── one sender's own row ────────────────────────────────────────────────────────────────────

_OWN = and_(senders.c.edition_id == bindparam("edition"), senders.c.owner == bindparam("sender"))
# The lock makes a cancellation wait until the sender's step is committed, and `_take_back` skips the row.
_HELD_BY = Prepared(select(senders.c.claimed, senders.c.wire).where(_OWN).with_for_update())
_HOLD = Prepared(
    update(senders)
    .where(_OWN)
    .values(
        claimed=bindparam("claims"),
        wire=bindparam("wires"),
        lease_until=bindparam("until", type_=senders.c.lease_until.type),
    )
)


def held_by(connection: Connection, sender: Sender) -> Held | None:
    """Return what a sender holds, and lock its row until the commit; None if it has no lease (any more)."""
    rows = _HELD_BY.rows(connection, {"edition": sender.edition_id, "sender": sender.owner})
    return _held(*rows[0]) if rows else None


def hold(connection: Connection, sender: Sender, held: Held, *, now: datetime) -> None:
    """Record what a sender holds from now on, and renew its lease; it must have one."""
    own = {"edition": sender.edition_id, "sender": sender.owner}
    kept = {"claims": _packed(held.claimed), "wires": _packed(held.wire), "until": now + sender.lease}
    _HOLD.run(connection, own | kept)


def begin_to_hold(connection: Connection, sender: Sender, held: Held, *, now: datetime) -> None:
    """Give a sender its first lease, and record what it holds."""
    own = {"edition_id": sender.edition_id, "owner": sender.owner}
    kept = {"claimed": _packed(held.claimed), "wire": _packed(held.wire), "lease_until": now + sender.lease}
    connection.execute(insert(senders), own | kept)


def let_go(connection: Connection, sender: Sender, ids: Collection[int], *, now: datetime) -> None:
    """Remove the marks of deliveries whose messages could not be made; the deliveries are due as before."""
    held = held_by(connection, sender)
    if held:
        hold(connection, sender, Held(claimed=held.claimed, wire=held.wire.difference(ids)), now=now)


def renew(connection: Connection, sender: Sender, *, now: datetime) -> None:
    """Renew the lease of a sender that is still at work."""
    own = {"edition": sender.edition_id, "sender": sender.owner}
    connection.execute(update(senders).where(_OWN).values(lease_until=now + sender.lease), own)


# ── all of an edition's senders ─────────────────────────────────────────────────────────────


_HELD_OF = Prepared(
    select(senders.c.claimed, senders.c.wire).where(
        senders.c.edition_id == bindparam("edition"), senders.c.owner != bindparam("sender")
    )
)


def holders(connection: Connection, edition_id: str) -> tuple[str, ...]:
    """Return the names of all senders that have a lease on deliveries of an edition."""
    return tuple(connection.scalars(select(senders.c.owner).where(senders.c.edition_id == edition_id)))


def held_of(connection: Connection, edition_id: str, but: Sender | None = None) -> Held:
    """Return what all senders of an edition hold together, except the sender `but`."""
    rows = _HELD_OF.rows(connection, {"edition": edition_id, "sender": but.owner if but else ""})
    return reduce(Held.__or__, (_held(*row) for row in rows), NOTHING)


def release(connection: Connection, sender: Sender, *, now: datetime, resends: int = 0) -> int:
    """Give back everything that a stopping sender holds; return how many deliveries. See `expire`."""
    own = senders.c.edition_id == sender.edition_id, senders.c.owner == sender.owner
    return _take_back(connection, and_(*own), now=now, resends=resends)


def expire(
    connection: Connection, edition_id: str, *, now: datetime, ended: Sequence[str] = (), resends: int = 0
) -> int:
    """Take deliveries back from senders that have `ended` or whose lease has run out; return how many.

    Claimed deliveries go back to the queue. Deliveries on the wire become uncertain, or also go back to the
    queue if they have had at most `resends` tries; they keep their Message-ID.
    """
    over = or_(senders.c.lease_until <= now, senders.c.owner.in_(ended))
    return _take_back(connection, and_(senders.c.edition_id == edition_id, over), now=now, resends=resends)


def _take_back(connection: Connection, whose: ColumnElement[bool], *, now: datetime, resends: int) -> int:
    # A sender whose row is locked is at work, so its lease is about to be renewed.
    lost = select(senders).where(whose).with_for_update(skip_locked=True)
    taken = 0
    for row in connection.execute(lost).all():
        held = _held(row.claimed, row.wire)
        _doubt(connection, row, held.wire, now=now, resends=resends)
        this = senders.c.edition_id == row.edition_id, senders.c.owner == row.owner
        connection.execute(delete(senders).where(*this))
        taken += len(held.all)
    return taken


def _doubt(
    connection: Connection, sender: _Row, wire: Collection[int], *, now: datetime, resends: int
) -> None:
    """Count a try for deliveries that were on the wire; they become uncertain, or stay in the queue."""
    # A delivery that goes again keeps its due time, so it is due at once. Only a server's answer is a reason
    # to wait.
    tried = _these(connection, sender.edition_id, wire).values(tries=deliveries.c.tries + 1, changed_at=now)
    connection.execute(tried)
    # The owner is kept. If that sender is alive after all, its receipts will still decide the outcome.
    uncertain = {"state": DeliveryState.UNCERTAIN, "due_at": None, "owner": sender.owner, "reply": _NO_ANSWER}
    too_often = deliveries.c.tries > resends
    connection.execute(_these(connection, sender.edition_id, wire).where(too_often).values(uncertain))


def _these(connection: Connection, edition_id: str, ids: Collection[int]) -> Update:
    """Return an update of the open deliveries to these readers."""
    listed = among(connection, deliveries.c.subscriber_id, ids)
    return update(deliveries).where(deliveries.c.edition_id == edition_id, listed, SENDABLE)


# ── ids in a column, and in a statement ─────────────────────────────────────────────────────


def _held(claimed: bytes, wire: bytes) -> Held:
    return Held(claimed=_unpacked(claimed), wire=_unpacked(wire))


def _packed(ids: Collection[int]) -> bytes:
    """Pack ids as eight bytes each, because JSON takes four times as long for each group that is sent."""
    return struct.pack(f"<{len(ids)}q", *ids)


def _unpacked(packed: bytes) -> frozenset[int]:
    return frozenset(struct.unpack(f"<{len(packed) // 8}q", packed))


def among(connection: Connection, column: ColumnElement[Any], ids: Iterable[int]) -> ColumnElement[bool]:
    """Return the condition that a column is one of some ids, for a statement that is run once."""
    dialect = connection.dialect.name
    return listed(dialect, column, bindparam("ids", id_list(dialect, ids), unique=True))


def listed(dialect: str, column: ColumnElement[Any], ids: BindParameter[Any]) -> ColumnElement[bool]:
    """Return the condition that a column is in a list; the list is one parameter, in the form of `id_list`.

    A parameter for each id would cost more than running the statement.
    """
    if dialect == "postgresql":
        return column == func.any(cast(ids, ARRAY(BigInteger)))
    return column.in_(select(func.json_each(ids).table_valued("value").c.value))


def id_list(dialect: str, ids: Iterable[int]) -> object:
    """Return ids as the value of a parameter for `listed`."""
    # The text of a Python list of integers is JSON, and takes a third of the time that `json.dumps` takes.
    return list(ids) if dialect == "postgresql" else str(list(ids))
