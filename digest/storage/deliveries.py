"""The ledger: one row for each edition and subscriber, true after any crash.

A delivery is claimed under a lease, marked before it is written to a server, settled by what the server
answered. Every step but the first asks who owns the row, so a sender that slept too long does nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    UpdateBase,
    and_,
    bindparam,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from digest.model import DeliveryState, EditionState
from digest.send.message import Addressee
from digest.send.retries import Result
from digest.storage.tables import SENDABLE, deliveries, editions
from subscribers.store import Mailable

GONE = "left, paused or was suppressed before it was sent"
_LEASED = (DeliveryState.CLAIMED, DeliveryState.WIRE)
_LOOKED_UP = 200  # readers in one query; for many more PostgreSQL reads the whole list instead
_GOES_OUT = editions.c.state == EditionState.SENDING, editions.c.paused_at.is_(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who holds leases on an edition's deliveries. `owner` is unique to one run of one process."""

    edition_id: str
    owner: str
    lease: timedelta


# ── addressing ──────────────────────────────────────────────────────────────────────────────


def address(
    connection: Connection, edition_id: str, mailable: Mailable, *, now: datetime, due_at: datetime
) -> int:
    """Queue one delivery for everybody in `mailable`, in one statement, and return how many were new.

    Whoever has a delivery of this edition already keeps it as it is.
    """
    readers = mailable.subquery("readers")
    rows = select(
        literal(edition_id),
        readers.c.subscriber_id,
        readers.c.topics,
        literal(DeliveryState.QUEUED.value),
        literal(due_at, deliveries.c.due_at.type),
        literal(now, deliveries.c.changed_at.type),
    ).where(literal(1) == 1)  # SQLite takes ON for a join's unless a WHERE stands before it
    columns = ["edition_id", "subscriber_id", "variant", "state", "due_at", "changed_at"]
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(deliveries).from_select(columns, rows).on_conflict_do_nothing()
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def variants(connection: Connection, edition_id: str) -> tuple[str, ...]:
    """Return the choices of topics an edition was addressed with."""
    query = select(deliveries.c.variant).where(_of(edition_id)).distinct().order_by(deliveries.c.variant)
    return tuple(connection.scalars(query))


def skip_variants(
    connection: Connection, edition_id: str, chosen: Sequence[str], *, reason: str, now: datetime
) -> None:
    """Skip every queued delivery with one of these choices of topics."""
    for at in range(0, len(chosen), 500):
        of_choice = deliveries.c.variant.in_(chosen[at : at + 500])
        queued = deliveries.c.state == DeliveryState.QUEUED
        connection.execute(
            update(deliveries)
            .where(_of(edition_id), queued, of_choice)
            .values(changed_at=now, **_skipped(reason))
        )


# ── on the way ──────────────────────────────────────────────────────────────────────────────


