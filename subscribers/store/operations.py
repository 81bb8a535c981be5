"""One function for each request of a reader or operator: hold the reader, decide, write the change.

Every function works in the caller's transaction, which must be a write transaction. The caller also makes the
tokens and sends the messages; the returned value says whether there is a message to send.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from subscribers.address import Address
from subscribers.model import ConsentAction, Origin, Reader, Subscriber
from subscribers.rules import moving, signup
from subscribers.rules.bounces import Bounce, BounceKind
from subscribers.rules.decisions import Change, Confirmation, Purpose, Refused, SignupLimits
from subscribers.rules.moving import Move, Moved
from subscribers.rules.signup import Confirmed, Signup, SignupRequest
from subscribers.store import confirmations, readers, writing
from subscribers.store.bounces import CountedBounce, take_bounce
from subscribers.store.tables import Connection

_SINCE_MOVED = timedelta(days=7)  # for so long a report about the old address can still arrive


def sign_up(
    connection: Connection, request: SignupRequest, *, token_hash: str, limits: SignupLimits, now: datetime
) -> Signup:
    """Take a sign-up; if the decision says `confirm`, the caller mails the link with this `token_hash`.

    count the attempt: the next sign-up of this address waits for us
    hold the reader of this address, if there is one
    decide: a confirmation, or nothing
    a new reader ──> insert as pending; somebody was faster ──> start again with that reader
    add to the record of consent, keep what the link confirms
    """
    count = _count(connection, request.address_hash, limits, now)
    while True:
        reader = readers.reader_at(connection, request.address.folded, request.address_hash, hold=True)
        new_id = writing.fresh_ids()[0]
        decision = signup.sign_up(request, reader, attempts=count, new_id=new_id, limits=limits, now=now)
        if decision.change is None or decision.confirmation is None:
            return decision
        if reader.subscriber or writing.insert_subscriber(connection, decision.change.subscriber):
            writing.write_change(connection, decision.change, now)
            confirmations.keep_confirmation(connection, token_hash, decision.confirmation)
            return decision


def fresh_link(
    connection: Connection, old_hash: str, *, token_hash: str, limits: SignupLimits, now: datetime
) -> Signup:
    """Take the request for a new link in place of an old one.

    If the decision says `confirm`, the caller mails the link with this `token_hash`.
    """
    held = _held(connection, old_hash)
    if held is None or held.confirmation.purpose is not Purpose.SIGN_UP:
        return Signup()
    count = _count(connection, held.subscriber.address_hash, limits, now)
    decision = signup.fresh_link(held.confirmation, held.reader, attempts=count, limits=limits, now=now)
    if decision.confirmation is not None:
        confirmations.keep_confirmation(connection, token_hash, decision.confirmation)
    return decision


def confirm(connection: Connection, token_hash: str, *, origin: Origin, now: datetime) -> Confirmed | Refused:
    """Confirm a sign-up, after its reader has pressed the button; showing the page must not call this."""
    held = _held(connection, token_hash)
    if held is None or held.confirmation.purpose is not Purpose.SIGN_UP:
        return Refused(reason="expired")
    decision = signup.confirm(held.confirmation, held.reader, origin=origin, now=now)
    if isinstance(decision, Confirmed) and decision.change is not None:
        writing.write_change(connection, decision.change, now)
        confirmations.use_confirmation(connection, token_hash, now)
    return decision


def change_reader(
    connection: Connection, subscriber_id: int, decide: Callable[[Reader], Change | None], now: datetime
) -> Change | None:
    """Make one decision of `rules.unsubscribe` or `rules.preferences` and write it; return the change.

    change_reader(connection, id, lambda reader: unsubscribe(reader, "daily", origin=origin, now=now), now)
    """
    change = decide(readers.reader_of(connection, subscriber_id, hold=True))
    if change is not None:
        writing.write_change(connection, change, now)
    return change


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRequest:
    """A reader's request to change the address, with the hashes of the tokens for both addresses."""

    address: Address
    address_hash: str
    old_token_hash: str
    new_token_hash: str
    origin: Origin


