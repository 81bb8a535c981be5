"""One function for each request of a reader or operator: hold the reader, decide, write the change.

Every function works in the caller's transaction, which must be a write transaction. It queues the notices
that its change causes in the same transaction: each is sent if the change is kept, and only then.
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
from subscribers.rules.notices import NoticeKind, is_mailed, stays_suppressed
from subscribers.rules.signup import Confirmed, Signup, SignupRequest
from subscribers.store import confirmations, notices, readers, writing
from subscribers.store.bounces import CountedBounce, take_bounce
from subscribers.store.notices import NewNotice
from subscribers.store.tables import Connection

_SINCE_MOVED = timedelta(days=7)  # for so long a report about the old address can still arrive


def sign_up(
    connection: Connection, request: SignupRequest, *, secret: bytes, limits: SignupLimits, now: datetime
) -> Signup:
    """Take a sign-up, and queue its notice; nothing is kept of a sign-up beyond the limits.

    wait for other notices to this mailbox
    hold the reader of this address, if there is one
    count the notices of the last day: too many ──> nothing
    decide: a confirmation, or one that is withheld
    a new reader ──> insert as pending; somebody was faster ──> start again with that reader
    add to the record of consent, and keep what the link confirms; if it is withheld, take that back
    queue the notice
    """
    folded = request.address.folded
    notices.lock_mailboxes(connection, secret, [folded])
    notice_id, token_hash = notices.fresh_notice(secret)
    written = False
    while not written:
        reader = readers.reader_at(connection, folded, request.address_hash, hold=True)
        if not _may_confirm(connection, folded, reader, secret=secret, limits=limits, now=now):
            return Signup()
        new_id = writing.fresh_ids()[0]
        decision = signup.sign_up(request, reader, new_id=new_id, limits=limits, now=now)
        written = _write_signup(connection, decision, token_hash, is_new=reader.subscriber is None, now=now)
    there = readers.reader_at(connection, folded, request.address_hash).subscriber
    notice = NewNotice(
        kind=NoticeKind.CONFIRMATION,
        folded=folded,
        address=None if decision.withheld else request.address.address,
        subscriber_id=there.id if there else None,
        language=request.language,
        requests=request.requests,
        made_at=now,
        expires_at=now + limits.link_life,
    )
    notices.queue(connection, notice_id, notice, secret=secret)
    return decision


def _write_signup(
    connection: Connection, decision: Signup, token_hash: str, *, is_new: bool, now: datetime
) -> bool:
    """Write what a sign-up changes; return False if somebody else has just added its reader.

    A sign-up that is withheld is written too, and taken back. Otherwise its answer would come sooner, and
    tell that the address must not be mailed.
    """
    change, confirmation = decision.change, decision.confirmation
    assert change is not None
    assert confirmation is not None
    with connection.begin_nested() as savepoint:
        if is_new and not writing.insert_subscriber(connection, change.subscriber):
            return False
        writing.write_change(connection, change, now)
        confirmations.keep_confirmation(connection, token_hash, confirmation)
        if decision.withheld:
            savepoint.rollback()
    return True


def fresh_link(
    connection: Connection, old_hash: str, *, secret: bytes, limits: SignupLimits, now: datetime
) -> Signup:
    """Take the request for a new link in place of an old one, and queue its notice."""
    found = confirmations.read_confirmation(connection, old_hash)
    subscriber = readers.reader_of(connection, found.subscriber_id).subscriber if found else None
    if found is None or subscriber is None or found.purpose is not Purpose.SIGN_UP:
        return Signup()
    notices.lock_mailboxes(connection, secret, [subscriber.folded])
    held = _held(connection, old_hash)
    if held is None or not _may_confirm(
        connection, held.subscriber.folded, held.reader, secret=secret, limits=limits, now=now
    ):
        return Signup()
    return _renew(connection, held, secret=secret, limits=limits, now=now)


def confirm_again(
    connection: Connection,
    folded: str,
    address_hash: str,
    *,
    secret: bytes,
    limits: SignupLimits,
    now: datetime,
) -> Signup:
    """Queue a new link for an operator, in place of the last one that was not used; the limits do not apply.

    Returns an empty Signup if no sign-up waits for its confirmation.
    """
    notices.lock_mailboxes(connection, secret, [folded])
    reader = readers.reader_at(connection, folded, address_hash, hold=True)
    waiting = reader.subscriber and confirmations.waiting_confirmation(connection, reader.subscriber.id)
    if not reader.subscriber or not waiting:
        return Signup(withheld=stays_suppressed(reader.suppression))
    held = _Held(confirmation=waiting, reader=reader, subscriber=reader.subscriber)
    return _renew(connection, held, secret=secret, limits=limits, now=now)


def _renew(
    connection: Connection, held: _Held, *, secret: bytes, limits: SignupLimits, now: datetime
) -> Signup:
    decision = signup.fresh_link(held.confirmation, held.reader, limits=limits, now=now)
    if decision.confirmation is None and not decision.withheld:
        return decision
    payload = held.confirmation.payload
    notice = NewNotice(
        kind=NoticeKind.CONFIRMATION,
        folded=held.subscriber.folded,
        address=None if decision.withheld else held.subscriber.address,
        subscriber_id=held.subscriber.id,
        language=payload["language"],
        requests=signup.requests_from_json(payload["wishes"]),
        made_at=now,
        expires_at=now + limits.link_life,
    )
    _queue(connection, notice, decision.confirmation, secret)
    return decision


def _may_confirm(
    connection: Connection, folded: str, reader: Reader, *, secret: bytes, limits: SignupLimits, now: datetime
) -> bool:
    return notices.may_queue(
        connection,
        NoticeKind.CONFIRMATION,
        folded,
        reader.subscriber.id if reader.subscriber else None,
        secret=secret,
        limits=limits.notices,
        now=now,
    )


def _queue(
    connection: Connection, notice: NewNotice, confirmation: Confirmation | None, secret: bytes
) -> None:
    """Queue a notice, and keep what its link will do."""
    notice_id, token_hash = notices.fresh_notice(secret)
    if confirmation is not None:
        confirmations.keep_confirmation(connection, token_hash, confirmation)
    notices.queue(connection, notice_id, notice, secret=secret)


def confirm(
    connection: Connection,
    token_hash: str,
    *,
    origin: Origin,
    secret: bytes,
    limits: SignupLimits,
    now: datetime,
) -> Confirmed | Refused:
    """Confirm a sign-up, after its reader has pressed the button; showing the page must not call this.

    A welcome is queued if a digest begins or changes.
    """
    held = _held(connection, token_hash)
    if held is None or held.confirmation.purpose is not Purpose.SIGN_UP:
        return Refused(reason="expired")
    decision = signup.confirm(held.confirmation, held.reader, origin=origin, now=now)
    if isinstance(decision, Confirmed) and decision.change is not None:
        writing.write_change(connection, decision.change, now)
        confirmations.use_confirmation(connection, token_hash, now)
        begun = frozenset(each.digest for each in decision.change.subscriptions)
        requests = tuple(each for each in decision.requests if each.digest in begun)
        if requests:
            welcome = _notice_to(decision.change.subscriber, NoticeKind.WELCOME, limits.link_life, now)
            _queue(connection, replace(welcome, requests=requests), None, secret)
    return decision


def _notice_to(subscriber: Subscriber, kind: NoticeKind, life: timedelta, now: datetime) -> NewNotice:
    """Return a notice to the reader who causes it."""
    return NewNotice(
        kind=kind,
        folded=subscriber.folded,
        address=subscriber.address,
        subscriber_id=subscriber.id,
        language=subscriber.language,
        made_at=now,
        expires_at=now + life,
    )


def ask_data(
    connection: Connection, subscriber_id: int, *, secret: bytes, limits: SignupLimits, now: datetime
) -> None:
    """Queue a notice with a link to a reader's data, within the limits."""
    found = readers.reader_of(connection, subscriber_id).subscriber
    if found is None:
        return
    notices.lock_mailboxes(connection, secret, [found.folded])
    reader = readers.reader_of(connection, found.id, hold=True)
    subscriber, kind = reader.subscriber, NoticeKind.DATA
    if subscriber is None or not notices.may_queue(
        connection, kind, subscriber.folded, subscriber.id, secret=secret, limits=limits.notices, now=now
    ):
        return
    notice = _notice_to(subscriber, kind, limits.data_life, now)
    if not is_mailed(kind, reader.suppression.reason if reader.suppression else None):
        notice = replace(notice, address=None)
    link = Confirmation(
        subscriber_id=subscriber.id, purpose=Purpose.DATA, made_at=now, expires_at=notice.expires_at
    )
    _queue(connection, notice, link, secret)


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
    """A reader's request to change the address."""

    address: Address
    address_hash: str
    origin: Origin


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
    decision = moving.ask_move(
        reader,
        request.address,
        there,
        new_hash=request.address_hash,
        limits=limits,
        origin=request.origin,
        now=now,
    )
    change, to_old, to_new = decision.change, decision.to_old, decision.to_new
    if reader.subscriber is None or change is None or to_old is None or to_new is None:
        return decision
    old = _notice_to(reader.subscriber, NoticeKind.OLD_ADDRESS, limits.link_life, now)
    address = None if decision.withheld else request.address.address
    new = replace(old, kind=NoticeKind.NEW_ADDRESS, folded=request.address.folded, address=address)
    allowed = [
        notices.may_queue(
            connection, each.kind, each.folded, found.id, secret=secret, limits=limits.notices, now=now
        )
        for each in (old, new)
    ]
    if not allowed[0]:
        return Move()
    writing.write_change(connection, change, now)
    old_id, old_hash = notices.fresh_notice(secret)
    new_id, new_hash = notices.fresh_notice(secret)
    for confirmation, own, other in ((to_old, old_hash, new_hash), (to_new, new_hash, old_hash)):
        payload = {**confirmation.payload, "other_end": other}
        confirmations.keep_confirmation(connection, own, replace(confirmation, payload=payload))
    notices.queue(connection, old_id, old, secret=secret)
    if allowed[1]:
        notices.queue(connection, new_id, new, secret=secret)
    return decision


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
        held = _held(connection, token_hash)
        if held is None:
            return Refused(reason="expired")
        other = confirmations.read_confirmation(connection, payload["other_end"])
        there = readers.reader_at(connection, payload["folded"], payload["address_hash"])
        decision = moving.confirm_move(held.confirmation, other, held.reader, there, origin=origin, now=now)
        if isinstance(decision, Refused):
            return decision
        holder = there.subscriber.id if there.subscriber else None
        taken = holder if holder != held.subscriber.id else None
        if decision.change is None or writing.move(connection, decision.change, taken, now):
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


def receive_bounce(
    connection: Connection, subscriber_id: int, bounce: Bounce, *, report: str
) -> CountedBounce | str:
    """Take a bounce of one reader, or return the reason why it does not count."""
    subscriber = readers.reader_of(connection, subscriber_id, hold=True).subscriber
    if subscriber is None:
        return "the reader's data has been erased"
    if bounce.kind is not BounceKind.COMPLAINT and _has_moved(connection, subscriber.id, bounce.at):
        return "the reader has changed the address since"
    return take_bounce(connection, subscriber.address_hash, bounce, report=report) or "already known"


def _has_moved(connection: Connection, subscriber_id: int, now: datetime) -> bool:
    consents = readers.history(connection, subscriber_id)
    return any(each.act is ConsentAction.MOVED and now - each.at < _SINCE_MOVED for each in consents)
