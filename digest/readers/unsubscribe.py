"""Unsubscribe readers by the link in their emails, and undo it after a mistake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from digest.message.reader_links import for_unsubscribing
from digest.storage.database import Database
from digest.storage.editions.slugs import renamed_slugs
from subscribers.model import Origin, Reader, SubscriptionState
from subscribers.rules.decisions import Change, SignupLimits
from subscribers.rules.unsubscribe import undo_unsubscribe, unsubscribe
from subscribers.store.operations import change_reader
from subscribers.store.readers import reader_of
from subscribers.tokens import read_token

LIMITS = SignupLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribed:
    """The reader and the digests that ended; empty when there was nothing (more) to end."""

    subscriber_id: int
    digests: tuple[str, ...]


def check_unsubscribe_link(secret: bytes, slug: str, token: str) -> int:
    """Return the reader's id of an unsubscribe link, without changing anything. Raises TokenError."""
    return read_token(secret, token, for_unsubscribing(slug))


def language_of(database: Database, subscriber_id: int) -> str | None:
    """Return the language of a reader; None for an erased reader."""
    with database.read() as connection:
        reader = reader_of(connection, subscriber_id)
    return reader.subscriber.language if reader.subscriber else None


def unsubscribe_by_link(
    database: Database,
    secret: bytes,
    slug: str,
    token: str,
    *,
    reason: str = "",
    origin: Origin,
    now: datetime,
) -> Unsubscribed:
    """End one digest for the reader of the link; repeating it changes nothing. Raises TokenError.

    Emails are forwarded, so a link ends only its own digest. If that digest was renamed since, the link ends
    it under its present slug.
    """
    subscriber_id = check_unsubscribe_link(secret, slug, token)
    later = earlier_slugs(database).get(slug, slug)
    return _end(
        database,
        subscriber_id,
        lambda reader: unsubscribe(
            reader, slug if reader.reads(slug) else later, origin=origin, now=now, reason=reason
        ),
        now,
    )


def earlier_slugs(database: Database) -> dict[str, str]:
    """Return the present slug of each digest that was renamed, by each of its earlier slugs."""
    with database.read() as connection:
        return renamed_slugs(connection)


def unsubscribe_from_all(
    database: Database, subscriber_id: int, *, reason: str = "", origin: Origin, now: datetime
) -> Unsubscribed:
    """End all digests for a reader. The caller must have checked that the reader asked for it."""
    return _end(
        database,
        subscriber_id,
        lambda reader: unsubscribe(reader, origin=origin, now=now, reason=reason),
        now,
    )


def _end(
    database: Database, subscriber_id: int, decide: Callable[[Reader], Change | None], now: datetime
) -> Unsubscribed:
    with database.write() as connection:
        change = change_reader(connection, subscriber_id, decide, now)
    ended = [
        each.digest
        for each in (change.subscriptions if change else ())
        if each.state is SubscriptionState.UNSUBSCRIBED
    ]
    return Unsubscribed(subscriber_id=subscriber_id, digests=tuple(ended))


def restore_subscriptions(
    database: Database, subscriber_id: int, slug: str | None, *, origin: Origin, now: datetime
) -> bool:
    """Restore one digest or, with None, all that ended together; return False when it is too late."""
    later = earlier_slugs(database).get(slug or "", slug)
    with database.write() as connection:
        change = change_reader(
            connection,
            subscriber_id,
            lambda reader: undo_unsubscribe(
                reader,
                slug if slug and reader.subscription(slug) else later,
                limits=LIMITS,
                origin=origin,
                now=now,
            ),
            now,
        )
    return change is not None