def ask_move(
    connection: Connection, subscriber_id: int, request: MoveRequest, *, limits: SignupLimits, now: datetime
) -> Move:
    """Take a request to change the address; the caller mails the confirmations that the decision contains."""
    count = _count(connection, request.address_hash, limits, now)
    reader = readers.reader_of(connection, subscriber_id, hold=True)
    decision = moving.ask_move(
        reader,
        request.address,
        readers.reader_at(connection, request.address.folded, request.address_hash),
        new_hash=request.address_hash,
        attempts=count,
        limits=limits,
        origin=request.origin,
        now=now,
    )
    if decision.change is not None:
        writing.write_change(connection, decision.change, now)
    old, new = request.old_token_hash, request.new_token_hash
    for confirmation, token_hash, other in ((decision.to_old, old, new), (decision.to_new, new, old)):
        if confirmation is not None:
            payload = {**confirmation.payload, "other_end": other}
            confirmations.keep_confirmation(connection, token_hash, replace(confirmation, payload=payload))
    return decision


def confirm_move(
    connection: Connection, token_hash: str, *, origin: Origin, now: datetime
) -> Moved | Refused:
    """Take the confirmation of one address; after the second confirmation the address is changed.

    hold the reader whose address changes
    read the reader at the new address, if there is one
    decide: refused, or one of two confirmed, or a change
    a change ──> write it; somebody has just taken the new address ──> read that reader and decide again
    mark the link as used
    """
    held = _held(connection, token_hash)
    if held is None or held.confirmation.purpose is Purpose.SIGN_UP:
        return Refused(reason="expired")
    payload = held.confirmation.payload
    other = confirmations.read_confirmation(connection, payload["other_end"])
    while True:
        # This reader is not held: two readers who swap their addresses would wait for each other.
        there = readers.reader_at(connection, payload["folded"], payload["address_hash"])
        decision = moving.confirm_move(held.confirmation, other, held.reader, there, origin=origin, now=now)
        if isinstance(decision, Refused):
            return decision
        if decision.change is None or writing.move(connection, decision.change, now):
            confirmations.use_confirmation(connection, token_hash, now)
            return decision


def erase(connection: Connection, subscriber_id: int, now: datetime) -> bool:
    """Erase a reader for good; return whether there was one."""
    reader = readers.reader_of(connection, subscriber_id, hold=True)
    if reader.subscriber is None:
        return False
    writing.erase(connection, reader.subscriber, now)
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A link with its reader; nobody else can change the reader until the transaction ends."""

    confirmation: Confirmation
    reader: Reader
    subscriber: Subscriber


def _held(connection: Connection, token_hash: str) -> _Held | None:
    found = confirmations.read_confirmation(connection, token_hash)
    if found is None:
        return None
    reader = readers.reader_of(connection, found.subscriber_id, hold=True)
    # The link is read again: while we waited for the reader, it may have been used or become void.
    confirmation = confirmations.read_confirmation(connection, token_hash)
    if confirmation is None or reader.subscriber is None:
        return None
    return _Held(confirmation=confirmation, reader=reader, subscriber=reader.subscriber)


def _count(connection: Connection, address_hash: str, limits: SignupLimits, now: datetime) -> int:
    return confirmations.count_attempt(connection, f"address:{address_hash}", window=limits.window, now=now)


def receive_bounce(
    connection: Connection, subscriber_id: int, bounce: Bounce, *, report: str
) -> CountedBounce | str:
    """Take a bounce of one reader, or return the reason why it does not count."""
    subscriber = readers.reader_of(connection, subscriber_id, hold=True).subscriber
    if subscriber is None:
        return "the reader's data has been erased"
    if bounce.kind is not BounceKind.COMPLAINT and _has_moved(connection, subscriber_id, bounce.at):
        return "the reader has changed the address since"
    return take_bounce(connection, subscriber.address_hash, bounce, report=report) or "already known"


def _has_moved(connection: Connection, subscriber_id: int, now: datetime) -> bool:
    consents = readers.history(connection, subscriber_id)
    return any(each.act is ConsentAction.MOVED and now - each.at < _SINCE_MOVED for each in consents)