def claim(
    connection: Connection, sender: Sender, mailable: Mailable, *, now: datetime, limit: int
) -> tuple[Addressee, ...] | None:
    """Lease up to `limit` deliveries that are due, the longest due first; None when there is none.

    There is none either when the edition is not being sent (any more), or paused. Those whose reader may
    no longer be mailed are skipped, so a page can be empty and not the last.
    """
    page = (
        select(deliveries.c.subscriber_id, deliveries.c.variant, deliveries.c.tries)
        .where(_of(sender.edition_id), SENDABLE, deliveries.c.due_at <= now, _running(sender))
        .order_by(deliveries.c.due_at, deliveries.c.subscriber_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(page).all()
    if not rows:
        return None
    ids = [key for key, _, _ in rows]
    readers = _readers(connection, mailable, ids)
    lost = [key for key in ids if key not in readers]
    _set(connection, sender.edition_id, lost, {**_skipped(GONE), "changed_at": now})
    lease = {"state": DeliveryState.CLAIMED, "owner": sender.owner, "lease_until": now + sender.lease}
    _set(connection, sender.edition_id, list(readers), lease)
    return tuple(
        Addressee(key, readers[key][0], variant, readers[key][1], tries)
        for key, variant, tries in rows
        if key in readers
    )


def _readers(connection: Connection, mailable: Mailable, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return address and format of those who may still be mailed."""
    column, dialect = mailable.selected_columns, connection.dialect.name
    listed = _listed(dialect, column.subscriber_id, bindparam("ids"))
    found = mailable.with_only_columns(column.subscriber_id, column.address, column.format).where(listed)
    readers: dict[int, tuple[str, str]] = {}
    for at in range(0, len(ids), _LOOKED_UP):
        these = {"ids": _list(dialect, ids[at : at + _LOOKED_UP])}
        readers |= {key: (address, form) for key, address, form in connection.execute(found, these)}
    return readers


def mark(
    connection: Connection, sender: Sender, mailable: Mailable, ids: Sequence[int], *, now: datetime
) -> frozenset[int]:
    """Mark claimed deliveries as on the wire and return those that may be written, after commit.

    Left out are those whose lease somebody else has taken, all of them once the edition is no longer
    being sent or paused, and, skipped from here on, those whose reader left since the claim.
    """
    values = {
        "edition": sender.edition_id,
        "sender": sender.owner,
        "ids": _list(connection.dialect.name, ids),
        "at": now,
        "until": now + sender.lease,
    }
    marking, dropping = _mark_statements(connection.dialect.name, mailable)
    marked = frozenset(connection.scalars(marking, values))
    if len(marked) < len(ids):
        connection.execute(dropping, values)
    return marked


@lru_cache(maxsize=16)
def _mark_statements(dialect: str, mailable: Mailable) -> tuple[UpdateBase, UpdateBase]:
    """Build the statements of `mark` once for each page: building costs more than running them."""
    sending = editions.c.id == bindparam("edition"), *_GOES_OUT
    ours = update(deliveries).where(
        deliveries.c.edition_id == bindparam("edition"),
        deliveries.c.owner == bindparam("sender"),
        deliveries.c.state == DeliveryState.CLAIMED,
        _listed(dialect, deliveries.c.subscriber_id, bindparam("ids")),
        exists().where(*sending),
    )
    still = mailable.where(mailable.selected_columns.subscriber_id == deliveries.c.subscriber_id).exists()
    at, until = (bindparam(name, type_=deliveries.c.due_at.type) for name in ("at", "until"))
    wire = {
        "state": DeliveryState.WIRE,
        "tries": deliveries.c.tries + 1,
        "lease_until": until,
        "changed_at": at,
    }
    marking = ours.where(still).values(wire).returning(deliveries.c.subscriber_id)
    return marking, ours.values({**_skipped(GONE), "changed_at": at})


_SETTLE_SQLITE = """
UPDATE deliveries SET state = ?1, due_at = coalesce(?2, due_at), code = ?3, reply = ?4, changed_at = ?5,
    owner = CASE ?1 WHEN 'uncertain' THEN owner END, lease_until = NULL
WHERE edition_id = ?6 AND subscriber_id = ?7 AND state <> 'accepted'
    AND (?1 = 'accepted' OR owner = ?8 AND state IN ('wire', 'uncertain'))
"""
_SETTLE_POSTGRESQL = """
UPDATE deliveries SET state = r.state, due_at = coalesce(r.due_at, deliveries.due_at), code = r.code,
    reply = r.reply, changed_at = %s,
    owner = CASE r.state WHEN 'uncertain' THEN owner END, lease_until = NULL
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::int[], %s::text[])
    AS r (subscriber_id, state, due_at, code, reply)
WHERE edition_id = %s AND deliveries.subscriber_id = r.subscriber_id AND deliveries.state <> 'accepted'
    AND (r.state = 'accepted' OR owner = %s AND deliveries.state IN ('wire', 'uncertain'))
"""


def settle(connection: Connection, sender: Sender, results: Sequence[Result], *, now: datetime) -> None:
    """Keep what became of deliveries this sender marked.

    That a server accepted a letter is final, and is kept whoever owns the row by now; anything else
    only where the row is still this sender's.
    """
    if not results:
        return
    # Written by hand: a million receipts at 3 µs each, where Core's bulk update takes 12.
    if connection.dialect.name == "postgresql":
        keys, states, dues, codes, replies = (list(column) for column in zip(*results, strict=True))
        columns = (keys, states, dues, codes, replies)
        connection.exec_driver_sql(_SETTLE_POSTGRESQL, (now, *columns, sender.edition_id, sender.owner))
        return
    at = _moment(connection, now)
    rows = [
        (state, due_at and _moment(connection, due_at), code, reply, at, sender.edition_id, key, sender.owner)
        for key, state, due_at, code, reply in results
    ]
    connection.exec_driver_sql(_SETTLE_SQLITE, rows)


def renew(connection: Connection, sender: Sender, *, now: datetime) -> None:
    """Prolong every lease of a sender that is still at work."""
    held = update(deliveries).where(_own(sender), deliveries.c.state.in_(_LEASED))
    connection.execute(held.values(lease_until=now + sender.lease))


def postpone(
    connection: Connection, sender: Sender, turns: Sequence[tuple[int, datetime]], *, now: datetime
) -> None:
    """Give claimed deliveries back, each until its own time; those of other senders are left alone."""
    if not turns:
        return
    claimed = deliveries.c.state == DeliveryState.CLAIMED
    ours = update(deliveries).where(_own(sender), claimed, deliveries.c.subscriber_id == bindparam("reader"))
    waiting = {"state": DeliveryState.QUEUED, "owner": None, "lease_until": None, "changed_at": now}
    later = ours.values(**waiting, due_at=bindparam("until", type_=deliveries.c.due_at.type))
    connection.execute(later, [{"reader": key, "until": due_at} for key, due_at in turns])


def release(connection: Connection, sender: Sender, *, now: datetime, resends: int = 0) -> int:
    """Give up all leases of a sender that stops; see `expire`."""
    return _free(connection, sender.edition_id, _own(sender), now=now, resends=resends)


def holders(connection: Connection, edition_id: str) -> tuple[str, ...]:
    """Return the names of all senders that hold leases."""
    held = _of(edition_id), deliveries.c.state.in_(_LEASED), deliveries.c.owner.is_not(None)
    return tuple(connection.scalars(select(deliveries.c.owner).where(*held).distinct()))


def expire(
    connection: Connection, edition_id: str, *, now: datetime, ended: Sequence[str] = (), resends: int = 0
) -> int:
    """Take deliveries back from senders that have `ended` or whose lease has run out; return how many.

    What was only claimed is queued. What was on the wire is uncertain; or queued as well, with the same
    Message-ID, while it had at most `resends` tries.
    """
    whose = or_(deliveries.c.lease_until <= now, deliveries.c.owner.in_(ended))
    return _free(connection, edition_id, whose, now=now, resends=resends)


def _free(
    connection: Connection, edition_id: str, whose: ColumnElement[bool], *, now: datetime, resends: int
) -> int:
    leased = (
        select(deliveries.c.subscriber_id, deliveries.c.state, deliveries.c.tries)
        .where(_of(edition_id), whose, deliveries.c.state.in_(_LEASED))
        .with_for_update(skip_locked=True)
    )
    again, doubtful = list[int](), list[int]()
    for row in connection.execute(leased):
        certain = row.state == DeliveryState.CLAIMED or row.tries <= resends
        (again if certain else doubtful).append(row.subscriber_id)
    nobodys = {"owner": None, "lease_until": None, "changed_at": now}
    _set(connection, edition_id, again, {"state": DeliveryState.QUEUED, **nobodys})
    # The owner is kept: should it be alive after all, its receipts will settle the doubt.
    doubt = {"reply": "the sender ended before the server answered", "lease_until": None, "changed_at": now}
    _set(connection, edition_id, doubtful, {"state": DeliveryState.UNCERTAIN, **doubt})
    return len(again) + len(doubtful)


# ── parts of statements ─────────────────────────────────────────────────────────────────────


def _of(edition_id: str) -> ColumnElement[bool]:
    return deliveries.c.edition_id == edition_id


def _own(sender: Sender) -> ColumnElement[bool]:
    return and_(_of(sender.edition_id), deliveries.c.owner == sender.owner)


def _running(sender: Sender) -> ColumnElement[bool]:
    return exists().where(editions.c.id == sender.edition_id, *_GOES_OUT)


def _one_of(connection: Connection, column: ColumnElement[Any], ids: Sequence[int]) -> ColumnElement[bool]:
    dialect = connection.dialect.name
    return _listed(dialect, column, bindparam("ids", _list(dialect, ids), unique=True))


def _listed(dialect: str, column: ColumnElement[Any], ids: BindParameter[Any]) -> ColumnElement[bool]:
    """Compare with a list that is one parameter: a thousand of them cost more than the statement."""
    if dialect == "postgresql":
        return column == func.any(cast(ids, postgresql.ARRAY(BigInteger)))
    return column.in_(select(func.json_each(ids).table_valued("value").c.value))


def _list(dialect: str, ids: Sequence[int]) -> object:
    return list(ids) if dialect == "postgresql" else json.dumps(list(ids))


def _skipped(reason: str) -> dict[str, object]:
    return {"state": DeliveryState.SKIPPED, "reply": reason, "owner": None, "lease_until": None}


def _set(connection: Connection, edition_id: str, ids: Sequence[int], values: dict[str, Any]) -> None:
    if ids:
        these = _of(edition_id), _one_of(connection, deliveries.c.subscriber_id, ids)
        connection.execute(update(deliveries).where(*these).values(values))


def _moment(connection: Connection, at: datetime) -> object:
    """Return an instant as this database keeps it, for statements written by hand."""
    process = deliveries.c.due_at.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    return process(at) if process else at
