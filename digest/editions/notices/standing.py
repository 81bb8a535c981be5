"""Say how an edition stands now: the sentence that the desk shows too, and what keeps it from being sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from digest.config.parts import Parts
from digest.editions.outlook.facts import with_facts
from digest.editions.outlook.phases import Outlook
from digest.editions.outlook.sentence import sentence
from digest.editions.preflight import Inspection, inspection_of
from digest.model.editions import EditionRecord
from digest.model.errors import DigestError, OutageError
from digest.render.preflight import Level
from digest.storage.ledger.outcomes import count_readers, counts
from subscribers.store.mailable import mailable

Inspect = Callable[
    [EditionRecord], tuple[Inspection | None, tuple[str, ...]]
]  # `inspected`, or a kept answer


def outlook_text(parts: Parts, record: EditionRecord, now: datetime) -> str:
    """Return how an edition stands in a sentence: its state, until when, and for how many readers."""
    slug = record.edition.digest
    digest = parts.config.digest_or_none(slug)
    offered = digest.frequencies if digest else frozenset()
    with parts.database.read() as connection:
        readers = count_readers(connection, mailable(slug, now, record.frequency, offered))
        found = Outlook(
            record=record, digest=digest, readers=readers, counts=counts(connection, record.edition.id)
        )
        return sentence(with_facts(connection, parts.config, found, now), now)


def inspected(parts: Parts, record: EditionRecord) -> tuple[Inspection | None, tuple[str, ...]]:
    """Return the inspection of an edition, and sentences about what keeps it from being sent.

    There is no inspection of an edition that has begun to be sent or is over, or that cannot be rendered.
    """
    if not record.is_ahead:
        return None, ()
    try:
        found = inspection_of(parts, record, record.edition.send_at)
    except OutageError:
        raise
    except DigestError as error:
        return None, (f"It cannot be sent, because it cannot be rendered: {error}.",)
    blocks = (each.message for each in found.findings if each.level is Level.BLOCK)
    return found, tuple(f"It cannot be sent as it is: {message}." for message in blocks)
