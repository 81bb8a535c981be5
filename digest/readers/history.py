"""One reader's whole history for the operator: consents, messages, bounces and suppression."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from digest.model.deliveries import Delivery, NoticeRecord
from digest.readers.subscribers import NoReaderError
from digest.storage.database import Database
from digest.storage.ledger.notices import notices_of
from digest.storage.ledger.outcomes import deliveries_to
from subscribers.address import parse_address
from subscribers.model import Consent, Reader, Suppression
from subscribers.rules.bounces import Bounce
from subscribers.store.bounces import bounces_of
from subscribers.store.readers import history, reader_at
from subscribers.tokens import address_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEvent:
    """One event of a reader's history; `source` is its origin, or the edition that was sent."""

    at: datetime
    what: str
    source: str
    detail: str


def history_of(database: Database, secret: bytes, address: str) -> tuple[Reader, tuple[HistoryEvent, ...]]:
    """Return a reader and their events, oldest first. Raises AddressError, NoReaderError."""
    folded = parse_address(address).folded
    with database.read() as connection:
        reader = reader_at(connection, folded, address_hash(secret, folded))
        if reader.subscriber is None:
            raise NoReaderError
        consents = history(connection, reader.subscriber.id)
        sent = deliveries_to(connection, reader.subscriber.id)
        told = notices_of(connection, reader.subscriber.id)
        returned = bounces_of(connection, reader.subscriber.address_hash)
    events = (
        *map(_consent_event, consents),
        *map(_delivery_event, sent),
        *map(_notice_event, told),
        *map(_bounce_event, returned),
        *([_suppression_event(reader.suppression)] if reader.suppression else []),
    )
    return reader, tuple(sorted(events, key=lambda event: event.at))


def _consent_event(consent: Consent) -> HistoryEvent:
    return HistoryEvent(
        at=consent.at, what=consent.act, source=consent.origin.source, detail=" · ".join(_evidence(consent))
    )


def _evidence(consent: Consent) -> Iterator[str]:
    if consent.origin.wording:
        yield consent.origin.wording
    if consent.origin.client:
        yield consent.origin.client
    if consent.detail:
        yield json.dumps(dict(consent.detail), ensure_ascii=False)


def _delivery_event(delivery: Delivery) -> HistoryEvent:
    return HistoryEvent(
        at=delivery.changed_at, what=f"mail {delivery.state}", source=delivery.edition_id, detail=""
    )


def _notice_event(notice: NoticeRecord) -> HistoryEvent:
    detail = f"{notice.code or ''} {notice.reply}".strip()
    return HistoryEvent(
        at=notice.changed_at, what=f"notice {notice.state}", source=notice.kind, detail=detail
    )


def _suppression_event(suppression: Suppression) -> HistoryEvent:
    return HistoryEvent(
        at=suppression.at, what="suppressed", source=suppression.reason, detail=suppression.note
    )


def _bounce_event(bounce: Bounce) -> HistoryEvent:
    return HistoryEvent(
        at=bounce.at, what=f"{bounce.kind} bounce", source=bounce.edition, detail=bounce.reason
    )


def consents_of(database: Database, subscriber_id: int) -> tuple[Consent, ...]:
    """Return a reader's consents, oldest first."""
    with database.read() as connection:
        return history(connection, subscriber_id)
