"""Who of an edition is next: first the copies that go at once, by reader, then those that have a time.

Nearly all go at once, so they stand in no index: an entry for each, made and taken out again, costs as
much as the rest of its row. They are found in the order of the ledger, from where a sender has come to.
Who is passed by on the way, for another sender held it then or its reader may not be mailed any more, is
looked for at the end. What has a time, a reader's own or that of its next try, is found by index.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Update, bindparam, func, select, tuple_, update

from digest.send.message import Addressee
from digest.storage.prepared import Prepared
from digest.storage.senders import id_list, listed
from digest.storage.settling import skip
from digest.storage.tables import SENDABLE, deliveries, editions
from subscribers.store import Mailable

_LOOKED_UP = 200  # readers in one query; for many more PostgreSQL reads the whole list instead
_PASSED_BY = 1_000  # looked at in one transaction

_Row = tuple[Any, ...]


class Place(NamedTuple):
    """How far a sender has come in the queue of an edition, as the database keeps it."""

    reader: int | None = 0  # among those that go at once; None: to their end
    timed: tuple[Any, int] | None = None  # due, and reader, among those with a time


START = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who is wanted of an edition: up to `limit` of whom none is `taken`, and all may be mailed `now`."""

    edition_id: str
    mailable: Mailable
    now: datetime
    limit: int
    taken: Collection[int]  # held by a sender

    @property
    def values(self) -> dict[str, object]:
        """Return what every statement here is run with."""
        return {"edition": self.edition_id, "now": self.now, "most": self.limit}


_READER = bindparam("reader", type_=deliveries.c.subscriber_id.type)
_OPEN = select(
    deliveries.c.subscriber_id, deliveries.c.variant, deliveries.c.tries, deliveries.c.due_at
).where(deliveries.c.edition_id == bindparam("edition"), SENDABLE)
_AT_ONCE = deliveries.c.due_at.is_(None)
_BEHIND = Prepared(
    _OPEN.where(_AT_ONCE, deliveries.c.subscriber_id > _READER)
    .order_by(deliveries.c.subscriber_id)
    .limit(bindparam("most"))
)
# For one transaction. PostgreSQL has no statistics of an edition just addressed, and would sort all of it.
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
) -> tuple[tuple[Addressee, ...] | None, Place]:
    """Return who goes next behind a place, and the place behind them; None when nobody is left that is due.

    Whose reader may not be mailed any more is skipped, so a group can be empty and not the last.
    Unless some may be queued to go `at_once`, none is looked for among those. The edition must be locked,
    so that its senders ask one after the other.
    """
    readers: Sequence[Addressee] | None = None
    if at_once and after.reader is not None:
        readers, reader = _ahead(connection, asked, after.reader)
        after = after._replace(reader=reader)
    if not readers:
        readers, timed = _timed(connection, asked, after.timed)
        after = after._replace(timed=timed)
    if readers is None and at_once:
        readers = _passed_by(connection, asked)
        if readers:
            after = after._replace(reader=readers[-1].subscriber_id)
    return None if readers is None else tuple(readers), after


def _ahead(connection: Connection, asked: Asked, reader: int) -> tuple[list[Addressee], int | None]:
    """Return the next who go at once behind a reader, and the last of them; None: there is none behind."""
    # PostgreSQL would rather join all the list than eighty of it: it is asked for ids, then for readers
    in_one = connection.dialect.name == "sqlite"
    query = _asked_for_next(asked.mailable) if in_one else _BEHIND
    if not in_one:
        _IN_KEY_ORDER.run(connection, {})
    while rows := query.rows(connection, {**asked.values, "reader": reader}):
        reader = rows[-1][0]
        free = _free(rows, asked)
        readers = [*map(Addressee._make, free)] if in_one else _mailable(connection, asked, free)
        if readers:
            return readers, reader
    return [], None


@lru_cache(maxsize=16)
def _asked_for_next(mailable: Mailable) -> Prepared:
    """Return the question who goes at once behind a reader; its columns are the fields of an Addressee."""
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
        .where(deliveries.c.edition_id == bindparam("edition"), SENDABLE, _AT_ONCE)
        .where(deliveries.c.subscriber_id > _READER)
        .order_by(deliveries.c.subscriber_id)
        .limit(bindparam("most"))
    )


