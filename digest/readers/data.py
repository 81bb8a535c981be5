"""A reader's own data: the emailed link to it, the export and the erasure."""

from __future__ import annotations

from datetime import datetime

from digest.config import Config
from digest.model.deliveries import Delivery
from digest.model.messages import Message
from digest.readers.notices import sender_for, subscriber_of, write_message
from digest.render.languages.languages import words_for
from digest.render.notices import Notice
from digest.render.templates import Templates
from digest.storage.database import Database
from digest.storage.ledger.outcomes import deliveries_to
from subscribers.model import Consent, Reader
from subscribers.rules.bounces import Bounce
from subscribers.store.bounces import bounces_of
from subscribers.store.readers import history, reader_of
from subscribers.store.writing import erase


def data_message(config: Config, templates: Templates, reader: Reader, link: str, now: datetime) -> Message:
    """Return the message with a short-lived link to a reader's data."""
    subscriber = subscriber_of(reader)
    say = words_for(subscriber.language)
    notice = Notice(name="data", subject=say("Link to your data"), values={"link": link})
    return write_message(
        config, templates, notice, to=subscriber.address, digest=sender_for(config, reader), say=say, now=now
    )


def record_of(
    database: Database, reader: Reader
) -> tuple[tuple[Consent, ...], tuple[Delivery, ...], tuple[Bounce, ...]]:
    """Return a reader's consents, deliveries and bounces, each oldest first."""
    subscriber = subscriber_of(reader)
    with database.read() as connection:
        return (
            history(connection, subscriber.id),
            deliveries_to(connection, subscriber.id),
            bounces_of(connection, subscriber.address_hash),
        )


def export_data(database: Database, reader: Reader) -> dict[str, object]:
    """Return all data of a reader, ready for JSON."""
    subscriber = subscriber_of(reader)
    consents, deliveries, returned = record_of(database, reader)
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
            {
                "digest": each.digest,
                "state": each.state,
                "topics": str(each.preferences.topics),
                "hour": each.preferences.hour,
                "zone": each.preferences.zone,
                "frequency": each.preferences.frequency,
                "paused_until": each.paused_until,
                "changed_at": each.changed_at,
            }
            for each in reader.subscriptions
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
            for each in consents
        ],
        "mails": [
            {"edition": each.edition_id, "state": each.state, "at": each.changed_at} for each in deliveries
        ],
        "bounces": [
            {"at": each.at, "kind": each.kind, "edition": each.edition, "reason": each.reason}
            for each in returned
        ],
    }


def forget(database: Database, reader: Reader, now: datetime) -> None:
    """Erase a reader. Only a keyed hash stays, so that no import adds the address again."""
    with database.write() as connection:
        held = reader_of(connection, subscriber_of(reader).id, hold=True)
        if held.subscriber is not None:
            erase(connection, held.subscriber, now)
