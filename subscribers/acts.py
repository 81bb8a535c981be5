"""What readers and operators do, one call for each: hold the reader, decide, write, in one transaction.

The transaction is the caller's; it must be one for writing. Tokens and their randomness come from the
caller too, and so does the mail: what is returned says whether there is one to send.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from subscribers import moving, pending, record, signup, store
from subscribers.address import Address
from subscribers.decisions import Change, Confirmation, Limits, Purpose, Refused
from subscribers.model import Origin, Reader, Subscriber
from subscribers.moving import Move, Moved
from subscribers.signup import Confirmed, Request, Signup
from subscribers.store import Connection


def sign_up(
    connection: Connection, request: Request, *, token_hash: str, limits: Limits, now: datetime
) -> Signup:
    """Take a sign-up; if the answer says `confirm`, mail the link whose hash this is.

    count the attempt: the next sign-up of this address waits for us
    hold the reader of this address, if there is one
    decide: a confirmation, or silence
    a newcomer ──> insert as pending; somebody was faster ──> start again with that reader
    append to the record of consent, keep what the link confirms
    """
    count = _count(connection, request.address_hash, limits, now)
    while True:
        reader = store.reader_at(connection, request.address.folded, request.address_hash, hold=True)
        new_id = record.fresh_ids()[0]
        decision = signup.sign_up(request, reader, attempts=count, new_id=new_id, limits=limits, now=now)
        if decision.change is None or decision.confirmation is None:
            return decision
        if reader.subscriber or record.insert_subscriber(connection, decision.change.subscriber):
            record.write_change(connection, decision.change, now)
            pending.keep_confirmation(connection, token_hash, decision.confirmation)
            return decision


def fresh_link(
    connection: Connection, old_hash: str, *, token_hash: str, limits: Limits, now: datetime
) -> Signup:
    """Take the wish for a new link from who holds an old one; if the answer says `confirm`, mail it."""
    held = _held(connection, old_hash)
    if held is None or held.confirmation.purpose is not Purpose.SIGN_UP:
        return Signup()
    count = _count(connection, held.subscriber.address_hash, limits, now)
    decision = signup.fresh_link(held.confirmation, held.reader, attempts=count, limits=limits, now=now)
    if decision.confirmation is not None:
        pending.keep_confirmation(connection, token_hash, decision.confirmation)
    return decision


def confirm(connection: Connection, token_hash: str, *, origin: Origin, now: datetime) -> Confirmed | Refused:
    """Take the press of the button behind a link that confirms a sign-up. Showing the page is not this."""
    held = _held(connection, token_hash)
    if held is None or held.confirmation.purpose is not Purpose.SIGN_UP:
        return Refused(reason="expired")
    decision = signup.confirm(held.confirmation, held.reader, origin=origin, now=now)
    if isinstance(decision, Confirmed) and decision.change is not None:
        record.write_change(connection, decision.change, now)
        pending.use_confirmation(connection, token_hash, now)
    return decision


def change_reader(
    connection: Connection, subscriber_id: int, decide: Callable[[Reader], Change | None], now: datetime
) -> Change | None:
    """Let a decision of `leaving` or `changes` change one reader; return what it changed.

    change_reader(connection, id, lambda reader: leave(reader, "daily", origin=origin, now=now), now)
    """
    change = decide(store.reader_of(connection, subscriber_id, hold=True))
    if change is not None:
        record.write_change(connection, change, now)
    return change


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRequest:
    """A reader's wish for another address, with the hashes of the tokens for both ends."""

    address: Address
    address_hash: str
    old_token_hash: str
    new_token_hash: str
    origin: Origin


def ask_move(
    connection: Connection, subscriber_id: int, request: MoveRequest, *, limits: Limits, now: datetime
) -> Move:
    """Take the wish for another address; mail to the ends the answer names."""
    count = _count(connection, request.address_hash, limits, now)
    reader = store.reader_of(connection, subscriber_id, hold=True)
    decision = moving.ask_move(
        reader,
        request.address,
        store.reader_at(connection, request.address.folded, request.address_hash),
        new_hash=request.address_hash,
        attempts=count,
        limits=limits,
        origin=request.origin,
        now=now,
    )
    if decision.change is not None:
        record.write_change(connection, decision.change, now)
    old, new = request.old_token_hash, request.new_token_hash
    for confirmation, token_hash, other in ((decision.to_old, old, new), (decision.to_new, new, old)):
        if confirmation is not None:
            payload = {**confirmation.payload, "other_end": other}
            pending.keep_confirmation(connection, token_hash, replace(confirmation, payload=payload))
    return decision


def confirm_move(
    connection: Connection, token_hash: str, *, origin: Origin, now: datetime
) -> Moved | Refused:
    """Take the press of the button at one end of a change of address; with the second it is done.

    hold the reader who moves
    look who is at the new address
    decide: refused, or one half is done, or a move
    a move ──> write it; somebody has just come to the new address ──> look again who it is
    mark the link as used
    """
    held = _held(connection, token_hash)
    if held is None or held.confirmation.purpose is Purpose.SIGN_UP:
        return Refused(reason="expired")
    payload = held.confirmation.payload
    other = pending.read_confirmation(connection, payload["other_end"])
    while True:
        # Not held: of two readers who move to each other's address, each would wait for the other.
        there = store.reader_at(connection, payload["folded"], payload["address_hash"])
        decision = moving.confirm_move(held.confirmation, other, held.reader, there, origin=origin, now=now)
        if isinstance(decision, Refused):
            return decision
        if decision.change is None or record.move(connection, decision.change, now):
            pending.use_confirmation(connection, token_hash, now)
            return decision


def erase(connection: Connection, subscriber_id: int, now: datetime) -> bool:
    """Forget a reader for good; tell whether there was one."""
    reader = store.reader_of(connection, subscriber_id, hold=True)
    if reader.subscriber is None:
        return False
    record.erase(connection, reader.subscriber, now)
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A link with its reader, whom nobody else can change until the transaction ends."""

    confirmation: Confirmation
    reader: Reader
    subscriber: Subscriber


def _held(connection: Connection, token_hash: str) -> _Held | None:
    found = pending.read_confirmation(connection, token_hash)
    if found is None:
        return None
    reader = store.reader_of(connection, found.subscriber_id, hold=True)
    # Read again: while we waited for the reader, somebody may have used the link or made it void.
    confirmation = pending.read_confirmation(connection, token_hash)
    if confirmation is None or reader.subscriber is None:
        return None
    return _Held(confirmation=confirmation, reader=reader, subscriber=reader.subscriber)


def _count(connection: Connection, address_hash: str, limits: Limits, now: datetime) -> int:
    return pending.count_attempt(connection, f"address:{address_hash}", window=limits.window, now=now)
