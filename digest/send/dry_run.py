"""Count the readers an edition would go to, and what they would get, without sending or writing anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from digest.message.build import MessageBuilder, MessageSettings
from digest.model.editions import EditionState
from digest.send.addressing import readers_of
from digest.storage.database import Database
from digest.storage.editions.records import load_edition
from digest.storage.ledger.outcomes import choices
from subscribers.model import Frequency
from subscribers.store.mailable import mailable


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """The readers an edition would go to, counted by what they would get: (topic slugs, format, readers)."""

    readers: tuple[tuple[tuple[str, ...], str, int], ...]
    skipped: int  # readers with nothing in their chosen topics

    @property
    def total(self) -> int:
        """Return how many messages would be sent."""
        return sum(count for _, _, count in self.readers)


def dry_run_of(
    database: Database,
    edition_id: str,
    *,
    message_settings: MessageSettings,
    now: datetime,
    offers: Mapping[str, frozenset[Frequency]] | None = None,
) -> DryRun:
    """Count the readers an edition would go to now, and change nothing; `offers` is the same as in `Outbox`.

    For an edition that is being sent, the count includes only readers whose deliveries are still open.
    """
    with database.read() as connection:
        record = load_edition(connection, edition_id)
        addressed = record.state not in (EditionState.DRAFT, EditionState.APPROVED)
        # The readers of an addressed edition are decided. Later changes of frequency do not affect it.
        readers = mailable(record.edition.digest, now) if addressed else readers_of(record, offers or {}, now)
        found = choices(connection, readers, edition_id if addressed else None)
    builder = MessageBuilder(record, message_settings)
    tally: Counter[tuple[tuple[str, ...], str]] = Counter()
    for variant, form, count in found:
        tally[builder.topics_for(variant), form] += count
    kept = tuple((topics, form, count) for (topics, form), count in sorted(tally.items()) if topics)
    return DryRun(readers=kept, skipped=tally.total() - sum(count for _, _, count in kept))
