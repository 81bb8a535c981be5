"""Begin to send an edition: decide who it goes to, with a delivery for each of them, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from digest.message.build import NOTHING_CHOSEN, MessageBuilder
from digest.model.deliveries import Counts, DeliveryState
from digest.model.editions import EditionRecord, EditionState, StepCause
from digest.model.errors import StateError
from digest.send.outbox import Outbox
from digest.storage.database import Connection, Database
from digest.storage.editions.records import load_edition
from digest.storage.editions.steps import advance, advance_seen
from digest.storage.ledger import addressing
from digest.storage.ledger.slices import open_slices
from subscribers.model import Frequency
from subscribers.store.mailable import Mailable, mailable

Addressed = Callable[[Connection, Sequence[int]], None]  # is given the numbers of the slices


def address(
    database: Database,
    edition_id: str,
    outbox: Outbox,
    *,
    now: datetime,
    seen: EditionRecord | None = None,
    addressed: Addressed | None = None,
) -> tuple[EditionRecord, Counts | None]:
    """Begin to send an edition: approved → sending, with a delivery for each mailable reader, in slices.

    Return the edition, which is sending or sent, and its counts if it was addressed just now; `addressed` is
    called in the same transaction then. See `digest.send.send.send` for `seen` and the errors.
    """
    # One transaction: after a crash, the edition is either still approved, or addressed to all readers.
    with database.write() as connection:
        try:
            record = _begun(connection, edition_id, seen, now)
        except StateError as error:
            record = load_edition(connection, edition_id)
            if record.paused_at or record.state not in (EditionState.SENDING, EditionState.SENT):
                raise error from None
            return record, None
        counts = _queue(connection, record, outbox, now)
        if addressed:
            addressed(connection, open_slices(connection, edition_id))
    return record, counts


def readers_of(record: EditionRecord, offers: Mapping[str, frozenset[Frequency]], now: datetime) -> Mailable:
    """Return the readers an edition goes to if it is addressed now; `offers` is the same as in `Outbox`."""
    slug = record.edition.digest
    return mailable(slug, now, record.frequency, offers.get(slug, frozenset()))


def _begun(
    connection: Connection, edition_id: str, seen: EditionRecord | None, now: datetime
) -> EditionRecord:
    to, cause = EditionState.SENDING, StepCause(at=now)
    if seen:
        return advance_seen(connection, seen, to, cause)
    return advance(connection, edition_id, to, cause)


def _queue(connection: Connection, record: EditionRecord, outbox: Outbox, now: datetime) -> Counts:
    """Queue a delivery for each reader; those whose topics have no story are skipped."""
    edition_id = record.edition.id
    readers = readers_of(record, outbox.offers, now)
    count = addressing.address(connection, edition_id, readers, now=now)
    addressing.set_hours(connection, record.edition, now)
    builder = MessageBuilder(record, outbox.message_settings)
    chosen = addressing.variants(connection, edition_id)
    empty = [variant for variant in chosen if not builder.topics_for(variant)]
    skipped = addressing.skip_variants(connection, edition_id, empty, reason=NOTHING_CHOSEN, now=now)
    return Counts(by_state=((DeliveryState.QUEUED, count - skipped), (DeliveryState.SKIPPED, skipped)))
