"""Operations on editions: find, list, compose early, approve, pause, resume, cancel."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from digest.collect.judge import FIRST_FEW
from digest.config import Config
from digest.editions.approval import approve_look, is_approvable, persons_for, require_reviewed
from digest.editions.compose import compose_cadence, picture_time
from digest.editions.parts import EditionParts
from digest.editions.preflight import inspection_of
from digest.message.look import Look
from digest.model.deliveries import Counts
from digest.model.editions import Composed, DamagedEdition, EditionRecord, EditionState, StepCause, refusal
from digest.model.errors import NoEditionError, NotFoundError, RenameError
from digest.model.posts import BELOW_FIRST_LOOK, Fate, PostState
from digest.model.run_context import RunContext
from digest.schedule.cadence import cadence_of
from digest.storage.database import Database
from digest.storage.desk.posts import newest_dropped, set_fate
from digest.storage.editions.lists import digest_of, last_edition, newest_editions
from digest.storage.editions.records import load_edition
from digest.storage.editions.slugs import LeftBehind, rename_digest
from digest.storage.editions.steps import advance, pause, resume
from digest.storage.ledger.cancelled import settle_cancelled
from digest.storage.ledger.outcomes import count_readers, counts
from digest.storage.occurrences import Occurrence, finish_occurrence, note_occurrence
from subscribers.model import Frequency
from subscribers.store.mailable import mailable

_NAMED = 5


def find_edition(database: Database, config: Config, name: str) -> EditionRecord:
    """Return the edition with this id, or the newest of the digest with this slug.

    Raises NotFoundError, which lists the newest editions, and NoEditionError.
    """
    with database.read() as connection:
        if any(digest.slug == name for digest in config.digests):
            newest = last_edition(connection, name)
            if newest is None:
                raise NoEditionError(name)
            return newest
        try:
            return load_edition(connection, name)
        except NotFoundError as error:
            slugs = [digest.slug for digest in config.digests]
            newest_known = newest_editions(connection, slugs, limit=_NAMED)
            known = tuple(each.edition.id for each in newest_known if isinstance(each, EditionRecord))
            raise NotFoundError("edition", name, known) from error


def recent_editions(
    database: Database, digests: Collection[str] | None, limit: int
) -> tuple[EditionRecord | DamagedEdition, ...]:
    """Return the newest editions of some digests, or of all if `digests` is None."""
    with database.read() as connection:
        return newest_editions(connection, digests, limit=limit)


def digests_named(database: Database, config: Config, names: Iterable[str]) -> frozenset[str]:
    """Return the digests that names are about: their slugs, and ids of editions. Other names are ignored."""
    slugs = {digest.slug for digest in config.digests}
    with database.read() as connection:
        found = {name if name in slugs else digest_of(connection, name) for name in names}
    return frozenset(slug for slug in found if slug is not None)


def delivery_counts(database: Database, edition_id: str) -> Counts:
    """Count the deliveries of an edition."""
    with database.read() as connection:
        return counts(connection, edition_id)


def reader_count(parts: EditionParts, record: EditionRecord, now: datetime) -> int:
    """Count the readers that an edition would go to now: they may be mailed, and chose its frequency."""
    offered = parts.offers().get(record.edition.digest, frozenset())
    readers = mailable(record.edition.digest, now, record.frequency, offered)
    with parts.database.read() as connection:
        return count_readers(connection, readers)


def compose_now(
    parts: EditionParts,
    slug: str,
    now: datetime,
    *,
    frequency: Frequency = Frequency.EACH,
    stop: Callable[[], bool] | None = None,
) -> Composed:
    """Compose the next edition of a digest before its cutoff; the scheduler then skips that date.

    If there is nothing for the very first edition of a digest, it shows the newest posts of its feeds,
    however old they are, because people who begin want to see something. Once `stop` returns True, no more
    pictures are fetched; by default it does so after a minute.

    Raises NotFoundError for an unknown digest, and for a frequency that the digest does not offer.
    """
    cadence = cadence_of(parts.config.digest(slug), frequency)
    due = next(cadence.coming(now - timedelta(microseconds=1)))
    due = replace(due, cutoff_at=min(due.cutoff_at, now))
    context = RunContext(clock=lambda: now, stop=stop or picture_time())
    composed = compose_cadence(parts, cadence, due, context)
    if composed.record is None and frequency is Frequency.EACH and _begin_with_old(parts.database, slug, now):
        composed = compose_cadence(parts, cadence, due, context)
    if composed.record is not None:
        outcome = composed.record.edition.id
        done = Occurrence(local_date=due.local_date, due_at=due.send_at, done_at=now, outcome=outcome)
        with parts.database.write() as connection:
            if not note_occurrence(connection, cadence.key, done):
                finish_occurrence(
                    connection, cadence.key, local_date=due.local_date, outcome=outcome, now=now
                )
    return composed


def _begin_with_old(database: Database, slug: str, now: datetime) -> bool:
    """Let the newest posts below the first look wait, if there was never an edition; tell whether some do."""
    with database.write() as connection:
        if last_edition(connection, slug) is not None:
            return False
        ids = newest_dropped(connection, slug, BELOW_FIRST_LOOK, FIRST_FEW)
        waits = Fate(digest=slug, state=PostState.WAITING)
        return set_fate(connection, ids, [PostState.DROPPED], waits, now) > 0


def approve(
    parts: EditionParts, edition_id: str, *, by: str, now: datetime, reviewed: str = ""
) -> tuple[EditionRecord, Look]:
    """Approve a draft with the look it has now; return both.

    It is sent at its send time, or with the next run if that time has passed. If its digest needs the
    approvals of two persons, it stays a draft until the second one has approved the same look. `reviewed` is
    the hash that was looked at, or its first eight characters or more. An approved edition can be approved
    again if its look has changed. Raises StateError, ReviewError if the hash is not `reviewed`,
    ApprovedAlreadyError, and PreflightError if the email cannot be sent as it is.
    """
    with parts.database.read() as connection:
        record = load_edition(connection, edition_id)
    inspection = inspection_of(parts, record, now)
    if not is_approvable(parts.database, record, inspection.look):
        raise refusal(record, EditionState.APPROVED)
    require_reviewed(inspection, reviewed)
    inspection.require()
    look, persons = inspection.look, persons_for(parts.config, record)
    return approve_look(parts.database, record, look, by=by, now=now, persons=persons), look


def pause_edition(database: Database, edition_id: str, *, reason: str, now: datetime, by: str = "") -> None:
    """Pause an edition: senders that are at work take no more messages of it. Raises StateError."""
    with database.write() as connection:
        pause(connection, edition_id, StepCause(at=now, by=by, why=reason))


def resume_edition(database: Database, edition_id: str, now: datetime, *, by: str = "") -> EditionRecord:
    """Resume a paused edition; the next run continues with it. Raises StateError."""
    with database.write() as connection:
        return resume(connection, edition_id, StepCause(at=now, by=by))


def cancel(database: Database, edition_id: str, *, reason: str, now: datetime, by: str = "") -> EditionRecord:
    """Cancel an edition for good: messages that have not been sent are skipped. Raises StateError.

    If sending has not begun, the edition's posts wait again.
    """
    with database.write() as connection:
        record = advance(connection, edition_id, EditionState.CANCELLED, StepCause(at=now, by=by, why=reason))
    settle_cancelled(database, edition_id, now)
    return record


def rename(database: Database, config: Config, old: str, new: str) -> LeftBehind:
    """Move what the digest `old` has to `new`, after its slug was changed in the configuration.

    Raises NotFoundError if `new` is not configured, and RenameError, for example if `old` still is.
    """
    config.digest(new)
    if any(digest.slug == old for digest in config.digests):
        raise RenameError(f"{old!r} is still in config.toml; change its slug there first")
    with database.write() as connection:
        return rename_digest(connection, old, new)
