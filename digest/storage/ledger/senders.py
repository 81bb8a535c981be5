"""Keep a row for each sender of an edition: its lease, and the deliveries that it has claimed or marked.

A sender writes only its own row in each step; a delivery's row is written when its outcome is known. When a
sender has died, its row says which deliveries to take back.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Sequence
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
    Interval,
    Row,
    Select,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState
from digest.storage.ledger.prepared import Prepared
from digest.storage.tables.deliveries import SENDABLE, deliveries, senders
from digest.storage.tables.editions import editions

_Row = Row[*tuple[Any, ...]]
Again = Callable[[int], bool]  # by the number of tries: whether a message without an answer is sent again
LEASE = timedelta(minutes=2)
NO_ANSWER = "the sender ended before the server answered"


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
# The lock makes a cancellation wait until the sender's step is committed, and `expire` skips the row.
_HELD_BY = Prepared(select(senders.c.claimed, senders.c.wire).where(_OWN).with_for_update())
_KEPT = update(senders).where(_OWN).values(claimed=bindparam("claims"), wire=bindparam("wires"))
_HOLD = Prepared(_KEPT.values(lease_until=bindparam("until", type_=senders.c.lease_until.type)))
# The time of a node may be wrong; see `Database.leases_by_caller`.
_CLOCK = func.clock_timestamp(type_=senders.c.lease_until.type)
_HOLD_BY_DATABASE = Prepared(_KEPT.values(lease_until=_CLOCK + bindparam("lease", type_=Interval)))


def _by_caller(connection: Connection) -> bool:
    return bool(connection.get_execution_options()["digest_leases_by_caller"])


def lease_end(connection: Connection, lease: timedelta, now: datetime) -> Any:
    """Return when a lease that begins now will end, by the clock that leases go by."""
    return now + lease if _by_caller(connection) else _CLOCK + literal(lease, Interval)


def held_by(connection: Connection, sender: Sender) -> Held | None:
    """Return what a sender holds, and lock its row until the commit; None if it has no lease (any more)."""
    rows = _HELD_BY.rows(connection, {"edition": sender.edition_id, "sender": sender.owner})
    return _held(*rows[0]) if rows else None


def hold(connection: Connection, sender: Sender, held: Held, *, now: datetime) -> None:
    """Record what a sender holds from now on, and renew its lease; it must have one."""
    own = {"edition": sender.edition_id, "sender": sender.owner}
    kept = {"claims": _packed(held.claimed), "wires": _packed(held.wire)}
    if _by_caller(connection):
        _HOLD.run(connection, {**own, **kept, "until": now + sender.lease})
    else:
        _HOLD_BY_DATABASE.run(connection, {**own, **kept, "lease": sender.lease})


def begin_to_hold(connection: Connection, sender: Sender, held: Held, *, now: datetime) -> None:
    """Give a sender its first lease, and record what it holds."""
    own = {"edition_id": sender.edition_id, "owner": sender.owner}
    kept = {"claimed": _packed(held.claimed), "wire": _packed(held.wire)}
    until = lease_end(connection, sender.lease, now)
    connection.execute(insert(senders).values({**own, **kept, "lease_until": until}))


def let_go(connection: Connection, sender: Sender, ids: Collection[int], *, now: datetime) -> None:
    """Remove the marks of deliveries whose messages could not be made; the deliveries are due as before."""
    held = held_by(connection, sender)
    if held:
        hold(connection, sender, Held(claimed=held.claimed, wire=held.wire.difference(ids)), now=now)


def keep_wire(connection: Connection, sender: Sender, ids: Collection[int], *, now: datetime) -> None:
    """Give back all that a sender holds, except the deliveries on the wire with these ids; renew its lease.

    After an outage of the database, a sender does not know whether its last step was committed. What it has
    not handed to the transport is due as before.
    """
    held = held_by(connection, sender)
    if held:
        hold(connection, sender, Held(wire=held.wire.intersection(ids)), now=now)


def renew(connection: Connection, sender: Sender, *, now: datetime) -> None:
    """Renew the lease of a sender that is still at work."""
    own = {"edition": sender.edition_id, "sender": sender.owner}
    connection.execute(
        update(senders).where(_OWN).values(lease_until=lease_end(connection, sender.lease, now)), own
    )


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


def at_work(connection: Connection) -> tuple[tuple[str, str, Held, datetime], ...]:
    """Return every sender with a lease: its edition, its name, what it holds, and the end of the lease."""
    every = select(senders).order_by(senders.c.edition_id, senders.c.owner)
    return tuple(
        (row.edition_id, row.owner, _held(row.claimed, row.wire), row.lease_until)
        for row in connection.execute(every)
    )


def _never(_tries: int) -> bool:
    return False


def release(connection: Connection, sender: Sender, *, now: datetime, again: Again = _never) -> int:
    """Give back everything that a stopping sender holds; return how many deliveries. See `expire`."""
    # This waits if another transaction has locked the row, for example to cancel the edition.
    own = _senders_of(sender.edition_id).where(senders.c.owner == sender.owner).with_for_update()
    return _take_back(connection, sender.edition_id, own, now=now, again=again)


def expire(
    connection: Connection,
    edition_id: str,
    *,
    now: datetime,
    lease: timedelta = LEASE,
    ended: Sequence[str] = (),
    again: Again = _never,
) -> int:
    """Take deliveries back from senders that have `ended` or whose lease has run out; return how many.

    No sender can renew its lease while PostgreSQL is stopped. So no lease ends within one `lease` after the
    start of PostgreSQL, and every living sender can record its answers first.

    Claimed deliveries go back to the queue. For each delivery on the wire, `again` gets the number of tries.
    If it returns True and the edition is still being sent, the delivery goes back to the queue too, and keeps
    its Message-ID. Otherwise it becomes uncertain.
    """
    over = or_(ran_out(connection, senders.c.lease_until, lease, now), senders.c.owner.in_(ended))
    # A sender whose row is locked is at work, so its lease is about to be renewed.
    lost = _senders_of(edition_id).where(over).with_for_update(skip_locked=True)
    return _take_back(connection, edition_id, lost, now=now, again=again)


def ran_out(
    connection: Connection, lease_until: ColumnElement[Any], lease: timedelta, now: datetime
) -> ColumnElement[bool]:
    """Return the condition that a lease has run out, by the clock that leases go by."""
    if _by_caller(connection):
        return lease_until <= now
    first_end = func.pg_postmaster_start_time(type_=senders.c.lease_until.type) + literal(lease, Interval)
    return func.greatest(lease_until, first_end) <= _CLOCK


def end_leases(connection: Connection, limit: datetime, now: datetime) -> None:
    """End the leases that last longer than `limit`, so that others may take the deliveries; see `expire`.

    On PostgreSQL, leases go by the clock of the database, and `limit` is not used.
    """
    if _by_caller(connection):
        ahead = update(senders).where(senders.c.lease_until > limit)
        connection.execute(ahead.values(lease_until=now))


def _senders_of(edition_id: str) -> Select[tuple[Any, ...]]:
    return select(senders).where(senders.c.edition_id == edition_id)


def _take_back(
    connection: Connection, edition_id: str, lost: Select[tuple[Any, ...]], *, now: datetime, again: Again
) -> int:
    # The lock makes this wait for a cancellation, which would skip what goes back to the queue and so hide
    # that it may have arrived. It comes before the locks on senders, as in a claim and a cancellation.
    state = select(editions.c.state).where(editions.c.id == edition_id).with_for_update(read=True)
    if connection.scalar(state) != EditionState.SENDING:
        again = _never
    taken = 0
    for row in connection.execute(lost).all():
        held = _held(row.claimed, row.wire)
        _try_again_or_doubt(connection, row, held.wire, now=now, again=again)
        this = senders.c.edition_id == row.edition_id, senders.c.owner == row.owner
        connection.execute(delete(senders).where(*this))
        taken += len(held.all)
    return taken


def _try_again_or_doubt(
    connection: Connection, sender: _Row, wire: Collection[int], *, now: datetime, again: Again
) -> None:
    """Count a try for deliveries that were on the wire; they become uncertain, or stay in the queue."""
    columns = deliveries.c.subscriber_id, deliveries.c.tries
    on_wire = connection.execute(select(*columns).where(_open(connection, sender.edition_id, wire))).all()
    resent = {key for key, tries in on_wire if again(tries + 1)}
    tried = {"tries": deliveries.c.tries + 1, "changed_at": now}
    # A delivery that goes again keeps its due time, so it is due at once. Only a server's answer is a reason
    # to wait.
    goes = _open(connection, sender.edition_id, resent)
    connection.execute(update(deliveries).where(goes).values(tried))
    # The owner is kept. If that sender is alive after all, its receipts will still decide the outcome.
    uncertain = {"state": DeliveryState.UNCERTAIN, "due_at": None, "owner": sender.owner, "reply": NO_ANSWER}
    stays = _open(connection, sender.edition_id, set(wire) - resent)
    connection.execute(update(deliveries).where(stays).values({**tried, **uncertain}))


def _open(connection: Connection, edition_id: str, ids: Collection[int]) -> ColumnElement[bool]:
    """Return the condition for the open deliveries to these readers."""
    listed = among(connection, deliveries.c.subscriber_id, ids)
    return and_(deliveries.c.edition_id == edition_id, listed, SENDABLE)


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
