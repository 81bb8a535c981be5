"""Read the due deliveries of a slice and their recipients, and write one step of a sender.

`due_in` is read once, when a slice is taken. A group of its deliveries is then marked as on the wire, before
its messages are written to a server, and settled when the server has answered. The marks are kept in the
slice's row (`digest.storage.ledger.slices`); a delivery's own row is written once, when it is settled.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection, bindparam, or_, select, update

from digest.model.deliveries import Recipient, Result
from digest.model.editions import EditionState
from digest.storage.ledger.prepared import Prepared, id_list, listed
from digest.storage.ledger.settling import settle
from digest.storage.ledger.slices import Slice, hold, leave
from digest.storage.tables.deliveries import SENDABLE, deliveries
from digest.storage.tables.editions import editions
from subscribers.store.mailable import Mailable

_READERS_PER_QUERY = 200  # for many more, PostgreSQL would read the whole list of readers

_GOING = Prepared(
    select(editions.c.id).where(
        editions.c.id == bindparam("edition"),
        editions.c.state == EditionState.SENDING,
        editions.c.paused_at.is_(None),
    )
)
_RANGE = (
    deliveries.c.edition_id == bindparam("edition"),
    deliveries.c.subscriber_id.between(bindparam("first"), bindparam("last")),
    SENDABLE,
)
_NOW = bindparam("now", type_=deliveries.c.due_at.type)
_DUE = Prepared(
    select(deliveries.c.subscriber_id)
    .where(*_RANGE, or_(deliveries.c.due_at.is_(None), deliveries.c.due_at <= _NOW))
    .order_by(deliveries.c.subscriber_id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Everything that a sender writes about one slice in one transaction.

    `wire` is what it has on the wire from then on, `results` are answers, and `turns` are deliveries that
    wait for a limit, each until a time. After a step that `leaves`, the slice is free.
    """

    slice: Slice
    wire: Collection[int]
    results: Sequence[Result] = ()
    turns: Sequence[tuple[int, datetime]] = ()
    leaves: bool = False


def is_going(connection: Connection, edition_id: str) -> bool:
    """Tell whether messages of an edition may be handed out: it is being sent, and not paused."""
    return bool(_GOING.rows(connection, {"edition": edition_id}))


def due_in(connection: Connection, held: Slice, now: datetime) -> list[int]:
    """Return the readers of the due deliveries of a slice, in the order of their ids."""
    span = {"edition": held.edition_id, "first": held.first_id, "last": held.last_id}
    return [key for (key,) in _DUE.rows(connection, {**span, "now": now})]


def recipients(
    connection: Connection, mailable: Mailable, edition_id: str, ids: Sequence[int], now: datetime
) -> list[Recipient]:
    """Return those of an edition's readers, in the order of `ids`, who may still be mailed.

    A delivery that a late answer has settled since `due_in` has no recipient either.
    """
    dialect = connection.dialect.name
    query = _recipients(dialect, mailable)
    found: list[Recipient] = []
    for at in range(0, len(ids), _READERS_PER_QUERY):
        part = ids[at : at + _READERS_PER_QUERY]
        these = {"first": min(part), "last": max(part), "ids": id_list(dialect, part)}
        rows = query.rows(connection, {"edition": edition_id, "now": now, **these})
        found += map(Recipient._make, rows)
    return found


@lru_cache(maxsize=16)
def _recipients(dialect: str, mailable: Mailable) -> Prepared:
    """Return the query for recipients; its columns are the fields of a Recipient."""
    who = mailable.selected_columns
    columns = (
        who.subscriber_id,
        who.address,
        deliveries.c.variant,
        who.format,
        deliveries.c.tries,
        who.language,
        who.hour,
        who.zone,
    )
    return Prepared(
        mailable.join(deliveries, deliveries.c.subscriber_id == who.subscriber_id)
        .with_only_columns(*columns, maintain_column_froms=True)
        .where(*_RANGE, listed(dialect, deliveries.c.subscriber_id, bindparam("ids")))
        .order_by(deliveries.c.subscriber_id)
    )


def write(connection: Connection, step: Step, *, now: datetime) -> bool:
    """Write a step of a sender; return False, and write nothing, if another sender has the slice by now.

    The messages of newly marked deliveries may be written to a server after the commit.
    """
    held = step.slice
    if not hold(connection, held, step.wire, now=now):
        return False
    settle(connection, held.edition_id, step.results, now=now)
    if step.turns:
        _postpone(connection, held, step.turns, now)
    if step.leaves:
        leave(connection, held, now=now)
    return True


def _postpone(
    connection: Connection, held: Slice, turns: Sequence[tuple[int, datetime]], now: datetime
) -> None:
    later = update(deliveries).where(
        deliveries.c.edition_id == held.edition_id,
        deliveries.c.subscriber_id == bindparam("reader"),
        SENDABLE,
    )
    until = bindparam("until", type_=deliveries.c.due_at.type)
    rows = [{"reader": key, "until": due_at} for key, due_at in turns]
    connection.execute(later.values(due_at=until, changed_at=now), rows)
