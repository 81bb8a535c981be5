"""Move an edition from one state to another, and its posts with it; of two steps at once, one wins.

Each step is noted in the table `steps`, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, delete, func, insert, literal, select, update

from digest.model.editions import MERGED, Edition, EditionRecord, EditionState, Step, StepKind, refusal
from digest.model.errors import DigestError, MergeError
from digest.model.posts import PostState
from digest.model.snapshot import sections_in, text_hash, to_json
from digest.storage.editions import OPEN, insert_edition, load_edition, lock_edition
from digest.storage.posts import batches
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
    EditionState.SKIPPED: (EditionState.DRAFT, EditionState.APPROVED),
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
_IS_UNSENT = editions.c.state.in_((EditionState.DRAFT, EditionState.APPROVED))


def advance(
    connection: Connection,
    edition_id: str,
    to: EditionState,
    now: datetime,
    *,
    reason: str = "",
    by: str | None = None,
    look: str | None = None,
    seen: EditionRecord | None = None,
) -> EditionRecord:
    """Move an edition to the state `to`, and its posts with it; of two steps at once, one wins.

    One statement decides: the state must allow the step, a paused edition does not begin to be sent, and
    with `seen`, the snapshot and the approved look must be those that the caller has seen. The posts of a
    sent edition are used. An edition that is skipped, or cancelled before it began to be sent, releases its
    posts and the editions it has gathered. `by` names the person who does it, and `look` is the hash of all
    that an approval covers. Raises StateError if the step is not allowed, and NotFoundError.
    """
    allowed = [editions.c.id == edition_id, editions.c.state.in_(_BEFORE[to])]
    if to is EditionState.SENDING:
        allowed.append(editions.c.paused_at.is_(None))
    if seen is not None:
        allowed += [editions.c.hash == seen.hash, editions.c.look.is_not_distinct_from(seen.look)]
    step = update(editions).where(*allowed).values(_changes(to, now, reason=reason, by=by, look=look))
    if connection.execute(step).rowcount != 1:
        raise refusal(load_edition(connection, edition_id), to)
    note_step(connection, edition_id, _KINDS[to], now, by=by or "", detail=reason)
    record = load_edition(connection, edition_id)
    # An edition that is cancelled while it is being sent keeps its posts: some readers have had them, and
    # must not get them again.
    if to is EditionState.SENT or (to is EditionState.CANCELLED and record.started_at):
        use_posts(connection, edition_id, now)
    elif to in (EditionState.SKIPPED, EditionState.CANCELLED):
        release_posts(connection, edition_id, now)
        connection.execute(delete(gatherings).where(gatherings.c.gathered_in == edition_id))
    return record


def pause(connection: Connection, edition_id: str, now: datetime, *, reason: str, by: str = "") -> None:
    """Pause an edition, which may also be a draft; after the commit, no sender takes new deliveries of it.

    Raises StateError if the edition is over or paused already, and NotFoundError.
    """
    held = editions.c.id == edition_id, editions.c.state.in_(OPEN), editions.c.paused_at.is_(None)
    step = update(editions).where(*held).values(paused_at=now, reason=reason)
    if connection.execute(step).rowcount != 1:
        raise refusal(load_edition(connection, edition_id), "paused")
    note_step(connection, edition_id, StepKind.PAUSED, now, by=by, detail=reason)


def resume(connection: Connection, edition_id: str, now: datetime, *, by: str = "") -> EditionRecord:
    """Resume a paused edition. Raises StateError if it is not paused, and NotFoundError."""
    # An approved edition counts as approved now. Otherwise it could be too late to be sent.
    paused = editions.c.id == edition_id, editions.c.paused_at.is_not(None)
    approved = case((editions.c.state == EditionState.APPROVED, literal(now, editions.c.approved_at.type)))
    changes = {
        "paused_at": None,
        "reason": "",
        "approved_at": func.coalesce(approved, editions.c.approved_at),
    }
    if connection.execute(update(editions).where(*paused).values(changes)).rowcount != 1:
        raise refusal(load_edition(connection, edition_id), "resumed")
    note_step(connection, edition_id, StepKind.RESUMED, now, by=by)
    return load_edition(connection, edition_id)


def revise(
    connection: Connection, record: EditionRecord, edition: Edition, now: datetime, *, void: str
) -> None:
    """Give an edition another snapshot; it is a draft again, because nobody has approved these words.

    `void` is the reason why its approval is void. Raises StateError if the edition has changed meanwhile or
    has begun to be sent.
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
        new |= _changes(EditionState.DRAFT, now, reason=record.reason or void, by=None, look=None)
    if connection.execute(step.values(new)).rowcount != 1:
        raise refusal(load_edition(connection, record.edition.id), "changed")
    if is_void:
        note_step(connection, record.edition.id, StepKind.VOID, now, detail=void)


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


