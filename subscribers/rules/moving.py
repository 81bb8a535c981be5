"""Decide when a reader's address changes: only after both addresses have confirmed.

    ask_move ──> Move ──mail to the old address──> confirm_move ──┐
                   └────mail to the new address──> confirm_move ──┴──> Change: the new address

The reader keeps the id, links, digests and history. The two may confirm in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from subscribers.address import Address
from subscribers.model import Consent, ConsentAction, Origin, Reader, SubscriberState
from subscribers.rules.decisions import Change, Confirmation, Purpose, Refused, SignupLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The decision about a request to change the address. The page's answer is the same for all decisions."""

    change: Change | None = None
    to_old: Confirmation | None = None  # mailed to the current address
    to_new: Confirmation | None = None  # mailed to the new address; None if it may not be mailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One address has confirmed; `change` is None until the other has confirmed too."""

    change: Change | None


def ask_move(
    reader: Reader,
    new: Address,
    taken_by: Reader,
    *,
    new_hash: str,
    attempts: int,
    limits: SignupLimits,
    origin: Origin,
    now: datetime,
) -> Move:
    """Decide which confirmations are mailed when a reader asks for a new address.

    `taken_by` is the reader at the new address, and `attempts` counts the confirmations for that address.
    Confirmations of an earlier request become void.
    """
    subscriber = reader.subscriber
    if subscriber is None or subscriber.state is not SubscriberState.ACTIVE or reader.suppression is not None:
        return Move()
    if attempts > limits.emails:
        return Move()
    to_old = Confirmation(
        subscriber_id=subscriber.id,
        purpose=Purpose.OLD_ADDRESS,
        made_at=now,
        expires_at=now + limits.link_life,
        payload={"address": new.address, "folded": new.folded, "address_hash": new_hash},
    )
    consent = Consent(act=ConsentAction.ASKED_MOVE, at=now, origin=origin)
    # The new address gets no message if it belongs to somebody else or is suppressed. The old address gets
    # one all the same, so that nobody learns this about the new address.
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
    """Decide what happens when one address confirms; `other` is the confirmation of the other address.

    The answer is Refused (used) if the reader has unsubscribed, or if somebody else has taken the new address
    in the meantime.
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
    consent = Consent(act=ConsentAction.MOVED, at=now, origin=origin)
    return Moved(change=Change(subscriber=moved, consent=consent, void_links=True))


def _free(taken_by: Reader, subscriber_id: int) -> bool:
    """Return whether an address can become the reader's; an unconfirmed sign-up does not reserve it."""
    if taken_by.suppression is not None:
        return False
    holder = taken_by.subscriber
    return holder is None or holder.id == subscriber_id or holder.state is SubscriberState.PENDING
