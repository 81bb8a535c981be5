"""Move an edition from one state to another, and its posts with it; of two steps at once, one wins.

Each step is noted in the table `steps`, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, delete, func, insert, literal, select, update

from digest.model.editions import (
    AHEAD,
    OPEN,
    Edition,
    EditionRecord,
    EditionState,
    Step,
    StepCause,
    StepKind,
    refusal,
)
from digest.model.errors import DigestError
from digest.model.posts import PostState
from digest.model.snapshot import sections_in, text_hash, to_json
from digest.storage.editions.records import load_edition
from digest.storage.tables.deliveries import tallies
from digest.storage.tables.editions import editions, edits, gatherings
from digest.storage.tables.editions import steps as noted
from digest.storage.tables.posts import digest_posts

# The states from which each state can be reached. Nothing leads out of sent, skipped and cancelled. A draft
# must be approved before it is sent. An edition whose approval becomes void is a draft again.
_BEFORE: Mapping[EditionState, tuple[EditionState, ...]] = {
    EditionState.DRAFT: (EditionState.APPROVED,),
    EditionState.APPROVED: (EditionState.DRAFT,),
    EditionState.SENDING: (EditionState.APPROVED,),
    EditionState.SENT: (EditionState.SENDING,),
    EditionState.SKIPPED: AHEAD,
    EditionState.CANCELLED: OPEN,
}

_KINDS: Mapping[EditionState, StepKind] = {
    EditionState.DRAFT: StepKind.VOID,
    EditionState.APPROVED: StepKind.APPROVED,
    EditionState.SENDING: StepKind.SENDING,
    EditionState.SENT: StepKind.SENT,
    EditionState.SKIPPED: StepKind.SKIPPED,
    EditionState.CANCELLED: StepKind.CANCELLED,
}

# Unsent editions with the posts that they reserve.
_RESERVED = (
    (digest_posts.c.digest == editions.c.digest)
    & (digest_posts.c.state == PostState.RESERVED)
    & (digest_posts.c.edition_id == editions.c.id)
)
_UNSENT = editions.join(digest_posts, _RESERVED)
_IS_UNSENT = editions.c.state.in_(AHEAD)


def advance(connection: Connection, edition_id: str, to: EditionState, cause: StepCause) -> EditionRecord:
    """Move an edition to the state `to`, and its posts with it; of two steps at once, one wins.

    One statement decides: the state must allow the step, and a paused edition does not begin to be sent. The
    posts of a sent edition are used. An edition that is skipped, or cancelled before it began to be sent,
    releases its posts and the editions it has gathered. Raises StateError if the step is not allowed, and
    NotFoundError.
    """
    return _advance(connection, edition_id, to, cause)


def advance_seen(
    connection: Connection, seen: EditionRecord, to: EditionState, cause: StepCause
) -> EditionRecord:
    """Move an edition like `advance`, if its snapshot and its approved look are those that were seen."""
    same = editions.c.hash == seen.hash, editions.c.look.is_not_distinct_from(seen.look)
    return _advance(connection, seen.edition.id, to, cause, *same)


def _advance(
    connection: Connection, edition_id: str, to: EditionState, cause: StepCause, *same: ColumnElement[bool]
) -> EditionRecord:
    allowed = [editions.c.id == edition_id, editions.c.state.in_(_BEFORE[to]), *same]
    if to is EditionState.SENDING:
        allowed.append(editions.c.paused_at.is_(None))
    step = update(editions).where(*allowed).values(_changes(to, cause))
    if connection.execute(step).rowcount != 1:
        raise refusal(load_edition(connection, edition_id), to)
    note_step(connection, edition_id, _KINDS[to], cause)
    record = load_edition(connection, edition_id)
    # An edition that is cancelled while it is being sent keeps its posts: some readers have had them, and
    # must not get them again.
    if to is EditionState.SENT or (to is EditionState.CANCELLED and record.started_at):
        use_posts(connection, edition_id, cause.at)
    elif to in (EditionState.SKIPPED, EditionState.CANCELLED):
        release_posts(connection, edition_id, cause.at)
        connection.execute(delete(gatherings).where(gatherings.c.gathered_in == edition_id))
    return record


def pause(connection: Connection, edition_id: str, cause: StepCause) -> None:
    """Pause an edition, which may also be a draft; senders see it before their next group.

    Raises StateError if the edition is over or paused already, and NotFoundError.
    """
    held = editions.c.id == edition_id, editions.c.state.in_(OPEN), editions.c.paused_at.is_(None)
    step = update(editions).where(*held).values(paused_at=cause.at, reason=cause.why)
    if connection.execute(step).rowcount != 1:
        raise refusal(load_edition(connection, edition_id), "paused")
    note_step(connection, edition_id, StepKind.PAUSED, cause)


def resume(connection: Connection, edition_id: str, cause: StepCause) -> EditionRecord:
    """Resume a paused edition. Raises StateError if it is not paused, and NotFoundError."""
    # An approved edition counts as approved now. Otherwise it could be too late to be sent.
    paused = editions.c.id == edition_id, editions.c.paused_at.is_not(None)
    at = literal(cause.at, editions.c.approved_at.type)
    approved = case((editions.c.state == EditionState.APPROVED, at))
    changes = {
        "paused_at": None,
        "reason": "",
        "approved_at": func.coalesce(approved, editions.c.approved_at),
    }
    if connection.execute(update(editions).where(*paused).values(changes)).rowcount != 1:
        raise refusal(load_edition(connection, edition_id), "resumed")
    note_step(connection, edition_id, StepKind.RESUMED, cause)
    return load_edition(connection, edition_id)


def revise(connection: Connection, record: EditionRecord, edition: Edition, cause: StepCause) -> None:
    """Give an edition another snapshot; it is a draft again, because nobody has approved these words.

    `cause` says why its approval is void. Raises StateError if the edition has changed meanwhile or has begun
    to be sent.
    """
    snapshot = to_json(edition)
    same = editions.c.id == record.edition.id, editions.c.hash == record.hash
    step = update(editions).where(*same, _IS_UNSENT)
    new = {"snapshot": snapshot, "hash": text_hash(snapshot), "sections": sections_in(edition)}
    was_approved = record.state is EditionState.APPROVED
    if was_approved:
        step = step.where(editions.c.state == EditionState.APPROVED)
    # Of two persons who must approve it, one may have done so: the edition is a draft then.
    is_void = was_approved or bool(approvals_in_force(connection, record.edition.id))
    if is_void:
        new |= _changes(EditionState.DRAFT, replace(cause, why=record.reason or cause.why))
    if connection.execute(step.values(new)).rowcount != 1:
        raise refusal(load_edition(connection, record.edition.id), "changed")
    if is_void:
        note_step(connection, record.edition.id, StepKind.VOID, cause)


def approvals_in_force(connection: Connection, edition_id: str) -> tuple[Step, ...]:
    """Return the approvals of an edition that no later step has made void, oldest first."""
    kinds = noted.c.kind.in_((StepKind.APPROVED, StepKind.VOID))
    rows = connection.execute(
        select(noted).where(noted.c.edition_id == edition_id, kinds).order_by(noted.c.number)
    )
    found: list[Step] = []
    for row in rows:
        if row.kind == StepKind.VOID:
            found.clear()
        else:
            found.append(
                Step(
                    kind=StepKind.APPROVED,
                    at=row.at,
                    by=row.by,
                    detail=row.detail,
                    edits=row.edits,
                    hash=row.hash,
                    look=row.look,
                )
            )
    return tuple(found)


def last_void(connection: Connection, edition_id: str) -> tuple[datetime, str] | None:
    """Return when approvals of an edition became void last, and why; None if they never did."""
    void = noted.c.edition_id == edition_id, noted.c.kind == StepKind.VOID
    found = select(noted.c.at, noted.c.detail).where(*void).order_by(noted.c.number.desc())
    row = connection.execute(found.limit(1)).one_or_none()
    return (row.at, row.detail) if row else None


def note_step(connection: Connection, edition_id: str, kind: StepKind, cause: StepCause) -> None:
    """Note a step of an edition that this transaction has locked or changed."""
    connection.execute(insert(noted).values(_noted(edition_id, kind, cause)))


def note_replanned(
    connection: Connection, edition_id: str, cause: StepCause, replaced: tuple[Edition, str]
) -> None:
    """Note that an edition gets another base.

    `replaced` is the base that the edition had before, and the hash that it has with the new one.
    """
    base, new_hash = replaced
    step = _noted(edition_id, StepKind.REPLANNED, cause)
    connection.execute(insert(noted).values(step | {"hash": new_hash, "base": to_json(base)}))


def _noted(edition_id: str, kind: StepKind, cause: StepCause) -> dict[str, Any]:
    of_edition = editions.c.id == edition_id
    number = select(func.coalesce(func.max(noted.c.number), 0) + 1).where(noted.c.edition_id == edition_id)
    count = select(func.count()).select_from(edits).where(edits.c.edition_id == edition_id)
    return {
        "edition_id": edition_id,
        "number": number.scalar_subquery(),
        "kind": kind,
        "at": cause.at,
        "by": cause.by,
        "detail": cause.why,
        "edits": count.scalar_subquery(),
        "hash": select(editions.c.hash).where(of_edition).scalar_subquery(),
        "look": cause.look or select(editions.c.look).where(of_edition).scalar_subquery(),
    }


def reopen(connection: Connection, edition_id: str) -> None:
    """Take a sent edition back to `sending`, so that deliveries can be tried again; its times stay."""
    sent = editions.c.id == edition_id, editions.c.state == EditionState.SENT
    connection.execute(update(editions).where(*sent).values(state=EditionState.SENDING, finished_at=None))
    connection.execute(delete(tallies).where(tallies.c.edition_id == edition_id))


def latest_step(connection: Connection) -> datetime | None:
    """Return when an edition last began to be sent, or an unsent edition was last made."""
    started = connection.scalar(select(func.max(editions.c.started_at)))
    reserved = select(func.max(digest_posts.c.changed_at)).select_from(_UNSENT)
    made = connection.scalar(reserved.where(_IS_UNSENT))
    return max((time for time in (started, made) if time), default=None)


def made_after(connection: Connection, limit: datetime) -> tuple[str, ...]:
    """Return the drafts and approved editions whose posts were reserved later than `limit`."""
    found = select(editions.c.id).select_from(_UNSENT)
    found = found.where(_IS_UNSENT, digest_posts.c.changed_at > limit)
    return tuple(connection.scalars(found.distinct().order_by(editions.c.id)))


def take_back_edition(connection: Connection, edition_id: str, now: datetime, *, reason: str) -> bool:
    """Skip an unsent edition and sort it by `now`, so that it is not the newest; False if it is too late."""
    try:
        advance(connection, edition_id, EditionState.SKIPPED, StepCause(at=now, why=reason))
    except DigestError:
        return False
    connection.execute(update(editions).where(editions.c.id == edition_id).values(send_at=now))
    return True


def date_back_editions(connection: Connection, limit: datetime, now: datetime) -> None:
    """Date editions that were started later than `limit` as started `now`."""
    at = literal(now, editions.c.finished_at.type)
    changes = {"started_at": now, "finished_at": case((editions.c.finished_at.is_not(None), at))}
    connection.execute(update(editions).where(editions.c.started_at > limit).values(changes))


def _changes(to: EditionState, cause: StepCause) -> dict[str, Any]:
    match to:
        case EditionState.DRAFT:
            nobody = {"approved_by": None, "approved_at": None, "look": None}
            return {"state": to, **nobody, "voided_at": cause.at, "reason": cause.why}
        case EditionState.APPROVED:
            # The reason of a void approval is over, but not the reason of a pause.
            reasons = case((editions.c.paused_at.is_(None), ""), else_=editions.c.reason)
            approved = {"approved_at": cause.at, "approved_by": cause.by or None, "look": cause.look}
            return {"state": to, **approved, "voided_at": None, "reason": reasons}
        case EditionState.SENDING:
            return {"state": to, "started_at": cause.at}
        case _:
            return {"state": to, "finished_at": cause.at, "reason": cause.why, "paused_at": None}


def use_posts(connection: Connection, edition_id: str, now: datetime) -> None:
    """Mark the posts reserved by an edition as used."""
    _settle_posts(connection, edition_id, {"state": PostState.USED, "changed_at": now})


def release_posts(connection: Connection, edition_id: str, now: datetime) -> None:
    """Release the posts reserved by an edition, so that they wait for another edition."""
    waiting = {"state": PostState.WAITING, "edition_id": None, "reason": "", "changed_at": now}
    _settle_posts(connection, edition_id, waiting)


def _settle_posts(connection: Connection, edition_id: str, values: Mapping[str, object]) -> None:
    digest = select(editions.c.digest).where(editions.c.id == edition_id).scalar_subquery()
    reserved = digest_posts.c.digest == digest, digest_posts.c.state == PostState.RESERVED
    of_edition = digest_posts.c.edition_id == edition_id
    connection.execute(update(digest_posts).where(*reserved, of_edition).values(values))
