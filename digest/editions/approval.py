"""Approve editions with their look, and void an approval when the look is not the approved one any more."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from digest.config import Config
from digest.editions.parts import EditionParts
from digest.editions.preflight import Inspection, inspection_of
from digest.message.look import Look, approved_look, differences, look_at, look_to_render
from digest.model.editions import EditionRecord, EditionState, Step, StepCause, StepKind, refusal
from digest.model.errors import DamagedError, DigestError, StateError, TemplateError
from digest.model.publication import Review
from digest.model.run_context import EventKind, RunContext, RunEvent
from digest.model.tags import fold
from digest.schedule.policy import POLICY, review_of
from digest.storage.database import Connection, Database
from digest.storage.editions.due import open_before
from digest.storage.editions.records import load_edition, lock_edition
from digest.storage.editions.steps import advance, advance_seen, approvals_in_force, note_step
from digest.storage.ledger.looks import keep_look

_SHORTEST = 8  # characters of a hash that identify it
_NAMED = 5
_AHEAD = timedelta(days=1)
SENDS_ANYWAY = 'its digest has review = "send"'


class ReviewError(DigestError):
    """The edition is not the one that was reviewed."""

    def __init__(self, edition_id: str, reviewed: str, now: str) -> None:
        self.edition_id = edition_id
        super().__init__(
            f"{edition_id} is not approved: its hash is {now} and not {reviewed}, so its stories, its "
            "templates or its fixed words have changed since it was reviewed; look at it again: "
            f"digest preview {edition_id}"
        )


class ApprovedAlreadyError(DigestError):
    """A person approves an edition twice that two persons must approve."""

    def __init__(self, edition_id: str, by: str, persons: int) -> None:
        self.edition_id = edition_id
        super().__init__(
            f"{by} has approved {edition_id} already. Its digest needs the approvals of {persons} persons, "
            "so another one must approve it"
        )


class VoidError(DigestError):
    """An approval does not cover what would be sent now, so the edition is a draft again."""

    def __init__(self, edition_id: str, reason: str) -> None:
        self.edition_id = edition_id
        super().__init__(
            f"{edition_id} is not sent and is a draft again, because its approval is void: {reason}. To look "
            f"at it: digest preview {edition_id}. To approve it: digest approve {edition_id}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The hash of all that an edition's approval covers, or would cover now.

    `changes` are phrases for what has changed since it was approved. If it cannot be rendered, there is no
    hash, and `problem` says why.
    """

    hash: str = ""
    changes: tuple[str, ...] = ()
    problem: str = ""


def standing(parts: EditionParts, record: EditionRecord) -> Standing:
    """Return the standing of an edition; one that has begun to be sent keeps what was approved."""
    if not record.is_ahead:
        return Standing(hash=record.look or record.hash)
    try:
        look, _ = look_at(parts.templates, record)
        approved = record.state is EditionState.APPROVED
        changes = changes_since_approval(parts.database, record, look) if approved else ()
    except DigestError as error:
        return Standing(problem=str(error))
    return Standing(hash=look.kept().hash, changes=changes)


def require_reviewed(inspection: Inspection, reviewed: str) -> None:
    """Raise ReviewError if `reviewed` is given and is not the hash, or its first eight characters or more."""
    given = reviewed.strip().casefold()
    if given and not (len(given) >= _SHORTEST and inspection.hash.startswith(given)):
        raise ReviewError(inspection.edition_id, reviewed, inspection.hash)


def changes_since_approval(database: Database, record: EditionRecord, look: Look) -> tuple[str, ...]:
    """Return what has changed since an edition was approved, as phrases; empty if its approval covers it."""
    return differences(approved_look(database, record), look)


def is_approvable(database: Database, record: EditionRecord, look: Look) -> bool:
    """Tell whether an edition needs approval: as a draft, or because its look has changed since."""
    if record.state is EditionState.APPROVED:
        return bool(changes_since_approval(database, record, look))
    return record.state is EditionState.DRAFT


