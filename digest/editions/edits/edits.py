"""Edit editions that have not begun to be sent: each edit is kept, applied, and followed by its posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from digest.compose.edits.apply import fates
from digest.compose.edits.operations import Add, Edit, Operation, to_values
from digest.compose.edits.words import story_named
from digest.compose.stories.group import group_of, to_story
from digest.editions.edits.complete import completed, save_post
from digest.editions.edits.edited import EditedEdition as EditedEdition
from digest.editions.edits.edited import Editor as Editor
from digest.editions.edits.edited import edited_by, with_edits
from digest.editions.edits.refused import require_sense, require_unseen
from digest.model.editions import EDITED, StepCause, refusal
from digest.model.errors import EditRefusedError, NotFoundError, StateError
from digest.model.posts import Candidate, Fate, Image, PostState, WaitingPost
from digest.model.snapshot import content_hash
from digest.model.tags import fold
from digest.storage.database import Connection, Database
from digest.storage.editions.records import load_edition
from digest.storage.editions.steps import note_replanned, revise
from digest.storage.edits.edits import StoredEdit, append, keep_base, lock_for_edit, move_posts
from digest.storage.intake.decide import posts_by_id
from digest.storage.posts import posts_with_feed
from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Why an edition changes: why its approval is void, and why it gets another base, if it gets one."""

    void: StepCause
    rebase: StepCause | None = None  # a clause without its subject: "refreshed it"
    left: Mapping[str, Fate] = field(default_factory=dict)  # the fates of posts that are not in the new base


def read_edits(database: Database, edition_id: str) -> EditedEdition:
    """Return an edition with its edits. Raises NotFoundError, and DamagedError."""
    with database.read() as connection:
        return with_edits(connection, load_edition(connection, edition_id))


def edit(
    database: Database, edition_id: str, operations: Sequence[Operation], editor: Editor
) -> EditedEdition:
    """Append edits to an edition, and return it; all of them are accepted, or none.

        in one write transaction:
            lock the edition             → it has begun to be sent, or is over? StateError
            somebody else has set the same field, and this editor has not seen that? ConflictError
            apply base and edits         → the snapshot; no story left? StateError
            save the edits and the snapshot; the edition is a draft again
            the posts follow: reserved, dropped or deferred

    Raises NotFoundError for a story, topic or edit that is not there, and EditRefusedError for an edit that
    can mean nothing.
    """
    with database.write() as connection:
        before = locked(connection, edition_id)
        require_unseen(before, operations, editor)
        after = before
        for operation in operations:
            after = _with(connection, after, operation, editor)
        new = after.edits[len(before.edits) :]
        made = content_hash(after.applied.edition)
        append(connection, edition_id, [_stored(each, made) for each in new])
        void = StepCause(at=editor.now, why=_void(after, new))
        return save(connection, before, after, Change(void=void))


def _with(
    connection: Connection, before: EditedEdition, operation: Operation, editor: Editor
) -> EditedEdition:
    """Return an edition with one more edit; the post of an editor's own story is saved."""
    number = len(before.edits) + 1
    operation = completed(connection, before, operation, number)
    require_sense(before, operation)
    if isinstance(operation, Add):
        save_post(connection, before.base, number, operation, editor.now)
    new = Edit(number=number, by=editor.name, at=editor.now, operation=operation)
    return edited_by(before.record, before.base, (*before.edits, new))


def pictures_of(database: Database, story_id: str) -> tuple[Image, ...]:
    """Return the pictures that the post of a story offers.

    Those that are left out, or that emails can show only as a copy, are not offered.
    """
    with database.read() as connection:
        known = posts_by_id(connection, [story_id]).get(story_id)
    offered = (each for each in known.post.pictures if _is_shown(each)) if known else ()
    return tuple(Image(url=each.url, alt=each.alt, width=each.width, height=each.height) for each in offered)


