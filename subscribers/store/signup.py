"""Take a sign-up, a request for another link, or a confirmation: hold the reader, decide, write the change.

Every function works in the caller's transaction, which must be a write transaction. It queues the notices
that its change causes in the same transaction: each is sent if the change is kept, and only then.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from subscribers.model import Origin, Reader
from subscribers.rules import signup as rules
from subscribers.rules.decisions import Purpose, Refused, SignupLimits
from subscribers.rules.notices import NoticeKind, stays_suppressed
from subscribers.rules.signup import Confirmed, Signup, SignupRequest
from subscribers.store import confirmations, notices, readers, writing
from subscribers.store.notices import NewNotice
from subscribers.store.tables import Connection


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
        decision = rules.sign_up(request, reader, new_id=new_id, limits=limits, now=now)
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
    held = confirmations.hold_link(connection, old_hash)
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
    held = confirmations.HeldLink(confirmation=waiting, reader=reader, subscriber=reader.subscriber)
    return _renew(connection, held, secret=secret, limits=limits, now=now)


def _renew(
    connection: Connection,
    held: confirmations.HeldLink,
    *,
    secret: bytes,
    limits: SignupLimits,
    now: datetime,
) -> Signup:
    decision = rules.fresh_link(held.confirmation, held.reader, limits=limits, now=now)
    if decision.confirmation is None and not decision.withheld:
        return decision
    payload = held.confirmation.payload
    notice = NewNotice(
        kind=NoticeKind.CONFIRMATION,
        folded=held.subscriber.folded,
        address=None if decision.withheld else held.subscriber.address,
        subscriber_id=held.subscriber.id,
        language=payload["language"],
        requests=rules.requests_from_json(payload["wishes"]),
        made_at=now,
        expires_at=now + limits.link_life,
    )
    confirmations.queue_with_link(connection, notice, decision.confirmation, secret)
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
    held = confirmations.hold_link(connection, token_hash)
    if held is None or held.confirmation.purpose is not Purpose.SIGN_UP:
        return Refused(reason="expired")
    decision = rules.confirm(held.confirmation, held.reader, origin=origin, now=now)
    if isinstance(decision, Confirmed) and decision.change is not None:
        writing.write_change(connection, decision.change, now)
        confirmations.use_confirmation(connection, token_hash, now)
        begun = frozenset(each.digest for each in decision.change.subscriptions)
        requests = tuple(each for each in decision.requests if each.digest in begun)
        if requests:
            welcome = notices.notice_to(decision.change.subscriber, NoticeKind.WELCOME, limits.link_life, now)
            confirmations.queue_with_link(connection, replace(welcome, requests=requests), None, secret)
    return decision
