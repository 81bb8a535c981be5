"""The ledger: one row for each edition and subscriber, true after any crash.

A delivery is claimed by a sender under a lease, marked before it is written to a server, and settled by
what the server answered. The first two stand in the sender's row (`digest.storage.senders`); the
delivery's own row is written once, when it is settled. `take` does all three in one transaction; where
limits hold, `claim` and `exchange` do it in steps. Each asks first whether the sender still holds the
delivery, so one that slept too long does nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, select, tuple_, update

from digest.model import EditionState
from digest.send.message import Addressee
from digest.send.retries import Result
from digest.storage.prepared import Prepared
from digest.storage.senders import (
    NOTHING,
    Held,
    Sender,
    begin_to_hold,
    held_by,
    held_of,
    hold,
    id_list,
    listed,
)
from digest.storage.settling import settle, skip
from digest.storage.tables import SENDABLE, deliveries, editions
from subscribers.store import Mailable

_LOOKED_UP = 200  # readers in one query; for many more PostgreSQL reads the whole list instead


_GOING = select(editions.c.id).where(
    editions.c.id == bindparam("edition"),
    editions.c.state == EditionState.SENDING,
    editions.c.paused_at.is_(None),
)
_GOES_ON, _IN_TURN = Prepared(_GOING), Prepared(_GOING.with_for_update(key_share=True))
_QUEUE = deliveries.c.due_at, deliveries.c.subscriber_id
_WAITING = (
    select(deliveries.c.subscriber_id, deliveries.c.variant, deliveries.c.tries, deliveries.c.due_at)
    .where(
        deliveries.c.edition_id == bindparam("edition"),
        SENDABLE,
        deliveries.c.due_at <= bindparam("at", type_=deliveries.c.due_at.type),
    )
    .order_by(*_QUEUE)
    .limit(bindparam("most"))
)
_DUE = Prepared(_WAITING)
_DUE_AFTER = Prepared(_WAITING.where(tuple_(*_QUEUE) > tuple_(bindparam("due"), bindparam("reader"))))


class Place(NamedTuple):
    """How far a sender has come in the queue of an edition, as the database keeps it."""

    due_at: Any
    subscriber_id: int


def claim(
    connection: Connection, sender: Sender, mailable: Mailable, *, now: datetime, limit: int
) -> tuple[Addressee, ...] | None:
    """Lease up to `limit` deliveries that are due, the longest due first; None when there is none.

    There is none either when the edition is not being sent (any more), or paused. Those whose reader may
    no longer be mailed are skipped, so a page can be empty and not the last.
    """
    edition = {"edition": sender.edition_id}
    # the edition is locked: its senders claim one after the other, and never the same
    if not _IN_TURN.rows(connection, edition):
        return None
    mine, taken = held_by(connection, sender), held_of(connection, sender.edition_id).all
    due = _DUE.rows(connection, {**edition, "at": now, "most": limit + len(taken)})
    page = [row for row in due if row[0] not in taken][:limit]
    if not page:
        return None
    readers = _mailable(connection, sender, mailable, page, now)
    claimed = frozenset(reader.subscriber_id for reader in readers)
    held = (mine or NOTHING) | Held(claimed=claimed)
    (hold if mine else begin_to_hold)(connection, sender, held, now=now)
    return readers


def take(
    connection: Connection,
    sender: Sender,
    mailable: Mailable,
    *,
    results: Sequence[Result] = (),
    after: Place | None = None,
    limit: int,
    now: datetime,
) -> tuple[tuple[Addressee, ...] | None, Place | None]:
    """Settle what became of deliveries on the wire, then claim others and mark them at once.

    Returns up to `limit` readers, whose letters may be written to a server after commit, and where to go on;
    None when nothing is due, or may go. They are the longest due behind `after`, and when there are no more,
    of all.
    """
    goes_on = _IN_TURN.rows(connection, {"edition": sender.edition_id})
    mine = held_by(connection, sender)
    held = settle(connection, sender, mine or NOTHING, results, now)
    page = _next_due(connection, sender, held, after, limit, now) if goes_on else []
    readers = _mailable(connection, sender, mailable, page, now)
    if mine or readers:
        marked = frozenset(reader.subscriber_id for reader in readers)
        held = Held(claimed=held.claimed, wire=held.wire | marked)
        (hold if mine else begin_to_hold)(connection, sender, held, now=now)
    if not page:
        return None, None
    last, _, _, due_at = page[-1]
    return readers, Place(due_at, last)


def _next_due(
    connection: Connection, sender: Sender, held: Held, after: Place | None, limit: int, now: datetime
) -> list[tuple[Any, ...]]:
    others = held_of(connection, sender.edition_id, but=sender).all
    taken, these = others | held.all, {"edition": sender.edition_id, "at": now}
    due: list[tuple[Any, ...]] = []
    if after:
        behind = {"due": after.due_at, "reader": after.subscriber_id, "most": limit + len(others)}
        due = _DUE_AFTER.rows(connection, these | behind)
    due = due or _DUE.rows(connection, these | {"most": limit + len(taken)})
    return [row for row in due if row[0] not in taken][:limit]


def _mailable(
    connection: Connection, sender: Sender, mailable: Mailable, page: Sequence[tuple[Any, ...]], now: datetime
) -> tuple[Addressee, ...]:
    """Return whom a page is for; those who may no longer be mailed are skipped."""
    readers = _readers(connection, mailable, [key for key, *_ in page], now)
    if len(readers) < len(page):
        skip(connection, sender.edition_id, [key for key, *_ in page if key not in readers], now=now)
    return tuple(
        Addressee(key, address, variant, form, tries, language or "", hour, zone)
        for key, variant, tries, _ in page
        if key in readers
        for _, address, form, language, hour, zone in [readers[key]]
    )


def _readers(
    connection: Connection, mailable: Mailable, ids: Sequence[int], now: datetime
) -> dict[int, tuple[Any, ...]]:
    """Return id, address, format, language, hour and zone of those who may still be mailed."""
    dialect = connection.dialect.name
    asked = _asked_for_readers(dialect, mailable)
    found: dict[int, tuple[Any, ...]] = {}
    for at in range(0, len(ids), _LOOKED_UP):
        these = {"ids": id_list(dialect, ids[at : at + _LOOKED_UP]), "now": now}
        found |= {row[0]: row for row in asked.rows(connection, these)}
    return found


@lru_cache(maxsize=16)
def _asked_for_readers(dialect: str, mailable: Mailable) -> Prepared:
    column = mailable.selected_columns
    wanted = (
        column.subscriber_id,
        column.address,
        column.format,
        column.language,
        column.hour,
        column.zone,
    )
    these = listed(dialect, column.subscriber_id, bindparam("ids"))
    return Prepared(mailable.with_only_columns(*wanted).where(these))


def exchange(
    connection: Connection,
    sender: Sender,
    mailable: Mailable,
    *,
    results: Sequence[Result] = (),
    marks: Collection[int] = (),
    now: datetime,
) -> frozenset[int]:
    """Settle what became of deliveries on the wire, mark claimed ones that go next, and return those marked.

    The marked may be written to a server after commit. Left out are those the sender no longer holds,
    all of them once the edition is no longer being sent or paused, and, skipped from here on, those
    whose reader left since the claim.

    That a server accepted a letter is final, and is kept whoever holds the delivery by now; any other
    result only where it is still this sender's.
    """
    before = held_by(connection, sender) or NOTHING
    held = settle(connection, sender, before, results, now)
    claimed = held.claimed.intersection(marks)
    if claimed and not _GOES_ON.rows(connection, {"edition": sender.edition_id}):
        claimed = frozenset()
    marked = _still_due(connection, sender.edition_id, mailable, claimed, now)
    skip(connection, sender.edition_id, claimed - marked, now=now)
    held = Held(claimed=held.claimed - claimed, wire=held.wire | marked)
    if held != before:
        hold(connection, sender, held, now=now)
    return marked


def _still_due(
    connection: Connection, edition_id: str, mailable: Mailable, ids: Collection[int], now: datetime
) -> frozenset[int]:
    if not ids:
        return frozenset()
    dialect = connection.dialect.name
    these = {"edition": edition_id, "ids": id_list(dialect, ids), "now": now}
    due, counted = _asked_for_due(dialect, mailable)
    [(count,)] = counted.rows(connection, these)
    if count == len(ids):  # nearly always; a row for each takes longer
        return frozenset(ids)
    return frozenset(key for (key,) in due.rows(connection, these))


@lru_cache(maxsize=16)
def _asked_for_due(dialect: str, mailable: Mailable) -> tuple[Prepared, Prepared]:
    """Return the question who of some is still due, and how many are."""
    reader = mailable.where(mailable.selected_columns.subscriber_id == deliveries.c.subscriber_id)
    due = select(deliveries.c.subscriber_id).where(
        deliveries.c.edition_id == bindparam("edition"),
        listed(dialect, deliveries.c.subscriber_id, bindparam("ids")),
        SENDABLE,
        reader.exists(),
    )
    return Prepared(due), Prepared(due.with_only_columns(func.count()))


def postpone(
    connection: Connection, sender: Sender, turns: Sequence[tuple[int, datetime]], *, now: datetime
) -> None:
    """Give claimed deliveries back, each until its own time; those of other senders are left alone."""
    held = held_by(connection, sender) if turns else None
    turns = [(key, due_at) for key, due_at in turns if held and key in held.claimed]
    if not held or not turns:
        return
    later = update(deliveries).where(
        deliveries.c.edition_id == sender.edition_id,
        deliveries.c.subscriber_id == bindparam("reader"),
        SENDABLE,
    )
    until = bindparam("until", type_=deliveries.c.due_at.type)
    rows = [{"reader": key, "until": due_at} for key, due_at in turns]
    connection.execute(later.values(due_at=until, changed_at=now), rows)
    given_back = {key for key, _ in turns}
    hold(connection, sender, Held(claimed=held.claimed - given_back, wire=held.wire), now=now)