def picture_of(database: Database, story_id: str, url: str) -> Image:
    """Return one of the pictures of `pictures_of` by its address. Raises NotFoundError."""
    offered = {each.url: each for each in pictures_of(database, story_id)}
    if url not in offered:
        raise NotFoundError("picture of this story", url, tuple(offered))
    return offered[url]


def posts_of(database: Database, edited: EditedEdition, story_id: str) -> tuple[WaitingPost, ...]:
    """Return the posts of a story that is in the edition, the one that is shown first; none if it is not."""
    story = next((each for each in edited.applied.edition.stories() if each.id == story_id), None)
    with database.read() as connection:
        found = posts_with_feed(connection, story.post_ids if story else ())
    return tuple(found[each] for each in story.post_ids if each in found) if story else ()


def post_named(name: str, waiting: Sequence[WaitingPost]) -> str:
    """Return the id of the post that a name stands for: its feed, or the beginning of its headline or id.

    Raises NotFoundError and AmbiguousError.
    """
    of_feed = [each.post.id for each in waiting if fold(each.feed_name) == fold(name)]
    if len(of_feed) == 1:
        return of_feed[0]
    return story_named(name, (to_story(group_of([each]), topic="", rule="") for each in waiting))


def _is_shown(candidate: Candidate) -> bool:
    return not candidate.reason and not candidate.convert


def locked(connection: Connection, edition_id: str) -> EditedEdition:
    """Return an edition that may be edited, and lock it. Raises StateError if it has begun to be sent."""
    record = load_edition(connection, edition_id)
    record = lock_for_edit(connection, record.edition.digest, edition_id)
    if not record.is_ahead:
        raise refusal(record, EDITED)
    return with_edits(connection, record)


def save(
    connection: Connection, before: EditedEdition, after: EditedEdition, change: Change
) -> EditedEdition:
    """Save an edition whose edits or base have changed, and let its posts follow; return it.

    Raises StateError if no story is left, or a story cannot come back.
    """
    edition = after.applied.edition
    if next(edition.stories(), None) is None:
        raise StateError(
            edition.id, "made of nothing else", "emptied", advice=f"cancel it: digest cancel {edition.id}"
        )
    if after.edits:
        keep_base(connection, after.base)
    if change.rebase and after.base != before.base:
        note_replanned(connection, edition.id, change.rebase, (before.base, content_hash(edition)))
    if edition != before.record.edition:
        revise(connection, before.record, edition, change.void)
    known = fates(before.applied)
    moved = {post_id: fate for post_id, fate in fates(after.applied).items() if known.get(post_id) != fate}
    if before.record.frequency is not Frequency.EACH:
        # The other posts of a gathered edition were used by the editions that it was gathered from.
        own = {each.operation.story for each in after.edits if isinstance(each.operation, Add)}
        moved = {post_id: fate for post_id, fate in moved.items() if post_id in own}
    _require_free(after, move_posts(connection, edition, {**moved, **change.left}, change.void.at))
    return replace(after, record=load_edition(connection, edition.id))


def leaving(digest: str, why: str) -> Fate:
    """Return the fate of a post that is not in the base any more: it is dropped with a reason, or waits."""
    return Fate(digest=digest, state=PostState.DROPPED if why else PostState.WAITING, reason=why)


def _stored(edit: Edit, made: str) -> StoredEdit:
    values = to_values(edit.operation)
    return StoredEdit(number=edit.number, by=edit.by, at=edit.at, operation=values, hash=made)


def _void(after: EditedEdition, new: Sequence[Edit]) -> str:
    return f"{new[0].by} has edited it since it was approved: {after.sentence(new[0])}"


def _require_free(after: EditedEdition, taken: Sequence[str]) -> None:
    if taken:
        story = next(each for each in after.applied.edition.stories() if taken[0] in each.post_ids)
        raise EditRefusedError(
            after.record.edition.id,
            f'"{story.title}" cannot come back: another edition has it, or it was dropped for another reason',
        )
