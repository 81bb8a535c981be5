"""Decide when a reader's address changes: only after both addresses have confirmed.

    ask_move ──> Move ──mail to the old address──> confirm_move ──┐
                   └────mail to the new address──> confirm_move ──┴──> Change: the new address

The reader keeps the id, links, digests and history. The two may confirm in any order. Nothing that the old
address sees tells who has the new one: each request mails both, and confirming at the old address first
always leads to the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from subscribers.address import Address
from subscribers.model import (
    Consent,
    ConsentAction,
    Origin,
    Reader,
    Subscriber,
    SubscriberState,
    Subscription,
)
from subscribers.rules.decisions import Change, Confirmation, Purpose, Refused, SignupLimits
from subscribers.rules.notices import stays_suppressed


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRequest:
    """A reader's request to change the address."""

    address: Address
    address_hash: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The decision about a request to change the address. The page's answer is the same for all decisions."""

    change: Change | None = None
    to_old: Confirmation | None = None  # mailed to the current address
    to_new: Confirmation | None = None  # mailed to the new address, unless it is withheld
    withheld: bool = False  # the new address must not be mailed; its notice is only counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One address has confirmed; `change` is None until the other has confirmed too."""

    change: Change | None


def ask_move(
    reader: Reader, request: MoveRequest, taken_by: Reader, *, limits: SignupLimits, now: datetime
) -> Move:
    """Decide which confirmations are mailed when a reader asks for a new address.

    `taken_by` is the reader at the new address. The caller has asked `notices.is_within` first, and mails
    only the confirmations that are within the limits. Confirmations of an earlier request become void.
    """
    subscriber = reader.subscriber
    if subscriber is None or subscriber.state is not SubscriberState.ACTIVE or reader.suppression is not None:
        return Move()
    to_old = Confirmation(
        subscriber_id=subscriber.id,
        purpose=Purpose.OLD_ADDRESS,
        made_at=now,
        expires_at=now + limits.link_life,
        payload={
            "address": request.address.address,
            "folded": request.address.folded,
            "address_hash": request.address_hash,
        },
    )
    consent = Consent(act=ConsentAction.ASKED_MOVE, at=now, origin=request.origin)
    return Move(
        change=Change(subscriber=subscriber, consent=consent, void_links=_OF_A_MOVE),
        to_old=to_old,
        to_new=replace(to_old, purpose=Purpose.NEW_ADDRESS),
        withheld=stays_suppressed(taken_by.suppression),
    )


_OF_A_MOVE = frozenset({Purpose.OLD_ADDRESS, Purpose.NEW_ADDRESS})


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

    The second confirmation makes the change, whoever has the new address: its owner has confirmed, as at a
    sign-up. Only an address that must not be mailed stays as it is. The answer is Refused (used) if the
    reader has unsubscribed in the meantime.
    """
    subscriber = reader.subscriber
    if subscriber is None or confirmation.used_at is not None or other is None:
        return Refused(reason="used")
    if subscriber.state is not SubscriberState.ACTIVE:
        return Refused(reason="used")
    if now >= confirmation.expires_at:
        return Refused(reason="expired")
    if other.used_at is None:
        return Moved(change=None)
    if stays_suppressed(taken_by.suppression):
        return Refused(reason="used")
    payload = confirmation.payload
    moved = replace(
        subscriber,
        address=payload["address"],
        folded=payload["folded"],
        address_hash=payload["address_hash"],
    )
    return Moved(
        change=Change(
            subscriber=_with_settings_of(moved, taken_by),
            subscriptions=tuple(_kept_by(taken_by, subscriber)),
            consent=Consent(act=ConsentAction.MOVED, at=now, origin=origin),
            void_links=frozenset(Purpose),
            lift_suppression=taken_by.suppression is not None,
        )
    )


def _with_settings_of(moved: Subscriber, taken_by: Reader) -> Subscriber:
    holder = taken_by.subscriber
    if holder is None or holder.state is not SubscriberState.ACTIVE:
        return moved
    return replace(moved, language=holder.language, format=holder.format)


def _kept_by(taken_by: Reader, mover: Subscriber) -> Iterator[Subscription]:
    """Yield what an active reader at the new address gets already: these choices are kept as they are."""
    holder = taken_by.subscriber
    if holder is not None and holder.id != mover.id:
        yield from (each for each in taken_by.subscriptions if taken_by.reads(each.digest))
