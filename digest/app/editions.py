"""What people do with editions: find one, compose one ahead of its time, approve it, cancel it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from digest.app.composing import compose_rhythm
from digest.app.fitness import refuse_unfit
from digest.app.rhythms import rhythm_of
from digest.app.wiring import App
from digest.errors import NoEditionError, NotFoundError
from digest.model import Composed, Counts, EditionRecord, EditionState
from digest.schedule import due_at, next_due
from digest.schedule_text import parse_schedule
from digest.send.cancelled import settle_cancelled
from digest.storage.editions import last_edition, list_editions, load_edition
from digest.storage.occurrences import Occurrence, finish_occurrence, note_occurrence
from digest.storage.outcomes import counts
from digest.storage.steps import advance, pause, resume
from subscribers.model import Frequency

_NAMED = 5


def find_edition(app: App, name: str) -> EditionRecord:
    """Return the edition with this id, or the newest of the digest with this slug.

    Raises NotFoundError, naming the newest editions there are, and NoEditionError.
    """
    with app.database.read() as connection:
        if any(digest.slug == name for digest in app.config.digests):
            newest = last_edition(connection, name)
            if newest is None:
                raise NoEditionError(name)
            return newest
        try:
            return load_edition(connection, name)
        except NotFoundError as error:
            known = tuple(record.edition.id for record in list_editions(connection, limit=_NAMED))
            raise NotFoundError("edition", name, known) from error


def recent_editions(app: App, digest: str | None, limit: int) -> tuple[EditionRecord, ...]:
    """Return the newest editions, of one digest or of all; raises NotFoundError for an unknown digest."""
    if digest is not None:
        app.config.digest(digest)
    with app.database.read() as connection:
        return list_editions(connection, digest, limit=limit)


def delivery_counts(app: App, edition_id: str) -> Counts:
    """Count the deliveries of an edition."""
    with app.database.read() as connection:
        return counts(connection, edition_id)


def compose_now(app: App, slug: str, now: datetime, *, frequency: Frequency = Frequency.EACH) -> Composed:
    """Compose the next edition of a digest before its cutoff; the clock then leaves that date alone.

    Raises NotFoundError for an unknown digest, and for a frequency it does not offer.
    """
    rhythm = rhythm_of(app.config.digest(slug), frequency)
    digest = rhythm.digest
    local_date, send_at = next_due(
        parse_schedule(digest.schedule), digest.zone, now - timedelta(microseconds=1)
    )
    due = due_at(digest, local_date, send_at)
    due = replace(due, cutoff_at=min(due.cutoff_at, now))
    composed = compose_rhythm(app, rhythm, due, now)
    if composed.record is not None:
        outcome = composed.record.edition.id
        done = Occurrence(local_date=local_date, due_at=send_at, done_at=now, outcome=outcome)
        with app.database.write() as connection:
            if not note_occurrence(connection, rhythm.key, done):
                finish_occurrence(connection, rhythm.key, local_date=local_date, outcome=outcome, now=now)
    return composed


def approve(app: App, edition_id: str, *, by: str, now: datetime) -> EditionRecord:
    """Approve a draft: it goes at its send time, or with the next ring when that has passed.

    Raises StateError, and UnfitError when the mail must not go as it is.
    """
    with app.database.read() as connection:
        refuse_unfit(app, load_edition(connection, edition_id))
    with app.database.write() as connection:
        return advance(connection, edition_id, EditionState.APPROVED, now, by=by)


def pause_edition(app: App, edition_id: str, *, reason: str, now: datetime) -> None:
    """Hold an edition where it stands: senders at work stop taking letters of it. Raises StateError."""
    with app.database.write() as connection:
        pause(connection, edition_id, now, reason=reason)


def resume_edition(app: App, edition_id: str, now: datetime) -> EditionRecord:
    """Let a paused edition go on, with the next ring. Raises StateError."""
    with app.database.write() as connection:
        return resume(connection, edition_id, now)


def cancel(app: App, edition_id: str, *, reason: str, now: datetime) -> EditionRecord:
    """Stop an edition for good: what has not been sent is skipped. Raises StateError.

    Before its sending began its posts go back to wait.
    """
    with app.database.write() as connection:
        record = advance(connection, edition_id, EditionState.CANCELLED, now, reason=reason)
    settle_cancelled(app.database, edition_id, now)
    return record