def approve_look(
    database: Database, record: EditionRecord, look: Look, *, by: str, now: datetime, persons: int = 1
) -> EditionRecord:
    """Approve an edition with a look, and keep the look.

    It stays a draft until so many `persons` have approved this look. Raises StateError if it has changed
    meanwhile, and ApprovedAlreadyError if this person has approved this look and another person must.
    """
    kept = look.kept()
    edition_id, approved = record.edition.id, record.state is EditionState.APPROVED
    why = _reason(record, changes_since_approval(database, record, look)) if approved else ""
    with database.write() as connection:
        now_is = lock_edition(connection, edition_id)
        if (now_is.state, now_is.hash, now_is.look) != (record.state, record.hash, record.look):
            raise refusal(now_is, EditionState.APPROVED)
        keep_look(connection, kept)
        if approved:
            advance_seen(connection, record, EditionState.DRAFT, StepCause(at=now, why=why))
        others = _others(connection, edition_id, kept.hash, now)
        if persons > 1 and fold(by) in map(fold, others):
            raise ApprovedAlreadyError(edition_id, by, persons)
        if len(others) + 1 < persons:
            nth = f"number {len(others) + 1} of {persons}"
            cause = StepCause(at=now, by=by, why=nth, look=kept.hash)
            note_step(connection, edition_id, StepKind.APPROVED, cause)
            return load_edition(connection, edition_id)
        names = in_words((*others, by)) if persons > 1 else by
        cause = StepCause(at=now, by=names, look=kept.hash)
        return advance(connection, edition_id, EditionState.APPROVED, cause)


def _others(connection: Connection, edition_id: str, look: str, now: datetime) -> tuple[str, ...]:
    """Return the persons who have approved this look before; approvals of another look become void."""
    given = approvals_in_force(connection, edition_id)
    if any(each.look != look for each in given):
        why = "its look has changed since it was approved"
        note_step(connection, edition_id, StepKind.VOID, StepCause(at=now, why=why))
        return ()
    return tuple(each.by for each in given)


def approvals_of(database: Database, edition_id: str) -> tuple[Step, ...]:
    """Return the approvals of an edition that are in force, each with its person, time and look."""
    with database.read() as connection:
        return approvals_in_force(connection, edition_id)


def given_so_far(
    connection: Connection, config: Config, record: EditionRecord
) -> tuple[tuple[str, ...], int]:
    """Return who has approved a draft so far, and how many persons are missing; other editions have none."""
    given = approvals_in_force(connection, record.edition.id) if record.state is EditionState.DRAFT else ()
    return tuple(each.by for each in given), approvals_missing(config, record, given)


def approvals_missing(config: Config, record: EditionRecord, given: Sequence[Step]) -> int:
    """Return how many persons must still approve a draft; 0 for any other edition."""
    return max(persons_for(config, record) - len(given), 1) if record.state is EditionState.DRAFT else 0


def persons_for(config: Config, record: EditionRecord) -> int:
    """Return how many persons must approve an edition; its digest may be gone from the configuration."""
    digest = config.digest_or_none(record.edition.digest)
    return digest.approvals if digest else 1


def unapprove(database: Database, edition_id: str, *, by: str, now: datetime) -> EditionRecord:
    """Take an approval back: the edition is a draft again. Raises StateError if nobody has approved it."""
    with database.write() as connection:
        record = lock_edition(connection, edition_id)
        why = f"{by} took the approval back"
        if record.state is EditionState.DRAFT and approvals_in_force(connection, edition_id):
            note_step(connection, edition_id, StepKind.VOID, StepCause(at=now, by=by, why=why))
            return record
        if record.state is not EditionState.APPROVED:
            raise refusal(record, "unapproved")
        return advance_seen(connection, record, EditionState.DRAFT, StepCause(at=now, by=by, why=why))


