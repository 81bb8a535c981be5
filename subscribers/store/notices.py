"""Queue notices in the transaction of the change that causes them, and count them for the limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select

from subscribers.model import Subscriber
from subscribers.rules.decisions import SubscriptionRequest
from subscribers.rules.notices import (
    WITHHELD,
    NoticeCounts,
    NoticeKind,
    NoticeLimits,
    is_within,
    mailbox_of,
)
from subscribers.rules.signup import requests_to_json
from subscribers.store.tables import notices
from subscribers.store.writing import fresh_ids
from subscribers.tokens import address_hash, mailbox_hash, notice_token, token_hash

_KEPT_FOR_STAFF = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotice:
    """A notice to be queued. `folded` stands for the address in counts, whether it is mailed or not."""

    kind: NoticeKind
    folded: str = field(repr=False)
    address: str | None = field(repr=False)  # None: it must not be mailed, and so is not kept
    subscriber_id: int | None  # the reader who caused it; None: nobody on the list
    language: str
    requests: tuple[SubscriptionRequest, ...] = ()  # of a sign-up
    made_at: datetime
    expires_at: datetime


def notice_to(subscriber: Subscriber, kind: NoticeKind, life: timedelta, now: datetime) -> NewNotice:
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


def lock_mailboxes(connection: Connection, secret: bytes, folded: Iterable[str]) -> None:
    """Let only one transaction at a time count and queue notices to these mailboxes.

    Call it before any reader is held, because those who hold a reader wait for no mailbox.
    """
    if connection.dialect.name != "postgresql":
        return  # SQLite has one writer
    for mailbox in sorted({mailbox_hash(secret, mailbox_of(each)) for each in folded}):
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(mailbox, 0))))


def may_queue(
    connection: Connection,
    kind: NoticeKind,
    folded: str,
    subscriber_id: int | None,
    *,
    secret: bytes,
    limits: NoticeLimits,
    now: datetime,
) -> bool:
    """Tell whether the limits allow one more notice to this mailbox, and for this reader if there is one."""
    to_mailbox = notices.c.mailbox_hash == mailbox_hash(secret, mailbox_of(folded))
    causes = [to_mailbox] if subscriber_id is None else [to_mailbox, notices.c.subscriber_id == subscriber_id]
    counts = [_counts(connection, each, kind, now - limits.window) for each in causes]
    return is_within(limits, *counts)


def _counts(
    connection: Connection, which: ColumnElement[bool], kind: NoticeKind, since: datetime
) -> NoticeCounts:
    each = func.count().filter(notices.c.kind == kind)
    counted = which, notices.c.made_at > since, notices.c.kind != NoticeKind.STAFF
    row = connection.execute(select(each, func.count()).where(*counted)).one()
    return NoticeCounts(each=row[0], all=row[1])


def fresh_notice(secret: bytes) -> tuple[int, str]:
    """Return the id of a new notice, and the hash of its link's token."""
    notice_id = fresh_ids()[0]
    return notice_id, token_hash(notice_token(secret, notice_id))


def queue(connection: Connection, notice_id: int, notice: NewNotice, *, secret: bytes) -> None:
    """Queue a notice to be sent at once; a notice without an address is withheld, and only counted."""
    withheld = notice.address is None
    connection.execute(
        insert(notices).values(
            id=notice_id,
            kind=notice.kind,
            subscriber_id=notice.subscriber_id,
            address=notice.address,
            address_hash=address_hash(secret, notice.folded),
            mailbox_hash=mailbox_hash(secret, mailbox_of(notice.folded)),
            token_hash=token_hash(notice_token(secret, notice_id)),
            language=notice.language,
            requests=requests_to_json(notice.requests),
            made_at=notice.made_at,
            expires_at=notice.expires_at,
            state="skipped" if withheld else "queued",
            due_at=None if withheld else notice.made_at,
            reply=WITHHELD if withheld else "",
            changed_at=notice.made_at,
        )
    )


def forget_strangers(connection: Connection, now: datetime) -> None:
    """Delete expired notices to addresses of which nothing else is kept; those to the staff after a month."""
    to_staff = notices.c.kind == NoticeKind.STAFF
    nobody = and_(notices.c.subscriber_id.is_(None), ~to_staff)
    strangers = or_(nobody, notices.c.kind == NoticeKind.NEW_ADDRESS)
    long_ago = and_(to_staff, notices.c.expires_at <= now - _KEPT_FOR_STAFF)
    old = and_(notices.c.expires_at <= now, notices.c.due_at.is_(None))
    connection.execute(delete(notices).where(old, or_(strangers, long_ago)))
