"""Say who an edition would go to, and what each would get, without sending or writing anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from digest.model import EditionState
from digest.send.letters import Press, Stationery
from digest.storage.database import Database
from digest.storage.editions import load_edition
from digest.storage.outcomes import choices
from subscribers.model import Frequency
from subscribers.store import mailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """Who an edition would go to: readers by what they would get (topic slugs, format)."""

    readers: tuple[tuple[tuple[str, ...], str, int], ...]
    skipped: int  # readers with nothing in their chosen topics

    @property
    def total(self) -> int:
        """Return how many mails would be sent."""
        return sum(count for _, _, count in self.readers)


def rehearse(
    database: Database,
    edition_id: str,
    *,
    stationery: Stationery,
    now: datetime,
    offers: Mapping[str, frozenset[Frequency]] | None = None,
) -> Rehearsal:
    """Count who an edition would go to now, or still, and change nothing; `offers` as in `Outbox`."""
    with database.read() as connection:
        record = load_edition(connection, edition_id)
        addressed = record.state not in (EditionState.DRAFT, EditionState.APPROVED)
        slug = record.edition.digest
        offered = (offers or {}).get(slug, frozenset())
        readers = mailable(slug, now) if addressed else mailable(slug, now, record.frequency, offered)
        found = choices(connection, readers, edition_id if addressed else None)
    press = Press(record, stationery)
    tally: Counter[tuple[tuple[str, ...], str]] = Counter()
    for variant, form, count in found:
        tally[press.topics_for(variant), form] += count
    kept = tuple((topics, form, count) for (topics, form), count in sorted(tally.items()) if topics)
    return Rehearsal(readers=kept, skipped=tally.total() - sum(count for _, _, count in kept))