def ready_to_send(
    parts: EditionParts, record: EditionRecord, context: RunContext, by: str = POLICY
) -> EditionRecord:
    """Return an edition approved with the look that it has now; `by` approves it if nobody has.

    If the look is not the approved one, the approval is void, and the digest's review policy decides: with
    "send", the difference is reported, and the edition is approved with its new look. Another process may be
    faster; its edition is returned. Raises VoidError, PreflightError, StateError.
    """
    inspection = inspection_of(parts, record, context.clock())
    is_approved = record.state is EditionState.APPROVED
    changes = changes_since_approval(parts.database, record, inspection.look) if is_approved else ()
    sends = _policy(parts.config, record) is Review.SEND
    if changes and not sends:
        raise VoidError(record.edition.id, _void(parts.database, record, changes, context.clock()))
    inspection.require()  # before the report, which says that the edition is sent
    if changes:
        detail = f"{_reason(record, changes)}; it is sent all the same, because {SENDS_ANYWAY}"
        _report(record.edition.id, detail, context)
        by = POLICY
    elif is_approved:
        return record
    try:
        return approve_look(parts.database, record, inspection.look, by=by, now=context.clock())
    except StateError:
        return _by_another(parts.database, record.edition.id)


def void_changed(parts: EditionParts, context: RunContext) -> None:
    """Make the approvals void whose templates or fixed words have changed, of editions that go out in a day.

    So the staff knows before the send time, when `ready_to_send` decides. Nothing is rendered, so the emails
    themselves are compared only there. Raises OutageError.
    """
    now = context.clock()
    with parts.database.read() as connection:
        records = open_before(connection, now + _AHEAD)
    for record in records:
        if record.state is EditionState.APPROVED and now < record.edition.send_at:
            with suppress(TemplateError, DamagedError, StateError):
                if changes := _changed_around(parts, record):
                    why = _void(parts.database, record, changes, now)
                    _report(record.edition.id, f"{why}, so it is a draft again", context)


def _changed_around(parts: EditionParts, record: EditionRecord) -> tuple[str, ...]:
    """Return which templates and fixed words are not those that were approved, as phrases."""
    approved = approved_look(parts.database, record)
    if approved is None:
        return ()
    return differences(approved, replace(look_to_render(parts.templates, record), emails=approved.emails))


def _void(database: Database, record: EditionRecord, changes: tuple[str, ...], now: datetime) -> str:
    """Make the approval of an edition void, and return the reason. Raises StateError."""
    why = _reason(record, changes)
    with database.write() as connection:
        advance_seen(connection, record, EditionState.DRAFT, StepCause(at=now, why=why))
    return why


def _report(edition_id: str, detail: str, context: RunContext) -> None:
    context.report(RunEvent(kind=EventKind.DIFFERS, subject=edition_id, detail=detail))


def _policy(config: Config, record: EditionRecord) -> Review:
    """Return the review policy of an edition; an edition whose digest is gone needs its approval."""
    digest = config.digest_or_none(record.edition.digest)
    return review_of(record, digest) if digest else Review.HOLD


def in_words(phrases: Sequence[str]) -> str:
    """Return phrases as a list in a sentence."""
    return " and ".join(", ".join(phrases).rsplit(", ", 1))


def _reason(record: EditionRecord, changes: tuple[str, ...]) -> str:
    named = [*changes[:_NAMED], *([f"{len(changes) - _NAMED} more"] if len(changes) > _NAMED else [])]
    return f"{in_words(named)} changed after {record.approved_by} had approved it"


def _by_another(database: Database, edition_id: str) -> EditionRecord:
    """Return an edition that another process has approved or begun meanwhile; otherwise raise StateError."""
    with database.read() as connection:
        record = load_edition(connection, edition_id)
    if record.state in (EditionState.APPROVED, EditionState.SENDING, EditionState.SENT):
        return record
    raise refusal(record, EditionState.SENDING)