def _timed(
    connection: Connection, asked: Asked, after: tuple[Any, int] | None
) -> tuple[list[Addressee] | None, tuple[Any, int] | None]:
    """Return the longest due of those with a time, behind a place or else of all; None when none is due."""
    rows: list[_Row] = []
    if after:
        behind = {"due": after[0], "reader": after[1]}
        rows = _free(_DUE_AFTER.rows(connection, asked.values | behind | _more(asked)), asked)
    rows = rows or _free(_DUE.rows(connection, asked.values | _more(asked)), asked)
    if not rows:
        return None, None
    page = rows[: asked.limit]
    last, _, _, due_at = page[-1]
    return _mailable(connection, asked, page), (due_at, last)


def _passed_by(connection: Connection, asked: Asked) -> list[Addressee] | None:
    """Return who goes at once and was passed by; None when there is nobody.

    To find nobody takes a look at all of the edition, so that is noted.
    """
    looked_at = asked.values | {"reader": 0, "most": _PASSED_BY + len(asked.taken)}
    rows = _BEHIND.rows(connection, looked_at)
    if not rows:
        connection.execute(_of(asked.edition_id).values(at_once=False))
    free = _free(rows, asked)
    return _mailable(connection, asked, free)[: asked.limit] if free else None


def _more(asked: Asked) -> dict[str, object]:
    return {"most": asked.limit + len(asked.taken)}


def _free(rows: Sequence[_Row], asked: Asked) -> list[_Row]:
    return [row for row in rows if row[0] not in asked.taken]


def _mailable(connection: Connection, asked: Asked, page: Sequence[_Row]) -> list[Addressee]:
    """Return whom a page is for; those who may no longer be mailed are skipped."""
    readers = _readers(connection, asked, [key for key, *_ in page])
    if len(readers) < len(page):
        skip(connection, asked.edition_id, [key for key, *_ in page if key not in readers], now=asked.now)
    return [
        Addressee(key, address, variant, form, tries, language, hour, zone)
        for key, variant, tries, _ in page
        if key in readers
        for _, address, form, language, hour, zone in [readers[key]]
    ]


def _readers(connection: Connection, asked: Asked, ids: Sequence[int]) -> dict[int, _Row]:
    """Return id, address, format, language, hour and zone of those who may still be mailed."""
    dialect = connection.dialect.name
    query = _asked_for_readers(dialect, asked.mailable)
    found: dict[int, _Row] = {}
    for at in range(0, len(ids), _LOOKED_UP):
        these: Mapping[str, object] = {"ids": id_list(dialect, ids[at : at + _LOOKED_UP]), "now": asked.now}
        found |= {row[0]: row for row in query.rows(connection, these)}
    return found


@lru_cache(maxsize=16)
def _asked_for_readers(dialect: str, mailable: Mailable) -> Prepared:
    who = mailable.selected_columns
    wanted = who.subscriber_id, who.address, who.format, who.language, who.hour, who.zone
    these = listed(dialect, who.subscriber_id, bindparam("ids"))
    return Prepared(mailable.with_only_columns(*wanted).where(these))


# ── whether anybody goes at once ────────────────────────────────────────────────────────────


def begin_queue(connection: Connection, edition_id: str) -> None:
    """Note that there are copies that go at once."""
    connection.execute(_of(edition_id).values(at_once=True))


def end_queue(connection: Connection, edition_id: str) -> None:
    """Note that no copy is left that goes at once, when that is so: nobody looks for one from then on."""
    still = select(deliveries.c.subscriber_id).where(
        deliveries.c.edition_id == edition_id, SENDABLE, _AT_ONCE
    )
    over = editions.c.at_once, ~still.exists()
    connection.execute(_of(edition_id).where(*over).values(at_once=False))


def _of(edition_id: str) -> Update:
    return update(editions).where(editions.c.id == edition_id)