def note_step(
    connection: Connection,
    edition_id: str,
    kind: StepKind,
    now: datetime,
    *,
    by: str = "",
    detail: str = "",
    look: str | None = None,
    replaced: tuple[Edition, str] | None = None,
) -> None:
    """Note a step of an edition that this transaction has locked or changed.

    `look` is what a person has approved, if the edition is not approved by that. `replaced` is the base that
    the edition had before, and the hash that it has with the new one.
    """
    of_edition = editions.c.id == edition_id
    number = select(func.coalesce(func.max(noted.c.number), 0) + 1).where(noted.c.edition_id == edition_id)
    count = select(func.count()).select_from(edits).where(edits.c.edition_id == edition_id)
    hashed = select(editions.c.hash).where(of_edition)
    step = {
        "edition_id": edition_id,
        "number": number.scalar_subquery(),
        "kind": kind,
        "at": now,
        "by": by,
        "detail": detail,
        "edits": count.scalar_subquery(),
        "hash": replaced[1] if replaced else hashed.scalar_subquery(),
        "look": look or select(editions.c.look).where(of_edition).scalar_subquery(),
        "base": to_json(replaced[0]) if replaced else None,
    }
    connection.execute(insert(noted).values(step))


def replace_editions(
    connection: Connection, records: Sequence[EditionRecord], edition: Edition, now: datetime
) -> EditionRecord:
    """Save a draft that takes the place of editions that have not begun to be sent, and skip these.

    The posts that they reserve are reserved by the draft; posts that are not in the draft wait again. If one
    of the editions was approved, its approval is void. Raises MergeError if one of them is not as the caller
    has seen it, or has begun to be sent; the transaction must not be committed then.
    """
    # Dropping posts locks several editions too, in the same order.
    for record in sorted(records, key=lambda each: each.edition.id):
        if not record.is_ahead or lock_edition(connection, record.edition.id) != record:
            what = f"{record.edition.id} has changed or has begun to be sent meanwhile"
            raise MergeError(
                f"nothing is merged, because {what}; to look at it: digest editions {record.edition.id}"
            )
    insert_edition(connection, edition)
    _hand_over(connection, [record.edition.id for record in records], edition, now)
    for record in records:
        reason = f"{MERGED}{edition.id}"
        advance(connection, record.edition.id, EditionState.SKIPPED, now, reason=reason, seen=record)
    if any(record.state is EditionState.APPROVED or record.voided_at for record in records):
        why = "it was merged from several editions"
        void = _changes(EditionState.DRAFT, now, reason=why, by=None, look=None)
        connection.execute(update(editions).where(editions.c.id == edition.id).values(void))
    return load_edition(connection, edition.id)


def _hand_over(connection: Connection, edition_ids: Sequence[str], edition: Edition, now: datetime) -> None:
    """Let an edition reserve its posts, which other editions reserve now."""
    reserved = (
        digest_posts.c.digest == edition.digest,
        digest_posts.c.state == PostState.RESERVED,
        digest_posts.c.edition_id.in_(edition_ids),
    )
    post_ids = [post_id for story in edition.stories() for post_id in story.post_ids]
    for part in batches(post_ids):
        of_draft = update(digest_posts).where(*reserved, digest_posts.c.post_id.in_(part))
        connection.execute(of_draft.values(edition_id=edition.id, changed_at=now))


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
        advance(connection, edition_id, EditionState.SKIPPED, now, reason=reason)
    except DigestError:
        return False
    connection.execute(update(editions).where(editions.c.id == edition_id).values(send_at=now))
    return True


def date_back_editions(connection: Connection, limit: datetime, now: datetime) -> None:
    """Date editions that were started later than `limit` as started `now`."""
    at = literal(now, editions.c.finished_at.type)
    changes = {"started_at": now, "finished_at": case((editions.c.finished_at.is_not(None), at))}
    connection.execute(update(editions).where(editions.c.started_at > limit).values(changes))


def _changes(
    to: EditionState, now: datetime, *, reason: str, by: str | None, look: str | None
) -> dict[str, Any]:
    match to:
        case EditionState.DRAFT:
            nobody = {"approved_by": None, "approved_at": None, "look": None}
            return {"state": to, **nobody, "voided_at": now, "reason": reason}
        case EditionState.APPROVED:
            # The reason of a void approval is over, but not the reason of a pause.
            reasons = case((editions.c.paused_at.is_(None), ""), else_=editions.c.reason)
            approved = {"approved_at": now, "approved_by": by, "look": look}
            return {"state": to, **approved, "voided_at": None, "reason": reasons}
        case EditionState.SENDING:
            return {"state": to, "started_at": now}
        case _:
            return {"state": to, "finished_at": now, "reason": reason, "paused_at": None}


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
