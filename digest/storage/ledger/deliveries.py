"""Claim, mark and settle deliveries, so that the ledger is correct after any crash.

A delivery is claimed by a sender under a lease, marked before its message is written to a server, and
settled when the server has answered. Claims and marks are kept in the sender's row
(`digest.storage.ledger.senders`); the delivery's own row is written once, when it is settled. `take` does
all three in one transaction. With limits, `claim` and `exchange` do it in steps. Each of them first checks
that the sender still holds the delivery, so a sender that has overslept its lease does nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection, bindparam, func, select, update

from digest.model.deliveries import Recipient, Result
from digest.model.editions import EditionState
from digest.storage.ledger.prepared import Prepared
from digest.storage.ledger.queue import START, Asked, Place, next_readers
from digest.storage.ledger.senders import (
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
from digest.storage.ledger.settling import settle, skip
from digest.storage.tables.deliveries import SENDABLE, deliveries
from digest.storage.tables.editions import editions
from subscribers.store.mailable import Mailable

_GOING = select(editions.c.at_once).where(
    editions.c.id == bindparam("edition"),
    editions.c.state == EditionState.SENDING,
    editions.c.paused_at.is_(None),
)
# This lock makes a pause wait for a step that marks, and such a step for a pause. Steps of several senders
# share it.
_GOES_ON = Prepared(_GOING.with_for_update(read=True))
# The lock on the edition makes senders claim one after the other, so none claims what another has claimed.
# FOR NO KEY UPDATE, not FOR UPDATE: inserting a row that refers to the edition must not wait for the senders.
_IN_TURN = Prepared(_GOING.with_for_update(key_share=True))


def claim(
    connection: Connection,
    sender: Sender,
    mailable: Mailable,
    *,
    after: Place = START,
    limit: int,
    now: datetime,
) -> tuple[tuple[Recipient, ...] | None, Place]:
    """Claim up to `limit` due deliveries; return their readers, and the place to continue from.

    The readers are None when nothing is due, and when the edition is paused or not being sent. Deliveries
    whose readers may no longer be mailed are skipped, so a page can be empty without being the last.
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
) -> tuple[tuple[Recipient, ...] | None, Place]:
    """Record the results of deliveries on the wire, then claim and mark the next group in one step.

    Returns up to `limit` readers, and the place to continue from. Their messages may be written to a server
    after the commit. The readers are None when nothing is due, or nothing may go. A group can be empty
    without being the last, as in `claim`.
    """
    going = _IN_TURN.rows(connection, {"edition": sender.edition_id})
    mine = held_by(connection, sender)
    # Answers are recorded even if the edition has been paused or cancelled.
    held = settle(connection, sender, mine or NOTHING, results, now)
    readers, place = None, after
    if going:
        asked = _asked(connection, sender, held, mailable, limit=limit, now=now)
        readers, place = next_readers(connection, asked, after, at_once=bool(going[0][0]))
    # Writing the row also renews the lease, so the row is written even if nobody is due.
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
    """Record the results of deliveries on the wire, then mark claimed deliveries; return the marked ones.

    Messages for the marked deliveries may be written to a server after the commit. A delivery is not marked
    if the sender no longer holds it, or if the edition is paused or no longer being sent. A delivery whose
    reader may no longer be mailed is skipped instead.

    `accepted` is final: it is recorded even if another sender holds the delivery by now. Any other result is
    recorded only if this sender still holds the delivery.
    """
    # The lock on the edition comes before the lock on the sender's row, as in a claim.
    goes_on = bool(marks) and bool(_GOES_ON.rows(connection, {"edition": sender.edition_id}))
    before = held_by(connection, sender) or NOTHING
    held = settle(connection, sender, before, results, now)
    claimed = held.claimed.intersection(marks) if goes_on else frozenset()
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
    if count == len(ids):  # nearly always, and fetching a row for each delivery takes longer
        return frozenset(ids)
    return frozenset(key for (key,) in due.rows(connection, these))


@lru_cache(maxsize=16)
def _asked_for_due(dialect: str, mailable: Mailable) -> tuple[Prepared, Prepared]:
    """Return two queries: the readers among some ids whose deliveries may still go, and their number."""
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
    """Give claimed deliveries back, each due at its own time; deliveries of other senders are left alone."""
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
