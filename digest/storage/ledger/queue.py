"""Find the next deliveries of an edition: first those that go at once, then those that have a due time.

Nearly all deliveries go at once. They have no entry in an index, because adding and removing one entry for
each delivery would be a third of all that the ledger writes. A sender finds them in the order of the
ledger's key, with a cursor. Deliveries skipped on the way (held by another sender, or the reader has
unsubscribed) are collected in a final pass. Deliveries with a due time (a reader's own hour, or the next
try) are found by an index.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Update, bindparam, func, select, tuple_, update

from digest.model.deliveries import Recipient
from digest.storage.ledger.prepared import Prepared
from digest.storage.ledger.senders import id_list, listed
from digest.storage.ledger.settling import skip
from digest.storage.tables.deliveries import SENDABLE, deliveries
from digest.storage.tables.editions import editions
from subscribers.store.mailable import Mailable

_READERS_PER_QUERY = 200  # for many more, PostgreSQL would read the whole list of readers
_FINAL_PASS_ROWS = 1_000  # read in one transaction

_Row = tuple[Any, ...]


class Place(NamedTuple):
    """How far a sender has come in the queue of an edition. Times are as the driver gives them."""

    reader: int | None = 0  # the last reader among deliveries that go at once; None: all are done
    timed: tuple[Any, int] | None = None  # due time and reader of the last delivery with a due time


START = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A search for the next deliveries: up to `limit`, none of them `taken`, all `mailable` at `now`."""

    edition_id: str
    mailable: Mailable
    now: datetime
    limit: int
    taken: Collection[int]  # held by a sender

    @property
    def values(self) -> dict[str, object]:
        """Return the values that all statements in this module have in common."""
        return {"edition": self.edition_id, "now": self.now, "most": self.limit}


_READER = bindparam("reader", type_=deliveries.c.subscriber_id.type)
_OPEN = select(
    deliveries.c.subscriber_id, deliveries.c.variant, deliveries.c.tries, deliveries.c.due_at
).where(deliveries.c.edition_id == bindparam("edition"), SENDABLE)
_NO_DUE_TIME = deliveries.c.due_at.is_(None)
_BEHIND = Prepared(
    _OPEN.where(_NO_DUE_TIME, deliveries.c.subscriber_id > _READER)
    .order_by(deliveries.c.subscriber_id)
    .limit(bindparam("most"))
)
# PostgreSQL has no statistics about an edition that was just addressed, and would sort all of it for each
# group. The setting lasts until the end of the transaction.
_IN_KEY_ORDER = Prepared(select(func.set_config("enable_sort", "off", True)))
_QUEUE = deliveries.c.due_at, deliveries.c.subscriber_id
_TIMED = (
    _OPEN.where(deliveries.c.due_at <= bindparam("now", type_=deliveries.c.due_at.type))
    .order_by(*_QUEUE)
    .limit(bindparam("most"))
)
_DUE = Prepared(_TIMED)
_DUE_AFTER = Prepared(_TIMED.where(tuple_(*_QUEUE) > tuple_(bindparam("due"), _READER)))


def next_readers(
    connection: Connection, asked: Asked, after: Place, *, at_once: bool
) -> tuple[tuple[Recipient, ...] | None, Place]:
    """Return the next recipients after a place, and the place after them; None when no free one is due.

    Deliveries whose readers may no longer be mailed are skipped, so a group can be empty without being the
    last. `at_once` is the edition's column: if it is off, no delivery without a due time is open, and we do
    not look for any. The edition must be locked, so that its senders search one after the other.
    """
    readers: Sequence[Recipient] | None = None
    if at_once and after.reader is not None:
        readers, reader = _ahead(connection, asked, after.reader)
        after = after._replace(reader=reader)
    # Deliveries with a time wait until the cursor finds nobody, because the cursor is cheaper than the index.
    # A retry or a reader's hour can therefore be late while a large edition is still going out.
    if not readers:
        readers, timed = _timed(connection, asked, after.timed)
        after = after._replace(timed=timed)
    if readers is None and at_once:
        readers = _passed_by(connection, asked)
        if readers:
            after = after._replace(reader=readers[-1].subscriber_id)
    return None if readers is None else tuple(readers), after


def _ahead(connection: Connection, asked: Asked, reader: int) -> tuple[list[Recipient], int | None]:
    """Return the next recipients that go at once after a reader, and the last reader seen; None: the end."""
    # PostgreSQL would join the whole list of readers rather than the few in a group. So it gets two queries:
    # first the ids, then their readers.
    in_one = connection.dialect.name == "sqlite"
    query = _asked_for_next(asked.mailable) if in_one else _BEHIND
    if not in_one:
        _IN_KEY_ORDER.run(connection, {})
    while rows := query.rows(connection, {**asked.values, "reader": reader}):
        reader = rows[-1][0]
        free = _free(rows, asked)
        readers = [*map(Recipient._make, free)] if in_one else _mailable(connection, asked, free)
        if readers:
            return readers, reader
    return [], None


