"""Change a reader's address: hold the reader, decide, write the change.

Both functions work in the caller's transaction, which must be a write transaction.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from subscribers.model import Origin
from subscribers.rules import moving as rules
from subscribers.rules.decisions import Confirmation, Purpose, Refused, SignupLimits
from subscribers.rules.moving import Move, Moved, MoveRequest
from subscribers.rules.notices import NoticeKind
from subscribers.store import confirmations, notices, readers, writing
from subscribers.store.tables import Connection


def ask_move(
    connection: Connection,
    subscriber_id: int,
    request: MoveRequest,
    *,
    secret: bytes,
    limits: SignupLimits,
    now: datetime,
) -> Move:
    """Take a request to change the address, and queue a notice to each address that is within the limits.

    The notice to the old address never depends on the new one.
    """
    found = readers.reader_of(connection, subscriber_id).subscriber
    if found is None:
        return Move()
    notices.lock_mailboxes(connection, secret, [found.folded, request.address.folded])
    reader = readers.reader_of(connection, found.id, hold=True)
    there = readers.reader_at(connection, request.address.folded, request.address_hash)
    decision = rules.ask_move(reader, request, there, limits=limits, now=now)
    change, to_old, to_new = decision.change, decision.to_old, decision.to_new
    if reader.subscriber is None or change is None or to_old is None or to_new is None:
        return decision
    old = notices.notice_to(reader.subscriber, NoticeKind.OLD_ADDRESS, limits.link_life, now)
    address = None if decision.withheld else request.address.address
    new = replace(old, kind=NoticeKind.NEW_ADDRESS, folded=request.address.folded, address=address)
    may_old, may_new = (
        notices.may_queue(
            connection, each.kind, each.folded, found.id, secret=secret, limits=limits.notices, now=now
        )
        for each in (old, new)
    )
    if not may_old:
        return Move()
    writing.write_change(connection, change, now)
    old_id, new_id = _keep_links(connection, to_old, to_new, secret)
    notices.queue(connection, old_id, old, secret=secret)
    if may_new:
        notices.queue(connection, new_id, new, secret=secret)
    return decision


def _keep_links(
    connection: Connection, to_old: Confirmation, to_new: Confirmation, secret: bytes
) -> tuple[int, int]:
    """Keep what the two links confirm, each with the hash of the other; return the ids of their notices."""
    (old_id, old_hash), (new_id, new_hash) = notices.fresh_notice(secret), notices.fresh_notice(secret)
    for confirmation, own, other in ((to_old, old_hash, new_hash), (to_new, new_hash, old_hash)):
        payload = {**confirmation.payload, "other_end": other}
        confirmations.keep_confirmation(connection, own, replace(confirmation, payload=payload))
    return old_id, new_id


def confirm_move(
    connection: Connection, token_hash: str, *, origin: Origin, now: datetime
) -> Moved | Refused:
    """Take the confirmation of one address; after the second confirmation the address is changed.

    hold the reader whose address changes, and the reader at the new address, if there is one
    decide: refused, or one of two confirmed, or a change
    a change ──> write it; somebody has just taken the new address ──> start again with that reader
    mark the link as used
    """
    while True:
        found = confirmations.read_confirmation(connection, token_hash)
        if found is None or found.purpose not in (Purpose.OLD_ADDRESS, Purpose.NEW_ADDRESS):
            return Refused(reason="expired")
        payload = found.payload
        # Both are held by one statement, in the order of their ids. Otherwise two readers who swap their
        # addresses would wait for each other.
        readers.hold_readers(connection, found.subscriber_id, payload["folded"])
        held = confirmations.hold_link(connection, token_hash)
        if held is None:
            return Refused(reason="expired")
        other = confirmations.read_confirmation(connection, payload["other_end"])
        there = readers.reader_at(connection, payload["folded"], payload["address_hash"])
        decision = rules.confirm_move(held.confirmation, other, held.reader, there, origin=origin, now=now)
        if isinstance(decision, Refused):
            return decision
        holder = there.subscriber.id if there.subscriber else None
        taken = holder if holder != held.subscriber.id else None
        if decision.change is None or writing.move(connection, decision.change, taken, now):
            confirmations.use_confirmation(connection, token_hash, now)
            return decision
