"""Count and list an edition's deliveries, and queue some of them again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, update

from digest.model.deliveries import AnswerCount, Counts, Delivery, DeliveryState, Later
from digest.storage.ledger.prepared import among
from digest.storage.ledger.senders import editions_at_work, on_wire
from digest.storage.ledger.slices import ensure_cut, look_again, look_everywhere
from digest.storage.tables.deliveries import SENDABLE, deliveries
from subscribers.store.mailable import Mailable
from subscribers.store.tables import subscribers

RETRYABLE = frozenset({DeliveryState.REJECTED, DeliveryState.UNCERTAIN, DeliveryState.DEFERRED})


def counts(connection: Connection, edition_id: str) -> Counts:
    """Count an edition's deliveries by state."""
    found = _by_state(connection, edition_id)
    if ids := on_wire(connection, edition_id):  # their own rows still show the state before
        these = _by_state(connection, edition_id, among(connection, deliveries.c.subscriber_id, ids))
        found = found - these + Counter({DeliveryState.WIRE: these.total()})
    return Counts(by_state=tuple((state, found[state]) for state in DeliveryState if found[state]))


def _by_state(connection: Connection, edition_id: str, *where: ColumnElement[bool]) -> Counter[DeliveryState]:
    # Filtered counts, not GROUP BY, because SQLite would sort all rows to group them.
    each = [func.count().filter(deliveries.c.state == state) for state in DeliveryState]
    row = connection.execute(select(*each).where(_of(edition_id), *where)).one()
    return Counter(dict(zip(DeliveryState, row, strict=True)))


def choices(
    connection: Connection, mailable: Mailable, edition_id: str | None = None
) -> tuple[tuple[str, str, int], ...]:
    """Count readers by topics and format; with an edition's id, only those whose deliveries are open."""
    if edition_id is not None:
        waiting = select(deliveries.c.subscriber_id).where(_of(edition_id), SENDABLE)
        mailable = mailable.where(mailable.selected_columns.subscriber_id.in_(waiting))
    readers = mailable.subquery("readers")
    kinds = readers.c.topics, readers.c.format
    rows = connection.execute(select(*kinds, func.count()).group_by(*kinds).order_by(*kinds))
    return tuple((topics, form, count) for topics, form, count in rows)


def readers_by_choice(connection: Connection, mailable: Mailable) -> tuple[tuple[str, str, int], ...]:
    """Count readers by topics and language."""
    readers = mailable.subquery("readers")
    kinds = readers.c.topics, readers.c.language
    rows = connection.execute(select(*kinds, func.count()).group_by(*kinds).order_by(*kinds))
    return tuple((topics, language, count) for topics, language, count in rows)


def kinds_of_readers(connection: Connection, mailable: Mailable) -> tuple[tuple[str, str, bool, int], ...]:
    """Count readers by topics, by format, and by whether they get editions at an hour of their own."""
    readers = mailable.subquery("readers")
    kinds = readers.c.topics, readers.c.format, readers.c.hour.is_not(None).label("own_hour")
    rows = connection.execute(select(*kinds, func.count()).group_by(*kinds).order_by(*kinds))
    return tuple((topics, form, bool(own), count) for topics, form, own, count in rows)


def kinds_of_addressed(connection: Connection, edition_id: str) -> tuple[tuple[str, str, bool, int], ...]:
    """Count the readers that an edition was addressed to like `kinds_of_readers`, as they are now.

    Readers who were erased since have no format; they count as readers of HTML, at no hour of their own.
    """
    kinds = deliveries.c.variant, func.coalesce(subscribers.c.format, "html").label("format")
    joined = deliveries.outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
    query = select(*kinds, func.count()).select_from(joined).where(_of(edition_id))
    rows = connection.execute(query.group_by(*kinds).order_by(*kinds))
    return tuple((variant, form, False, count) for variant, form, count in rows)


def count_reasons(connection: Connection, unserved: Select[tuple[str]]) -> tuple[tuple[str, int], ...]:
    """Count the readers who are not mailed an edition by the reason, the most frequent first."""
    readers = unserved.subquery("readers")
    number = func.count().label("number")
    query = select(readers.c.why, number).group_by(readers.c.why).order_by(number.desc(), readers.c.why)
    return tuple((why, count) for why, count in connection.execute(query))


def count_readers(connection: Connection, mailable: Mailable) -> int:
    """Count the readers that an edition would be addressed to."""
    return connection.execute(select(func.count()).select_from(mailable.subquery())).scalar_one()


def by_code(connection: Connection, edition_id: str) -> tuple[AnswerCount, ...]:
    """Count failed and uncertain deliveries by state and code, the most first, with one reply for each."""
    failed = deliveries.c.state.in_(RETRYABLE)
    kind = deliveries.c.state, deliveries.c.code
    number = func.count().label("number")
    query = (
        select(*kind, number, func.min(deliveries.c.reply))
        .where(_of(edition_id), failed)
        .group_by(*kind)
        .order_by(number.desc(), *kind)
    )
    return tuple(
        AnswerCount(state=DeliveryState(state), code=code, count=count, reply=reply)
        for state, code, count, reply in connection.execute(query)
    )