@lru_cache(maxsize=16)
def _asked_for_next(mailable: Mailable) -> Prepared:
    """Return the query for deliveries that go at once; its columns are the fields of a Recipient."""
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
        .where(deliveries.c.edition_id == bindparam("edition"), SENDABLE, _NO_DUE_TIME)
        .where(deliveries.c.subscriber_id > _READER)
        .order_by(deliveries.c.subscriber_id)
        .limit(bindparam("most"))
    )


def _timed(
    connection: Connection, asked: Asked, after: tuple[Any, int] | None
) -> tuple[list[Recipient] | None, tuple[Any, int] | None]:
    """Return the recipients that have been due longest, after a place or else from the start; None: none."""
    rows: list[_Row] = []
    if after:
        behind = {"due": after[0], "reader": after[1]}
        rows = _free(_DUE_AFTER.rows(connection, asked.values | behind | _more(asked)), asked)
    # A retry can fall due before the place this sender has reached.
    rows = rows or _free(_DUE.rows(connection, asked.values | _more(asked)), asked)
    if not rows:
        return None, None
    page = rows[: asked.limit]
    last, _, _, due_at = page[-1]
    return _mailable(connection, asked, page), (due_at, last)


def _passed_by(connection: Connection, asked: Asked) -> list[Recipient] | None:
    """Return the recipients without a due time that the cursor passed by; None when there are none."""
    looked_at = asked.values | {"reader": 0, "most": _FINAL_PASS_ROWS + len(asked.taken)}
    rows = _BEHIND.rows(connection, looked_at)
    if not rows:
        # Finding nobody means reading the whole edition, so the result is kept: nobody looks again.
        connection.execute(_of(asked.edition_id).values(at_once=False))
    free = _free(rows, asked)
    return _mailable(connection, asked, free)[: asked.limit] if free else None


def _more(asked: Asked) -> dict[str, object]:
    # Held deliveries stay at the front of the index until they are settled, so we read as many more rows as
    # are held.
    return {"most": asked.limit + len(asked.taken)}


def _free(rows: Sequence[_Row], asked: Asked) -> list[_Row]:
    return [row for row in rows if row[0] not in asked.taken]


def _mailable(connection: Connection, asked: Asked, page: Sequence[_Row]) -> list[Recipient]:
    """Return the recipients of a page; deliveries whose readers may no longer be mailed are skipped."""
    readers = _readers(connection, asked, [key for key, *_ in page])
    if len(readers) < len(page):
        skip(connection, asked.edition_id, [key for key, *_ in page if key not in readers], now=asked.now)
    return [
        Recipient(key, address, variant, form, tries, language, hour, zone)
        for key, variant, tries, _ in page
        if key in readers
        for _, address, form, language, hour, zone in [readers[key]]
    ]


def _readers(connection: Connection, asked: Asked, ids: Sequence[int]) -> dict[int, _Row]:
    """Return id, address, format, language, hour and zone of the readers who may still be mailed, by id."""
    dialect = connection.dialect.name
    query = _asked_for_readers(dialect, asked.mailable)
    found: dict[int, _Row] = {}
    for at in range(0, len(ids), _READERS_PER_QUERY):
        part = ids[at : at + _READERS_PER_QUERY]
        these: Mapping[str, object] = {"ids": id_list(dialect, part), "now": asked.now}
        found |= {row[0]: row for row in query.rows(connection, these)}
    return found


@lru_cache(maxsize=16)
def _asked_for_readers(dialect: str, mailable: Mailable) -> Prepared:
    who = mailable.selected_columns
    wanted = who.subscriber_id, who.address, who.format, who.language, who.hour, who.zone
    these = listed(dialect, who.subscriber_id, bindparam("ids"))
    return Prepared(mailable.with_only_columns(*wanted).where(these))


# ── editions.at_once ────────────────────────────────────────────────────────────────────────


def begin_queue(connection: Connection, edition_id: str) -> None:
    """Set `editions.at_once`: deliveries without a due time may be queued."""
    connection.execute(_of(edition_id).values(at_once=True))


def end_queue(connection: Connection, edition_id: str) -> None:
    """Clear `editions.at_once` if no delivery without a due time is open, so that nobody looks for them."""
    still = select(deliveries.c.subscriber_id).where(
        deliveries.c.edition_id == edition_id, SENDABLE, _NO_DUE_TIME
    )
    over = editions.c.at_once, ~still.exists()
    connection.execute(_of(edition_id).where(*over).values(at_once=False))


def _of(edition_id: str) -> Update:
    return update(editions).where(editions.c.id == edition_id)


def hasten(connection: Connection, edition_id: str, limit: datetime, now: datetime) -> int:
    """Make the open deliveries that are due later than `limit` due `now`; return how many."""
    ahead = deliveries.c.edition_id == edition_id, SENDABLE, deliveries.c.due_at > limit
    return connection.execute(update(deliveries).where(*ahead).values(due_at=now)).rowcount
