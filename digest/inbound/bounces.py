"""Record bounces that are reported by email, and list recorded bounces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from hashlib import sha256

from digest.inbound.bounce_reports import BounceReport
from digest.message.reader_links import FOR_BOUNCES
from digest.storage.database import Database
from subscribers.errors import TokenError
from subscribers.model import SuppressionReason
from subscribers.rules.bounces import (
    MAIL,
    SOFT_DAYS,
    Bounce,
    BounceKind,
    short_reason,
)
from subscribers.store.bounces import CountedBounce, ListedBounce, list_bounces
from subscribers.store.operations import receive_bounce
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
    subscriber_id = next(_readers(secret, report.seals), None)
    if subscriber_id is None:
        return "nothing done: the bounce is not about one of our messages"
    bounce = Bounce(kind=report.kind, at=now, source=MAIL, edition=report.edition, reason=report.reason)
    with database.write() as connection:
        taken = receive_bounce(connection, subscriber_id, bounce, report=sha256(message).hexdigest())
    if isinstance(taken, str):
        return f"nothing done: {taken}"
    return f"{bounce.kind} bounce, {_consequence(bounce, taken)}: {short_reason(bounce.reason) or 'no code'}"


def bounces_listed(database: Database, *, kind: BounceKind | None, limit: int) -> tuple[ListedBounce, ...]:
    """Return the latest bounces, newest first."""
    with database.read() as connection:
        return list_bounces(connection, kind=kind, limit=limit)


def _readers(secret: bytes, seals: tuple[str, ...]) -> Iterator[int]:
    for seal in seals:
        with suppress(TokenError):
            yield read_seal(secret, bytes.fromhex(seal), FOR_BOUNCES)


def _consequence(bounce: Bounce, taken: CountedBounce) -> str:
    if taken.suppressed is SuppressionReason.COMPLAINT:
        return "never mailed again"
    if taken.suppressed:
        return "not mailed any more"
    if bounce.kind is BounceKind.SOFT:
        return f"on {taken.days} of {SOFT_DAYS} days"
    return "no consequence"
