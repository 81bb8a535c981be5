"""Take the requests that are no sign-up and no change of address: hold the reader, decide, write the change.

Every function works in the caller's transaction, which must be a write transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from subscribers.model import Reader
from subscribers.rules.decisions import Change, Confirmation, Purpose, SignupLimits
from subscribers.rules.notices import NoticeKind, is_mailed
from subscribers.store import confirmations, notices, readers, writing
from subscribers.store.tables import Connection


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
    notice = notices.notice_to(subscriber, kind, limits.data_life, now)
    if not is_mailed(kind, reader.suppression.reason if reader.suppression else None):
        notice = replace(notice, address=None)
    link = Confirmation(
        subscriber_id=subscriber.id, purpose=Purpose.DATA, made_at=now, expires_at=notice.expires_at
    )
    confirmations.queue_with_link(connection, notice, link, secret)


def erase(connection: Connection, subscriber_id: int, now: datetime) -> bool:
    """Erase a reader for good; return whether there was one."""
    reader = readers.reader_of(connection, subscriber_id, hold=True)
    if reader.subscriber is None:
        return False
    writing.erase(connection, reader.subscriber, now)
    return True
