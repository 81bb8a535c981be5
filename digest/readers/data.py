"""A reader's own data: the emailed link to it, the export and the erasure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from digest.config.parts import Parts
from digest.model.deliveries import Delivery, NoticeRecord
from digest.readers.preferences import subscriber_of
from digest.readers.signup import LIMITS
from digest.storage.database import Database
from digest.storage.ledger.notices import notices_of
from digest.storage.ledger.outcomes import deliveries_to
from subscribers.errors import TokenError
from subscribers.model import Consent, Reader, Subscription
from subscribers.rules.bounces import Bounce
from subscribers.rules.decisions import Purpose
from subscribers.store import operations
from subscribers.store.bounces import bounces_of
from subscribers.store.confirmations import read_confirmation
from subscribers.store.readers import history, reader_of
from subscribers.tokens import token_hash


def ask_data(parts: Parts, reader: Reader, now: datetime) -> None:
    """Queue a message with a short-lived link to a reader's data."""
    with parts.database.write() as connection:
        operations.ask_data(connection, subscriber_of(reader).id, secret=parts.secret, limits=LIMITS, now=now)


def reader_of_data(database: Database, token: str, now: datetime) -> Reader:
    """Return the reader of a link to their data. Raises TokenError."""
    with database.read() as connection:
        found = read_confirmation(connection, token_hash(token))
        if found is None or found.purpose is not Purpose.DATA or found.used_at is not None:
            raise TokenError("used")
        if now >= found.expires_at:
            raise TokenError("expired")
        reader = reader_of(connection, found.subscriber_id)
    if reader.subscriber is None:
        raise TokenError("used")
    return reader


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRecord:
    """The data that is kept about a reader besides the choices. The oldest entry of each kind is first."""

    consents: tuple[Consent, ...]
    deliveries: tuple[Delivery, ...]
    notices: tuple[NoticeRecord, ...]
    bounces: tuple[Bounce, ...]


def record_of(database: Database, reader: Reader) -> KeptRecord:
    """Return a reader's consents, deliveries, notices and bounces."""
    subscriber = subscriber_of(reader)
    with database.read() as connection:
        return KeptRecord(
            consents=history(connection, subscriber.id),
            deliveries=deliveries_to(connection, subscriber.id),
            notices=notices_of(connection, subscriber.id),
            bounces=bounces_of(connection, subscriber.address_hash),
        )


def export_data(database: Database, reader: Reader) -> dict[str, object]:
    """Return all data of a reader, ready for JSON."""
    subscriber = subscriber_of(reader)
    kept = record_of(database, reader)
    return {
        "address": subscriber.address,
        "state": subscriber.state,
        "language": subscriber.language,
        "format": subscriber.format,
        "created_at": subscriber.created_at,
        "confirmed_at": subscriber.confirmed_at,
        "left_at": subscriber.left_at,
        "must_not_be_mailed": reader.suppression.reason if reader.suppression else None,
        "digests": [
            {**subscription_facts(each), "changed_at": each.changed_at} for each in reader.subscriptions
        ],
        "history": [
            {
                "act": each.act,
                "at": each.at,
                "source": each.origin.source,
                "wording": each.origin.wording,
                "client": each.origin.client,
                "detail": each.detail,
            }
            for each in kept.consents
        ],
        "mails": [
            {"edition": each.edition_id, "state": each.state, "at": each.changed_at}
            for each in kept.deliveries
        ],
        "notices": [{"kind": each.kind, "state": each.state, "at": each.changed_at} for each in kept.notices],
        "bounces": [
            {"at": each.at, "kind": each.kind, "edition": each.edition, "reason": each.reason}
            for each in kept.bounces
        ],
    }


def subscription_facts(subscription: Subscription) -> dict[str, object]:
    """Return a reader's choice of one digest, ready for JSON."""
    preferences = subscription.preferences
    return {
        "digest": subscription.digest,
        "state": subscription.state,
        "topics": str(preferences.topics),
        "hour": preferences.hour,
        "zone": preferences.zone,
        "frequency": preferences.frequency,
        "paused_until": subscription.paused_until,
    }


def forget(database: Database, reader: Reader, now: datetime) -> None:
    """Erase a reader. Only a keyed hash stays, so that no import adds the address again."""
    with database.write() as connection:
        operations.erase(connection, subscriber_of(reader).id, now)
