"""Say how an edition stands now: the sentence that the desk shows too, and what keeps it from being sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from digest.config.parts import Parts
from digest.editions.approval import approvals_missing, approvals_of, in_words
from digest.editions.outlook.phases import Outlook
from digest.editions.outlook.sentence import sentence
from digest.editions.outlook.words import counted
from digest.editions.preflight import Inspection, inspection_of
from digest.model.editions import EditionRecord, EditionState
from digest.model.errors import DigestError, OutageError
from digest.render.preflight import Level
from digest.storage.ledger.outcomes import count_readers
from subscribers.store.mailable import mailable

Inspect = Callable[
    [EditionRecord], tuple[Inspection | None, tuple[str, ...]]
]  # `inspected`, or a kept answer


def outlook_text(parts: Parts, record: EditionRecord, now: datetime) -> str:
    """Return how an edition stands in a sentence: its state, until when, and for how many readers."""
    slug = record.edition.digest
    digest = next((each for each in parts.config.digests if each.slug == slug), None)
    offered = digest.frequencies if digest else frozenset()
    with parts.database.read() as connection:
        readers = count_readers(connection, mailable(slug, now, record.frequency, offered))
    said = sentence(Outlook(record=record, digest=digest, readers=readers), now)
    return " ".join(filter(None, [said, _given_so_far(parts, record)]))


def _given_so_far(parts: Parts, record: EditionRecord) -> str:
    """Say who has approved a draft that needs more approvals; empty if nobody has."""
    given = approvals_of(parts.database, record.edition.id) if record.state is EditionState.DRAFT else ()
    if not given:
        return ""
    names, missing = in_words([each.by for each in given]), approvals_missing(parts.config, record, given)
    have, are = "has" if len(given) == 1 else "have", "is" if missing == 1 else "are"
    return f"{names} {have} approved it, and {counted(missing, 'approval')} {are} missing."


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
