"""Settle deliveries: write their outcomes into their rows, once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from digest.model.deliveries import DeliveryState, Result
from digest.model.editions import EditionState
from digest.storage.ledger.senders import Held, Sender, among, id_list
from digest.storage.tables.deliveries import SENDABLE, deliveries, tallies
from digest.storage.tables.editions import editions

NO_LONGER_MAILABLE = "unsubscribed, paused or suppressed before it was sent"


def settle(
    connection: Connection, sender: Sender, held: Held, results: Sequence[Result], now: datetime
) -> Held:
    """Record the results of deliveries, and return what the sender still holds."""
    if not results:
        return held
    answered = held.wire.intersection([result[0] for result in results])
    late = len(answered) < len(results)
    ours = [each for each in results if each.key in answered] if late else results
    # Late answers come first, because they lock the edition: `retry` locks the edition before deliveries too.
    if late:
        _write_late(connection, sender, [each for each in results if each.key not in answered], now=now)
    _write(connection, sender.edition_id, ours, now=now)
    return Held(claimed=held.claimed, wire=held.wire - answered)


def skip(connection: Connection, edition_id: str, ids: Collection[int], *, now: datetime) -> None:
    """Skip deliveries whose readers may no longer be mailed; a settled delivery stays as it is."""
    if ids:
        these = deliveries.c.edition_id == edition_id, among(connection, deliveries.c.subscriber_id, ids)
        skipped = {
            "state": DeliveryState.SKIPPED,
            "due_at": None,
            "reply": NO_LONGER_MAILABLE,
            "changed_at": now,
        }
        connection.execute(update(deliveries).where(*these, SENDABLE).values(skipped))


# These statements are written by hand, because SQLAlchemy's bulk update takes four times as long.
_SETTLE_SQLITE = """
UPDATE deliveries SET state = ?, due_at = ?, code = ?, reply = ?, changed_at = ?,
    tries = tries + ?
WHERE edition_id = ? AND subscriber_id {} AND state IN ('queued', 'deferred')
"""
_SETTLE_ONE = _SETTLE_SQLITE.format("= ?")
# For many deliveries with the same answer, one statement takes half the time of one for each.
_SETTLE_ALIKE = _SETTLE_SQLITE.format("IN (SELECT value FROM json_each(?))")
SETTLE_ON_POSTGRESQL = """
UPDATE deliveries SET state = r.state, due_at = r.due_at, code = r.code, reply = r.reply,
    changed_at = %s, tries = tries + r.tried
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::int[], %s::text[], %s::int[])
    AS r (subscriber_id, state, due_at, code, reply, tried)
WHERE edition_id = %s AND deliveries.subscriber_id = r.subscriber_id
    AND deliveries.state IN ('queued', 'deferred')
"""


def _write(connection: Connection, edition_id: str, results: Sequence[Result], *, now: datetime) -> None:
    if not results:
        return
    cursor = connection.connection.cursor()
    if connection.dialect.name == "postgresql":
        columns = [list(column) for column in zip(*results, strict=True)]
        cursor.execute(SETTLE_ON_POSTGRESQL, (now, *columns, edition_id))
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


# This lock lets senders claim, but waits for `lock_edition`. With the state as a condition, PostgreSQL would
# look at the state before the step that it should wait for.
_STATE = select(editions.c.state).where(editions.c.id == bindparam("edition"))
_LASTING_STATE = _STATE.with_for_update(read=True, key_share=True)


def _write_late(connection: Connection, sender: Sender, results: Sequence[Result], *, now: datetime) -> None:
    """Record answers for deliveries that were taken back from this sender when its lease had run out.

    An answer that would reopen the delivery of an edition that is already sent leaves it uncertain.
    """
    sent = connection.scalar(_LASTING_STATE, {"edition": sender.edition_id}) == EditionState.SENT
    for result in results:
        # Nobody looks at a sent edition again, so an open delivery in it would never be tried.
        reopens = result.state in (DeliveryState.QUEUED, DeliveryState.DEFERRED)
        outcome = (DeliveryState.UNCERTAIN, None) if sent and reopens else (result.state, result.due_at)
        kept = {"state": outcome[0], "due_at": outcome[1], "code": result.code, "reply": result.reply}
        this = deliveries.c.edition_id == sender.edition_id, deliveries.c.subscriber_id == result.key
        # `accepted` is final and always true. Any other late answer counts only while the delivery is still
        # uncertain because of this sender, because another sender may have tried it since.
        may = _NOT_ACCEPTED if result.state == DeliveryState.ACCEPTED else _UNCERTAIN_HERE
        late = update(deliveries).where(*this, may).values(**kept, changed_at=now, owner=None)
        connection.execute(late, {"sender": sender.owner})
    connection.execute(delete(tallies).where(tallies.c.edition_id == sender.edition_id))


def _moment(connection: Connection, at: datetime) -> object:
    """Return a time in the form that this database stores, for statements written by hand."""
    process = deliveries.c.due_at.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    return process(at) if process else at
