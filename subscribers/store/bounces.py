"""Keep bounces in the database, each report once, and suppress the address when the rules say so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, Select, select

from subscribers.model import ConsentAction, SuppressionReason
from subscribers.rules.bounces import Bounce, BounceKind, judge, short_reason, soft_days
from subscribers.store.readers import history, reader_of
from subscribers.store.tables import bounces, subscribers, suppressions, upsert
from subscribers.store.writing import suppress

_SINCE_MOVED = timedelta(days=7)  # for so long a report about the old address can still arrive


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedBounce:
    """The outcome of a bounce: why it suppressed its address, or None, and the days with a soft bounce."""

    suppressed: SuppressionReason | None
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedBounce:
    """A bounce, with its reader's address: None if the reader was erased or has changed the address since."""

    bounce: Bounce
    address: str | None = field(repr=False)
    suppressed: SuppressionReason | None


def receive_bounce(
    connection: Connection, subscriber_id: int, bounce: Bounce, *, report: str
) -> CountedBounce | str:
    """Take a bounce of one reader, or return the reason why it does not count."""
    subscriber = reader_of(connection, subscriber_id, hold=True).subscriber
    if subscriber is None:
        return "the reader's data has been erased"
    if bounce.kind is not BounceKind.COMPLAINT and _has_moved(connection, subscriber.id, bounce.at):
        return "the reader has changed the address since"
    return take_bounce(connection, subscriber.address_hash, bounce, report=report) or "already known"


def _has_moved(connection: Connection, subscriber_id: int, now: datetime) -> bool:
    consents = history(connection, subscriber_id)
    return any(each.act is ConsentAction.MOVED and now - each.at < _SINCE_MOVED for each in consents)


def take_bounce(
    connection: Connection, address_hash: str, bounce: Bounce, *, report: str
) -> CountedBounce | None:
    """Keep a bounce, and suppress its address if `judge` says so; None if this `report` was kept before."""
    row = {
        "report": report,
        "address_hash": address_hash,
        "at": bounce.at,
        "kind": bounce.kind,
        "source": bounce.source,
        "edition": bounce.edition,
        "reason": bounce.reason,
    }
    before = bounces_of(connection, address_hash)
    new = upsert(connection, bounces).on_conflict_do_nothing().values(row)
    if not connection.execute(new.execution_options(preserve_rowcount=True)).rowcount:
        return None
    verdict = judge(bounce, before)
    if verdict is not None:
        suppress(connection, address_hash, verdict, bounce.at, note=short_reason(bounce.reason))
    return CountedBounce(suppressed=verdict, days=soft_days(bounce, before))


def bounces_of(connection: Connection, address_hash: str) -> tuple[Bounce, ...]:
    """Return all bounces of one address, the oldest first."""
    query = select(bounces).where(bounces.c.address_hash == address_hash)
    return tuple(bounce for bounce, _, _ in _read(connection, query.order_by(bounces.c.at, bounces.c.report)))


def list_bounces(
    connection: Connection, *, kind: BounceKind | None = None, limit: int = 100
) -> tuple[ListedBounce, ...]:
    """Return the latest bounces, the newest first."""
    query = (
        select(bounces, subscribers.c.address, suppressions.c.reason.label("suppressed"))
        .outerjoin_from(bounces, subscribers, subscribers.c.address_hash == bounces.c.address_hash)
        .outerjoin(suppressions, suppressions.c.address_hash == bounces.c.address_hash)
        .order_by(bounces.c.at.desc(), bounces.c.report)
        .limit(limit)
    )
    if kind is not None:
        query = query.where(bounces.c.kind == kind)
    return tuple(
        ListedBounce(bounce=bounce, address=address, suppressed=SuppressionReason(reason) if reason else None)
        for bounce, address, reason in _read(connection, query)
    )


def _read(
    connection: Connection, query: Select[tuple[object, ...]]
) -> Iterator[tuple[Bounce, str | None, str | None]]:
    for row in connection.execute(query).mappings():
        bounce = Bounce(
            kind=BounceKind(row["kind"]),
            at=row["at"],
            source=row["source"],
            edition=row["edition"],
            reason=row["reason"],
        )
        yield bounce, row.get("address"), row.get("suppressed")