def later(connection: Connection, edition_id: str, now: datetime) -> Mapping[DeliveryState, Later]:
    """Count the deliveries of an edition that are due after `now`, by state, and say when the first is."""
    due_at = deliveries.c.due_at
    query = (
        select(deliveries.c.state, func.count(), func.min(due_at))
        .where(_of(edition_id), SENDABLE, due_at > now)
        .group_by(deliveries.c.state)
    )
    rows = connection.execute(query)
    return {DeliveryState(state): Later(count=count, first_at=first_at) for state, count, first_at in rows}


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
    """Return a page of an edition's deliveries in the order of subscriber ids, after subscriber `after`."""
    wire = on_wire(connection, edition_id)
    query = (
        _with_address()
        .where(_of(edition_id), deliveries.c.subscriber_id > after, *_answered(code, None))
        .order_by(deliveries.c.subscriber_id)
        .limit(limit)
    )
    if domain is not None:
        query = query.where(_at(domain))  # of the joined reader: a subquery would read the whole list
    if states:
        query = query.where(_in_states(connection, wire, states))
    return tuple(_delivery(row, wire) for row in connection.execute(query))


def deliveries_to(connection: Connection, subscriber_id: int) -> tuple[Delivery, ...]:
    """Return all deliveries to one reader, oldest first. This reads the whole ledger, so call it rarely."""
    query = (
        _with_address()
        .where(deliveries.c.subscriber_id == subscriber_id)
        .order_by(deliveries.c.changed_at, deliveries.c.edition_id)
    )
    rows = connection.execute(query).all()
    wires = {each: on_wire(connection, each) for each in editions_at_work(connection)}
    return tuple(_delivery(row, wires.get(row.edition_id, frozenset())) for row in rows)


def _with_address() -> Select[tuple[object, ...]]:
    columns = [column for column in deliveries.c if column.name != "owner"]
    reader = subscribers.c.id == deliveries.c.subscriber_id
    return select(*columns, subscribers.c.address).join_from(deliveries, subscribers, reader, isouter=True)


def _delivery(row: Row[tuple[object, ...]], wire: frozenset[int]) -> Delivery:
    """Return a delivery with its current state: while it is on the wire, its own row shows an older state."""
    values = dict(row._mapping)
    state = DeliveryState.WIRE if values["subscriber_id"] in wire else DeliveryState(values["state"])
    return Delivery(**{**values, "state": state})


def retry(
    connection: Connection,
    edition_id: str,
    states: Collection[DeliveryState],
    *,
    now: datetime,
    code: int | None = None,
    domain: str | None = None,
    only: int | None = None,
) -> int:
    """Queue deliveries in `states` again, due now, and return how many.

    Optionally, only those with one code, at one domain, or to the one reader `only`.

    Raises ValueError for a state that is not in RETRYABLE.
    """
    if not RETRYABLE.issuperset(states):
        raise ValueError(f"only {', '.join(sorted(RETRYABLE))} deliveries can be sent again")
    conditions = [_of(edition_id), deliveries.c.state.in_(states), *_answered(code, domain)]
    conditions += [] if only is None else [deliveries.c.subscriber_id == only]
    ensure_cut(connection, edition_id, now)
    look_again(connection, edition_id, now, *conditions)
    again = {"state": DeliveryState.QUEUED, "due_at": now, "tries": 0, "owner": None, "changed_at": now}
    return connection.execute(update(deliveries).where(*conditions).values(again)).rowcount


def take_back_rejected(
    connection: Connection, edition_id: str, ids: Collection[int], *, now: datetime
) -> int:
    """Defer rejected deliveries to these readers, as if they had not been tried; return how many."""
    if not ids:
        return 0
    rejected = _of(edition_id), _these(connection, ids), deliveries.c.state == DeliveryState.REJECTED
    look_again(connection, edition_id, now, *rejected)
    waits = {"state": DeliveryState.DEFERRED, "due_at": now, "changed_at": now}
    again = update(deliveries).where(*rejected).values(**waits, tries=deliveries.c.tries - 1)
    return connection.execute(again).rowcount


def _of(edition_id: str) -> ColumnElement[bool]:
    return deliveries.c.edition_id == edition_id


def hasten(connection: Connection, edition_id: str, limit: datetime, now: datetime) -> int:
    """Make the open deliveries that are due later than `limit` due `now`; return how many."""
    ahead = _of(edition_id), SENDABLE, deliveries.c.due_at > limit
    look_everywhere(connection, edition_id, now)
    return connection.execute(update(deliveries).where(*ahead).values(due_at=now)).rowcount


def _these(connection: Connection, ids: Collection[int]) -> ColumnElement[bool]:
    return among(connection, deliveries.c.subscriber_id, ids)


def _in_states(
    connection: Connection, wire: frozenset[int], states: Collection[DeliveryState]
) -> ColumnElement[bool]:
    """Return the condition that a delivery is in one of `states`, by its own row or by its slice's."""
    own = and_(deliveries.c.state.in_(states), ~_these(connection, wire))
    return or_(own, _these(connection, wire)) if DeliveryState.WIRE in states else own


def _answered(code: int | None, domain: str | None) -> Iterator[ColumnElement[bool]]:
    """Yield a condition for the reply code, and one for the domain of the address, if they are given."""
    if code is not None:
        yield deliveries.c.code == code
    if domain is not None:
        yield deliveries.c.subscriber_id.in_(select(subscribers.c.id).where(_at(domain)))


def _at(domain: str) -> ColumnElement[bool]:
    return func.lower(subscribers.c.address).endswith(f"@{domain.lower()}", autoescape=True)
