"""One reader's whole history, for an operator who is asked: what they did, agreed to and were sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from digest.app.readers import NoReaderError
from digest.app.wiring import App
from digest.model import Delivery
from digest.storage.outcomes import deliveries_to
from subscribers.address import parse_address
from subscribers.bounced import bounces_of
from subscribers.bounces import Bounce
from subscribers.model import Consent, Reader
from subscribers.store import history, reader_at
from subscribers.tokens import address_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a reader; `source` is where it came from, or the edition that was sent."""

    at: datetime
    what: str
    source: str
    detail: str


def life_of(app: App, address: str) -> tuple[Reader, tuple[Event, ...]]:
    """Return a reader and all that happened to them, the oldest first. Raises AddressError, NoReaderError."""
    folded = parse_address(address).folded
    with app.database.read() as connection:
        reader = reader_at(connection, folded, address_hash(app.secret, folded))
        if reader.subscriber is None:
            raise NoReaderError
        consents = history(connection, reader.subscriber.id)
        sent = deliveries_to(connection, reader.subscriber.id)
        returned = bounces_of(connection, reader.subscriber.address_hash)
    events = (*map(_consented, consents), *map(_sent, sent), *map(_returned, returned))
    return reader, tuple(sorted(events, key=lambda event: event.at))


def _consented(consent: Consent) -> Event:
    return Event(
        at=consent.at, what=consent.act, source=consent.origin.source, detail=" · ".join(_evidence(consent))
    )


def _evidence(consent: Consent) -> Iterator[str]:
    if consent.origin.wording:
        yield consent.origin.wording
    if consent.origin.client:
        yield consent.origin.client
    if consent.detail:
        yield json.dumps(dict(consent.detail), ensure_ascii=False)


def _sent(delivery: Delivery) -> Event:
    return Event(at=delivery.changed_at, what=f"mail {delivery.state}", source=delivery.edition_id, detail="")


def _returned(bounce: Bounce) -> Event:
    return Event(at=bounce.at, what=f"{bounce.kind} bounce", source=bounce.edition, detail=bounce.reason)
