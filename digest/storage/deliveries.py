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

from sqlalchemy import Connection, bindparam, func, select, update

from digest.model import EditionState
from digest.send.message import Addressee
from digest.send.retries import Result
from digest.storage.prepared import Prepared
from digest.storage.queue import START, Asked, Place, next_readers
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

_GOING = select(editions.c.at_once).where(
    editions.c.id == bindparam("edition"),
    editions.c.state == EditionState.SENDING,
    editions.c.paused_at.is_(None),
)
# Of a locked edition the senders claim one after the other, and never the same.
_GOES_ON, _IN_TURN = Prepared(_GOING), Prepared(_GOING.with_for_update(key_share=True))


def claim(
    connection: Connection,
    sender: Sender,
    mailable: Mailable,
    *,
    after: Place = START,
    limit: int,
    now: datetime,
) -> tuple[tuple[Addressee, ...] | None, Place]:
    """Lease up to `limit` deliveries that are due, and tell where to go on; None when there is none.

    There is none either when the edition is not being sent (any more), or paused. Those whose reader may
    no longer be mailed are skipped, so a page can be empty and not the last.
    """
    going = _IN_TURN.rows(connection, {"edition": sender.edition_id})
    if not going:
        return None, after
    mine = held_by(connection, sender)
    held = mine or NOTHING
    asked = _asked(connection, sender, held, mailable, limit=limit, now=now)
    readers, place = next_readers(connection, asked, after, at_once=bool(going[0][0]))
    if readers:
        claimed = frozenset(reader.subscriber_id for reader in readers)
        (hold if mine else begin_to_hold)(connection, sender, held | Held(claimed=claimed), now=now)
    return readers, place


def take(
    connection: Connection,
    sender: Sender,
    mailable: Mailable,
    *,
    results: Sequence[Result] = (),
    after: Place = START,
    limit: int,
    now: datetime,
) -> tuple[tuple[Addressee, ...] | None, Place]:
    """Settle what became of deliveries on the wire, then claim others and mark them at once.

    Returns up to `limit` readers, whose letters may be written to a server after commit, and where to go on;
    None when nothing is due, or may go. A group can be empty and not the last, as in `claim`.
    """
    going = _IN_TURN.rows(connection, {"edition": sender.edition_id})
    mine = held_by(connection, sender)
    held = settle(connection, sender, mine or NOTHING, results, now)
    readers, place = None, after
    if going:
        asked = _asked(connection, sender, held, mailable, limit=limit, now=now)
        readers, place = next_readers(connection, asked, after, at_once=bool(going[0][0]))
    if mine or readers:
        marked = frozenset(reader.subscriber_id for reader in readers or ())
        held = Held(claimed=held.claimed, wire=held.wire | marked)
        (hold if mine else begin_to_hold)(connection, sender, held, now=now)
    return readers, place


def _asked(
    connection: Connection, sender: Sender, held: Held, mailable: Mailable, *, limit: int, now: datetime
) -> Asked:
    taken = held.all | held_of(connection, sender.edition_id, but=sender).all
    return Asked(edition_id=sender.edition_id, mailable=mailable, now=now, limit=limit, taken=taken)


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
