"""What became of an edition's deliveries: counts, lists, and sending some of them again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select, update

from digest.model import Counts, Delivery, DeliveryState
from digest.storage.tables import SENDABLE, deliveries
from subscribers.store import Mailable
from subscribers.tables import subscribers

RETRYABLE = frozenset({DeliveryState.REJECTED, DeliveryState.UNCERTAIN, DeliveryState.DEFERRED})
_LEASED = (DeliveryState.CLAIMED, DeliveryState.WIRE)


def counts(connection: Connection, edition_id: str) -> Counts:
    """Count an edition's deliveries by state."""
    query = select(deliveries.c.state, func.count()).where(_of(edition_id)).group_by(deliveries.c.state)
    found = {row[0]: row[1] for row in connection.execute(query)}
    return Counts(by_state=tuple((state, found[state]) for state in DeliveryState if state in found))


def choices(
    connection: Connection, mailable: Mailable, edition_id: str | None = None
) -> tuple[tuple[str, str, int], ...]:
    """Count the readers an edition would go to by topics and format; with an id, those it still goes to."""
    if edition_id is not None:
        waiting = select(deliveries.c.subscriber_id).where(_of(edition_id), SENDABLE)
        mailable = mailable.where(mailable.selected_columns.subscriber_id.in_(waiting))
    readers = mailable.subquery("readers")
    kinds = readers.c.topics, readers.c.format
    rows = connection.execute(select(*kinds, func.count()).group_by(*kinds).order_by(*kinds))
    return tuple((topics, form, count) for topics, form, count in rows)


def by_code(
    connection: Connection, edition_id: str
) -> tuple[tuple[DeliveryState, int | None, int, str], ...]:
    """Count what failed or is in doubt by state and code, the most first, each with one of its replies."""
    trouble = deliveries.c.state.in_(RETRYABLE)
    kind = deliveries.c.state, deliveries.c.code
    number = func.count().label("number")
    query = (
        select(*kind, number, func.min(deliveries.c.reply))
        .where(_of(edition_id), trouble)
        .group_by(*kind)
        .order_by(number.desc(), *kind)
    )
    return tuple(
        (DeliveryState(state), code, count, reply) for state, code, count, reply in connection.execute(query)
    )


def next_due(connection: Connection, edition_id: str) -> datetime | None:
    """Return when there is something to do for an edition: a delivery due, or a lease that runs out."""
    due = connection.scalar(select(func.min(deliveries.c.due_at)).where(_of(edition_id), SENDABLE))
    leased = deliveries.c.state.in_(_LEASED)
    free = connection.scalar(select(func.min(deliveries.c.lease_until)).where(_of(edition_id), leased))
    return min((each for each in (due, free) if each), default=None)


def list_deliveries(
    connection: Connection,
    edition_id: str,
    *,
    states: Collection[DeliveryState] = (),
    code: int | None = None,
    domain: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> tuple[Delivery, ...]:
    """Return a page of an edition's deliveries in the order of subscriber ids, from `after` on."""
    columns = [column for column in deliveries.c if column.name not in ("owner", "lease_until")]
    query = (
        select(*columns, subscribers.c.address)
        .join_from(deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id, isouter=True)
        .where(_of(edition_id), deliveries.c.subscriber_id > after, *_answered(code, domain))
        .order_by(deliveries.c.subscriber_id)
        .limit(limit)
    )
    if states:
        query = query.where(deliveries.c.state.in_(states))
    rows = connection.execute(query).mappings()
    return tuple(Delivery(**{**row, "state": DeliveryState(row["state"])}) for row in rows)


def deliveries_to(connection: Connection, subscriber_id: int) -> tuple[Delivery, ...]:
    """Return everything one reader was ever addressed, oldest first. It reads the whole ledger: seldom."""
    columns = [column for column in deliveries.c if column.name not in ("owner", "lease_until")]
    query = (
        select(*columns, subscribers.c.address)
        .join_from(deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id, isouter=True)
        .where(deliveries.c.subscriber_id == subscriber_id)
        .order_by(deliveries.c.due_at, deliveries.c.edition_id)
    )
    rows = connection.execute(query).mappings()
    return tuple(Delivery(**{**row, "state": DeliveryState(row["state"])}) for row in rows)


def retry(
    connection: Connection,
    edition_id: str,
    states: Collection[DeliveryState],
    *,
    now: datetime,
    code: int | None = None,
    domain: str | None = None,
) -> int:
    """Queue deliveries in `states` again, at once, and return how many; of one reply code or domain only.

    Raises ValueError for a state that is not in RETRYABLE.
    """
    if not RETRYABLE.issuperset(states):
        raise ValueError(f"only {', '.join(sorted(RETRYABLE))} deliveries can be sent again")
    conditions = [_of(edition_id), deliveries.c.state.in_(states), *_answered(code, domain)]
    again = {"state": DeliveryState.QUEUED, "due_at": now, "tries": 0, "owner": None, "changed_at": now}
    return connection.execute(update(deliveries).where(*conditions).values(again)).rowcount


def _of(edition_id: str) -> ColumnElement[bool]:
    return deliveries.c.edition_id == edition_id


def _answered(code: int | None, domain: str | None) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions that a reply has this code and an address is at this domain."""
    if code is not None:
        yield deliveries.c.code == code
    if domain is not None:
        at_domain = func.lower(subscribers.c.address).endswith(f"@{domain.lower()}", autoescape=True)
        yield deliveries.c.subscriber_id.in_(select(subscribers.c.id).where(at_domain))
