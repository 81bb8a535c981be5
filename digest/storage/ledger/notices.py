"""Claim, mark and settle notices: each row has a lease of its own, because there are few of them.

A notice is marked `wire`, with its owner and lease, before its message is written to a server, and settled
when the server has answered. So after any crash, a notice that was never marked is sent, and one that was
marked is uncertain or tried again, by the same rules as a delivery.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, update

from digest.model.deliveries import DeliveryState, NoticeRecord, Result
from digest.storage.ledger.leases import NO_ANSWER, lease_end, ran_out
from subscribers.model import SubscriberState, SuppressionReason
from subscribers.rules.notices import NoticeKind, Standing, obstacle
from subscribers.rules.signup import requests_from_json
from subscribers.store.tables import confirmations, notices, subscribers, suppressions

_OPEN = (DeliveryState.QUEUED, DeliveryState.DEFERRED)
_UNKNOWN = (DeliveryState.WIRE, DeliveryState.UNCERTAIN)
_COLUMNS = [
    column
    for column in notices.c
    if column.name not in ("mailbox_hash", "token_hash", "owner", "lease_until")
]


def has_open_notices(connection: Connection, *, now: datetime) -> bool:
    """Tell whether a notice is due or on the wire."""
    return bool(connection.scalar(select(select(notices.c.id).where(notices.c.due_at <= now).exists())))


def due_notices(connection: Connection, *, now: datetime, limit: int) -> tuple[NoticeRecord, ...]:
    """Return the notices that are due, the longest due first."""
    query = select(*_COLUMNS).where(_is_due(now)).order_by(notices.c.due_at, notices.c.id).limit(limit)
    return tuple(map(_record, connection.execute(query)))


def mark_notices(
    connection: Connection, ids: Collection[int], *, owner: str, lease: timedelta, now: datetime
) -> tuple[NoticeRecord, ...]:
    """Mark those notices that are still due as on the wire, and return them.

    Their messages may be written to a server after the commit. A notice that must not be sent any more is
    skipped, with the reason.
    """
    rows = connection.execute(_standing().where(notices.c.id.in_(ids), _is_due(now))).all()
    going = []
    for row in rows:
        reason = obstacle(_read_standing(row), now)
        if reason:
            skipped = {"state": DeliveryState.SKIPPED, "due_at": None, "reply": reason, "changed_at": now}
            connection.execute(update(notices).where(notices.c.id == row.id).values(skipped))
        else:
            going.append(_record(row))
    wire = {"state": DeliveryState.WIRE, "owner": owner, "changed_at": now}
    marked = update(notices).where(notices.c.id.in_([each.id for each in going]))
    connection.execute(marked.values(wire).values(lease_until=lease_end(connection, lease, now)))
    return tuple(going)


def settle_notices(connection: Connection, results: Sequence[Result], *, owner: str, now: datetime) -> None:
    """Record the results of notices that were on the wire.

    `accepted` is final, and is recorded even if the lease has run out. Any other result is recorded only if
    no other sender has taken the notice since.
    """
    for result in results:
        own = and_(notices.c.owner == owner, notices.c.state.in_(_UNKNOWN))
        mine = or_(own, notices.c.state != DeliveryState.ACCEPTED)
        which = mine if result.state is DeliveryState.ACCEPTED else own
        values = {
            "state": result.state,
            "due_at": result.due_at,
            "owner": owner if result.state is DeliveryState.UNCERTAIN else None,
            "lease_until": None,
            "tries": notices.c.tries + result.tried,
            "code": result.code,
            "reply": result.reply,
            "changed_at": now,
        }
        connection.execute(update(notices).where(notices.c.id == result.key, which).values(values))


def keep_wire_notices(connection: Connection, ids: Collection[int], *, owner: str, now: datetime) -> None:
    """Queue the notices again that a sender has marked, except those whose messages it has handed over."""
    mine = and_(notices.c.owner == owner, notices.c.state == DeliveryState.WIRE)
    again = {"state": DeliveryState.QUEUED, "lease_until": None, "changed_at": now}
    connection.execute(update(notices).where(mine, notices.c.id.not_in(ids)).values(again))


def hasten_notices(connection: Connection, limit: datetime, now: datetime) -> None:
    """Make the open notices that are due later than `limit` due `now`, because a clock was wrong once."""
    ahead = notices.c.due_at > limit, notices.c.state.in_(_OPEN)
    connection.execute(update(notices).where(*ahead).values(due_at=now))


def renew_notices(connection: Connection, *, owner: str, lease: timedelta, now: datetime) -> None:
    """Renew the lease of a sender on all notices that it has on the wire."""
    mine = and_(notices.c.owner == owner, notices.c.state == DeliveryState.WIRE)
    connection.execute(update(notices).where(mine).values(lease_until=lease_end(connection, lease, now)))


def take_back_notices(
    connection: Connection,
    *,
    lease: timedelta,
    ended: Callable[[str], bool],
    again: Callable[[int], bool],
    now: datetime,
) -> int:
    """Take notices back from senders that have `ended`, or whose lease has run out; return how many.

    `again` gets the number of tries, and tells whether the notice is due again or becomes uncertain.
    """
    on_wire = select(notices.c.id, notices.c.owner, notices.c.tries).where(
        notices.c.state == DeliveryState.WIRE
    )
    owners = {row.owner for row in connection.execute(on_wire)}
    lost = or_(
        ran_out(connection, notices.c.lease_until, lease, now),
        notices.c.owner.in_([owner for owner in owners if ended(owner)]),
    )
    rows = connection.execute(on_wire.where(lost).with_for_update(skip_locked=True)).all() if owners else ()
    for row in rows:
        resent = again(row.tries + 1)
        values = {
            "state": DeliveryState.QUEUED if resent else DeliveryState.UNCERTAIN,
            "due_at": now if resent else None,
            "lease_until": None,
            "tries": row.tries + 1,
            "reply": NO_ANSWER,
            "changed_at": now,
        }
        connection.execute(update(notices).where(notices.c.id == row.id).values(values))
    return len(rows)


def list_notices(
    connection: Connection, *, states: Collection[DeliveryState] = (), limit: int
) -> tuple[NoticeRecord, ...]:
    """Return the latest notices, the newest first."""
    query = select(*_COLUMNS).order_by(notices.c.id.desc()).limit(limit)
    if states:
        query = query.where(notices.c.state.in_(states))
    return tuple(map(_record, connection.execute(query)))


def count_notices(connection: Connection) -> dict[DeliveryState, int]:
    """Count the notices that are kept, by state."""
    rows = connection.execute(select(notices.c.state, func.count()).group_by(notices.c.state))
    return {DeliveryState(state): count for state, count in rows}


def notices_of(connection: Connection, subscriber_id: int) -> tuple[NoticeRecord, ...]:
    """Return the notices that one reader has caused, the oldest first."""
    query = select(*_COLUMNS).where(notices.c.subscriber_id == subscriber_id).order_by(notices.c.id)
    return tuple(map(_record, connection.execute(query)))


def notice_with(connection: Connection, notice_id: int) -> NoticeRecord | None:
    """Return a notice, or None if it has been deleted."""
    row = connection.execute(select(*_COLUMNS).where(notices.c.id == notice_id)).one_or_none()
    return _record(row) if row else None


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(notices.c.due_at <= now, notices.c.state.in_(_OPEN))


def _standing() -> Select[Any]:
    """Select notices and what has become of each; another sender's notices are left out."""
    has_link = and_(confirmations.c.token_hash.is_not(None), confirmations.c.used_at.is_(None))
    return (
        select(
            *_COLUMNS,
            has_link.label("has_link"),
            subscribers.c.state.label("reader"),
            suppressions.c.reason.label("suppression"),
        )
        .outerjoin(confirmations, confirmations.c.token_hash == notices.c.token_hash)
        .outerjoin(subscribers, subscribers.c.id == notices.c.subscriber_id)
        .outerjoin(suppressions, suppressions.c.address_hash == notices.c.address_hash)
        .order_by(notices.c.id)
        .with_for_update(of=notices, skip_locked=True)
    )


def _read_standing(row: Row[Any]) -> Standing:
    return Standing(
        kind=NoticeKind(row.kind),
        expires_at=row.expires_at,
        has_link=bool(row.has_link),
        reader=SubscriberState(row.reader) if row.reader else None,
        suppression=SuppressionReason(row.suppression) if row.suppression else None,
    )


def _record(row: Row[Any]) -> NoticeRecord:
    values = {column.name: row._mapping[column.name] for column in _COLUMNS}
    return NoticeRecord(
        **{
            **values,
            "kind": NoticeKind(row.kind),
            "requests": requests_from_json(row.requests),
            "state": DeliveryState(row.state),
        }
    )
