"""Settle deliveries: write their outcomes into their rows, once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from digest.model.deliveries import DeliveryState, Result
from digest.model.editions import EditionState
from digest.storage.ledger.prepared import id_list
from digest.storage.ledger.slices import look_again
from digest.storage.tables.deliveries import deliveries, tallies
from digest.storage.tables.editions import editions

NO_LONGER_MAILABLE = "unsubscribed, paused or suppressed before it was sent"


# These statements are written by hand, because SQLAlchemy's bulk update takes four times as long.
_SETTLE_SQLITE = """
UPDATE deliveries SET state = ?, due_at = ?, code = ?, reply = ?, changed_at = ?,
    tries = tries + ?
WHERE edition_id = ? AND subscriber_id {} AND state IN ('queued', 'deferred')
"""
_SETTLE_ONE = _SETTLE_SQLITE.format("= ?")
# For many deliveries with the same answer, one statement takes half the time of one for each.
_SETTLE_ALIKE = _SETTLE_SQLITE.format("IN (SELECT value FROM json_each(?))")
# The range keeps PostgreSQL from reading more than a group, even if its statistics do not know the edition.
SETTLE_ON_POSTGRESQL = """
UPDATE deliveries SET state = r.state, due_at = r.due_at, code = r.code, reply = r.reply,
    changed_at = %s, tries = tries + r.tried
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::int[], %s::text[], %s::int[])
    AS r (subscriber_id, state, due_at, code, reply, tried)
WHERE edition_id = %s AND deliveries.subscriber_id BETWEEN %s AND %s
    AND deliveries.subscriber_id = r.subscriber_id AND deliveries.state IN ('queued', 'deferred')
"""


def skipped(keys: Iterable[int]) -> list[Result]:
    """Return the results of deliveries whose readers may no longer be mailed; they cost no try."""
    return [Result(key, DeliveryState.SKIPPED, None, None, NO_LONGER_MAILABLE, tried=0) for key in keys]


def settle(connection: Connection, edition_id: str, results: Sequence[Result], *, now: datetime) -> None:
    """Record the results of open deliveries. The caller must have their slice."""
    if not results:
        return
    cursor = connection.connection.cursor()
    if connection.dialect.name == "postgresql":
        columns = [list(column) for column in zip(*results, strict=True)]
        span = min(columns[0]), max(columns[0])
        cursor.execute(SETTLE_ON_POSTGRESQL, (now, *columns, edition_id, *span))
        return
    at, ones = _moment(connection, now), []
    for (state, due_at, code, reply, tried), keys in _alike(results).items():
        values = state, due_at and _moment(connection, due_at), code, reply, at, tried, edition_id
        if len(keys) > 1:
            cursor.execute(_SETTLE_ALIKE, (*values, id_list("sqlite", keys)))
        else:
            ones.append((*values, *keys))
    cursor.executemany(_SETTLE_ONE, ones)


def _alike(results: Sequence[Result]) -> dict[tuple[Any, ...], list[int]]:
    """Group keys by their result, because a server often gives the same answer to all messages."""
    alike: dict[tuple[Any, ...], list[int]] = {}
    for result in results:
        alike.setdefault(result[1:], []).append(result[0])
    return alike


_NOT_ACCEPTED = deliveries.c.state != DeliveryState.ACCEPTED
_UNCERTAIN_HERE = and_(
    deliveries.c.state == DeliveryState.UNCERTAIN, deliveries.c.owner == bindparam("sender")
)


# This lock does not hold up senders, but waits for `lock_edition`. With the state as a condition, PostgreSQL
# would look at the state before the step that it should wait for.
_STATE = select(editions.c.state).where(editions.c.id == bindparam("edition"))
_LASTING_STATE = _STATE.with_for_update(read=True, key_share=True)


def settle_late(
    connection: Connection, edition_id: str, owner: str, results: Sequence[Result], *, now: datetime
) -> None:
    """Record answers that `owner` got for deliveries of a slice that another sender has taken since.

    `accepted` is final and always true. Any other answer counts only while the delivery is still uncertain
    because of this sender. An answer that would reopen a delivery of an edition that is already sent leaves
    it uncertain. Must be called in a transaction of its own, because it locks the edition.
    """
    if not results:
        return
    sent = connection.scalar(_LASTING_STATE, {"edition": edition_id}) == EditionState.SENT
    for result in results:
        this = deliveries.c.subscriber_id == result.key
        may = _NOT_ACCEPTED if result.state == DeliveryState.ACCEPTED else _UNCERTAIN_HERE
        due_at, state = result.due_at, result.state
        # Nobody looks at a sent edition again, so an open delivery in it would never be tried.
        if sent and due_at:
            state, due_at = DeliveryState.UNCERTAIN, None
        if due_at:
            look_again(connection, edition_id, due_at, this)
        kept = {"state": state, "due_at": due_at, "code": result.code, "reply": result.reply}
        late = update(deliveries).where(deliveries.c.edition_id == edition_id, this, may)
        connection.execute(late.values(**kept, changed_at=now, owner=None), {"sender": owner})
    connection.execute(delete(tallies).where(tallies.c.edition_id == edition_id))


def _moment(connection: Connection, at: datetime) -> object:
    """Return a time in the form that this database stores, for statements written by hand."""
    process = deliveries.c.due_at.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    return process(at) if process else at
