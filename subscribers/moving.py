"""Decide how a reader's address changes: only when both ends have said yes.

    ask_move ──> Move ──mail to the old address──> confirm_move ──┐
                   └────mail to the new address──> confirm_move ──┴──> Change: the new address

The reader keeps id, links, digests and history. Which of the two says yes first does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from subscribers.address import Address
from subscribers.decisions import Change, Confirmation, Limits, Purpose, Refused
from subscribers.model import Act, Consent, Origin, Reader, SubscriberState


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What asking for another address leads to. The answer on the page is the same whatever stands here."""

    change: Change | None = None
    to_old: Confirmation | None = None  # mailed to the address of now
    to_new: Confirmation | None = None  # mailed to the address to come; None when it may not be mailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One end has said yes; `change` is None while the other has not."""

    change: Change | None


def ask_move(
    reader: Reader,
    new: Address,
    taken_by: Reader,
    *,
    new_hash: str,
    attempts: int,
    limits: Limits,
    origin: Origin,
    now: datetime,
) -> Move:
    """Decide which confirmations are mailed when a reader names a new address.

    `taken_by` is the reader at the new address and `attempts` counts what was mailed there. When it is
    somebody else's or suppressed, the new end gets no mail; the old end does, so that nobody learns it.
    Confirmations of an earlier move become void.
    """
    subscriber = reader.subscriber
    if subscriber is None or subscriber.state is not SubscriberState.ACTIVE or reader.suppression is not None:
        return Move()
    if attempts > limits.mails:
        return Move()
    to_old = Confirmation(
        subscriber_id=subscriber.id,
        purpose=Purpose.OLD_ADDRESS,
        made_at=now,
        expires_at=now + limits.link_life,
        payload={"address": new.address, "folded": new.folded, "address_hash": new_hash},
    )
    consent = Consent(act=Act.ASKED_MOVE, at=now, origin=origin)
    return Move(
        change=Change(subscriber=subscriber, consent=consent, void_links=True),
        to_old=to_old,
        to_new=replace(to_old, purpose=Purpose.NEW_ADDRESS) if _free(taken_by, subscriber.id) else None,
    )


def confirm_move(
    confirmation: Confirmation,
    other: Confirmation | None,
    reader: Reader,
    taken_by: Reader,
    *,
    origin: Origin,
    now: datetime,
) -> Moved | Refused:
    """Decide what pressing the button at one end does; `other` is the confirmation of the other end.

    Refused, as if used, when the reader has left or somebody has taken the new address meanwhile.
    """
    subscriber = reader.subscriber
    if subscriber is None or confirmation.used_at is not None or other is None:
        return Refused(reason="used")
    if subscriber.state is not SubscriberState.ACTIVE or not _free(taken_by, subscriber.id):
        return Refused(reason="used")
    if now >= confirmation.expires_at:
        return Refused(reason="expired")
    if other.used_at is None:
        return Moved(change=None)
    payload = confirmation.payload
    moved = replace(
        subscriber,
        address=payload["address"],
        folded=payload["folded"],
        address_hash=payload["address_hash"],
    )
    consent = Consent(act=Act.MOVED, at=now, origin=origin)
    return Moved(change=Change(subscriber=moved, consent=consent, void_links=True))


def _free(taken_by: Reader, subscriber_id: int) -> bool:
    """Tell whether an address can be moved to. A sign-up nobody confirmed does not hold it."""
    if taken_by.suppression is not None:
        return False
    holder = taken_by.subscriber
    return holder is None or holder.id == subscriber_id or holder.state is SubscriberState.PENDING
