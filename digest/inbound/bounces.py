"""Record bounces that are reported by email, and list recorded bounces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from digest.inbound.bounce_reports import BounceReport
from digest.message.reader_links import FOR_BOUNCES, FOR_NOTICES
from digest.storage.database import Connection, Database
from digest.storage.ledger.notices import notice_with
from subscribers.errors import TokenError
from subscribers.model import SuppressionReason
from subscribers.rules.bounces import (
    MAIL,
    SOFT_DAYS,
    Bounce,
    BounceKind,
    short_reason,
)
from subscribers.store.bounces import CountedBounce, ListedBounce, list_bounces, receive_bounce, take_bounce
from subscribers.tokens import read_seal


def note_bounce(
    database: Database, secret: bytes, report: BounceReport, message: bytes, *, now: datetime
) -> str:
    """Record the bounce in a report, and suppress the reader's address if the rules say so.

    Returns a phrase that says what was done, without any address. A report without a valid seal changes
    nothing, because anybody can write a report. The same `message` again changes nothing more.
    """
    if report.kind is None:
        return "nothing done: the report is not about a mailbox"
    bounce = Bounce(kind=report.kind, at=now, source=MAIL, edition=report.edition, reason=report.reason)
    name = sha256(message).hexdigest()
    subscriber_id = next(_sealed(secret, report.seals, FOR_BOUNCES), None)
    notice_id = next(_sealed(secret, report.seals, FOR_NOTICES), None)
    with database.write() as connection:
        if subscriber_id is not None:
            taken = receive_bounce(connection, subscriber_id, bounce, report=name)
        elif notice_id is not None:
            taken = _bounce_of_notice(connection, notice_id, bounce, name)
        else:
            return "nothing done: the bounce is not about one of our messages"
    if isinstance(taken, str):
        return f"nothing done: {taken}"
    return f"{bounce.kind} bounce, {_consequence(bounce, taken)}: {short_reason(bounce.reason) or 'no code'}"


def _bounce_of_notice(
    connection: Connection, notice_id: int, bounce: Bounce, report: str
) -> CountedBounce | str:
    """Take a bounce of a notice: it counts for the address that the notice went to, and for no other."""
    notice = notice_with(connection, notice_id)
    if notice is None:
        return "the reader's data has been erased"
    bounce = replace(bounce, edition=notice.name)
    return take_bounce(connection, notice.address_hash, bounce, report=report) or "already known"


def bounces_listed(database: Database, *, kind: BounceKind | None, limit: int) -> tuple[ListedBounce, ...]:
    """Return the latest bounces, newest first."""
    with database.read() as connection:
        return list_bounces(connection, kind=kind, limit=limit)


def _sealed(secret: bytes, seals: tuple[str, ...], purpose: str) -> Iterator[int]:
    for seal in seals:
        with suppress(TokenError):
            yield read_seal(secret, bytes.fromhex(seal), purpose)


def _consequence(bounce: Bounce, taken: CountedBounce) -> str:
    if taken.suppressed is SuppressionReason.COMPLAINT:
        return "never mailed again"
    if taken.suppressed:
        return "not mailed any more"
    if bounce.kind is BounceKind.SOFT:
        return f"on {taken.days} of {SOFT_DAYS} days"
    return "no consequence"
