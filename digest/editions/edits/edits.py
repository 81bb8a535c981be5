"""Edit editions that have not begun to be sent: each edit is kept, applied, and followed by its posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from digest.compose.edits.apply import Applied, apply, fates
from digest.compose.edits.operations import (
    Defer,
    Edit,
    Move,
    Operation,
    Preheader,
    Retitle,
    Rewrite,
    Subject,
    Undo,
    from_values,
    to_values,
    touched,
)
from digest.compose.edits.words import field_text, names_of, sentence, story_named, text_of
from digest.model.editions import EDITED, Edition, EditionRecord, StepKind, refusal
from digest.model.errors import (
    ConflictError,
    DamagedError,
    EditRefusedError,
    NotFoundError,
    StateError,
)
from digest.model.posts import Candidate, Fate, Image, PostState
from digest.model.snapshot import content_hash
from digest.render.templates import check_line
from digest.storage.database import Connection, Database
from digest.storage.editions import base_of, load_edition
from digest.storage.edits.edits import StoredEdit, append, edits_of, keep_base, lock_for_edit, move_posts
from digest.storage.intake.decide import posts_by_id
from digest.storage.steps import note_step, revise
from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedEdition:
    """An edition with its base and its edits; `applied` is what the edits make of the base."""

    record: EditionRecord
    base: Edition
    edits: tuple[Edit, ...]
    applied: Applied

    def sentence(self, edit: Edit) -> str:
        """Return one of the edits in words, without its author."""
        return sentence(edit, self.edits, names_of(self.base))

    def story(self, name: str) -> str:
        """Return the id of the story that a name stands for, by its present headline or that of the base.

        Raises NotFoundError and AmbiguousError.
        """
        return story_named(name, self.applied.edition.stories(), self.base.stories())

    def topic_of(self, story_id: str) -> str:
        """Return the slug of the topic under which a story stands, or stood before it was taken out."""
        stories = (*self.applied.edition.stories(), *self.base.stories())
        return next(story.topic for story in stories if story.id == story_id)

    def last_in_force(self) -> int | None:
        """Return the number of the last edit that is in force and no undo; None if there is none."""
        numbers = (
            each.number
            for each in reversed(self.edits)
            if each.number not in self.applied.undone and not isinstance(each.operation, Undo)
        )
        return next(numbers, None)

    def remarks(self) -> dict[int, str]:
        """Return what an editor should know about some of the edits, by their numbers."""
        stale = {each.edit.number: f"changes nothing, because {each.reason}" for each in self.applied.stale}
        outdated = {
            each.edit.number: f"rewrites what the publisher has changed since: {each.source}"
            for each in self.applied.outdated
        }
        return dict.fromkeys(self.applied.undone, "undone") | stale | outdated


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """A person who edits now, and the number of the last edit that this person has seen."""

    name: str
    seen: int
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebase:
    """Why an edition gets another base, as a clause without its subject ("refreshed it"), and by whom."""

    what: str
    at: datetime
    by: str = ""


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
        _require_unseen(before, operations, editor)
        new = tuple(
            Edit(number=number, by=editor.name, at=editor.now, operation=_with_source(before, operation))
            for number, operation in enumerate(operations, start=len(before.edits) + 1)
        )
        for at, each in enumerate(new):
            _require_sense(before, (*before.edits, *new[:at]), each.operation)
        after = _applied(before.record, before.base, (*before.edits, *new))
        made = content_hash(after.applied.edition)
        append(connection, edition_id, [_stored(each, made) for each in new])
        return save(connection, before, after, editor.now, void=_void(after, new))


def picture_of(database: Database, story_id: str, url: str) -> Image:
    """Return one of the pictures that the post of a story offers, by its address. Raises NotFoundError.

    Those that are left out, or that emails can show only as a copy, are not offered.
    """
    with database.read() as connection:
        known = posts_by_id(connection, [story_id]).get(story_id)
    offered = {each.url: each for each in known.post.pictures if _is_shown(each)} if known else {}
    if url not in offered:
        raise NotFoundError("picture of this story", url, tuple(offered))
    found = offered[url]
    return Image(url=found.url, alt=found.alt, width=found.width, height=found.height)


def _is_shown(candidate: Candidate) -> bool:
    return not candidate.reason and not candidate.convert


def locked(connection: Connection, edition_id: str) -> EditedEdition:
    """Return an edition that may be edited, and lock it. Raises StateError if it has begun to be sent."""
    record = load_edition(connection, edition_id)
    record = lock_for_edit(connection, record.edition.digest, edition_id)
    if not record.is_ahead:
        raise refusal(record, EDITED)
    return with_edits(connection, record)


def with_edits(connection: Connection, record: EditionRecord) -> EditedEdition:
    """Return an edition with its edits. Raises DamagedError."""
    stored = edits_of(connection, record.edition.id)
    try:
        edits = tuple(
            Edit(number=each.number, by=each.by, at=each.at, operation=from_values(each.operation))
            for each in stored
        )
    except ValueError as error:
        raise DamagedError(record.edition.id, f"one of its edits cannot be read: {error}") from error
    return _applied(record, base_of(connection, record), edits)


def rebased(edited: EditedEdition, base: Edition) -> EditedEdition:
    """Return an edition with its edits on another base."""
    return _applied(edited.record, base, edited.edits)


def save(
    connection: Connection,
    before: EditedEdition,
    after: EditedEdition,
    now: datetime,
    *,
    void: str,
    left: Mapping[str, Fate] | None = None,
    rebase: Rebase | None = None,
) -> EditedEdition:
    """Save an edition whose edits or base have changed, and let its posts follow; return it.

    `left` are the fates of posts that are not in the new base, and `rebase` says why there is one. `void` is
    the reason why an approval is void. Raises StateError if no story is left, or a story cannot come back.
    """
    edition = after.applied.edition
    if next(edition.stories(), None) is None:
        raise StateError(
            edition.id, "made of nothing else", "emptied", advice=f"cancel it: digest cancel {edition.id}"
        )
    if after.edits:
        keep_base(connection, after.base)
    if rebase and after.base != before.base:
        replaced = before.base, content_hash(edition)
        kind = StepKind.REPLANNED
        at, by, what = rebase.at, rebase.by, rebase.what
        note_step(connection, edition.id, kind, at, by=by, detail=what, replaced=replaced)
    if edition != before.record.edition:
        revise(connection, before.record, edition, now, void=void)
    # The posts of a gathered edition were used by the editions that it was gathered from.
    if before.record.frequency is Frequency.EACH:
        known = fates(before.applied)
        moved = {
            post_id: fate for post_id, fate in fates(after.applied).items() if known.get(post_id) != fate
        }
        taken = move_posts(connection, edition, {**moved, **(left or {})}, now)
        _require_free(after, taken)
    return replace(after, record=load_edition(connection, edition.id))


def leaving(digest: str, why: str) -> Fate:
    """Return the fate of a post that is not in the base any more: it is dropped with a reason, or waits."""
    return Fate(digest=digest, state=PostState.DROPPED if why else PostState.WAITING, reason=why)


def _applied(record: EditionRecord, base: Edition, edits: tuple[Edit, ...]) -> EditedEdition:
    return EditedEdition(record=record, base=base, edits=edits, applied=apply(base, edits))


def _stored(edit: Edit, made: str) -> StoredEdit:
    values = to_values(edit.operation)
    return StoredEdit(number=edit.number, by=edit.by, at=edit.at, operation=values, hash=made)


def _void(after: EditedEdition, new: Sequence[Edit]) -> str:
    return f"{new[0].by} has edited it since it was approved: {after.sentence(new[0])}"


# ── what is refused ─────────────────────────────────────────────────────────────────────────


def _require_unseen(before: EditedEdition, operations: Sequence[Operation], editor: Editor) -> None:
    """Raise ConflictError if an edit that the editor has not seen sets the same field as one of these."""
    names = names_of(before.base)
    for operation in operations:
        for other in before.edits[editor.seen :]:
            theirs, yours = _meant(before, other.operation), _meant(before, operation)
            if touched(theirs) == touched(yours) and not _is_same(other.operation, operation):
                mine = Edit(number=0, by=editor.name, at=editor.now, operation=operation)
                raise ConflictError(
                    before.record.edition.id,
                    field_text(yours, names),
                    other.by,
                    theirs=text_of(other.operation) or before.sentence(other),
                    yours=text_of(operation) or before.sentence(mine),
                )


def _is_same(theirs: Operation, yours: Operation) -> bool:
    """Tell whether two edits do the same; the source of a rewrite does not matter."""
    if isinstance(theirs, Rewrite) and isinstance(yours, Rewrite):
        return replace(theirs, was=yours.was) == yours
    return theirs == yours


def _meant(before: EditedEdition, operation: Operation) -> Operation:
    """Return the edit that an undo is about; any other operation is about itself."""
    while isinstance(operation, Undo) and 0 < operation.number <= len(before.edits):
        operation = before.edits[operation.number - 1].operation
    return operation


def _with_source(before: EditedEdition, operation: Operation) -> Operation:
    """Return a rewrite with the source's present text, so that a later change of it is noticed."""
    if not isinstance(operation, Rewrite):
        return operation
    source = next((each for each in before.base.stories() if each.id == operation.story), None)
    return replace(operation, was=getattr(source, operation.part.value)) if source else operation


def _require_sense(before: EditedEdition, edits: tuple[Edit, ...], operation: Operation) -> None:
    """Raise an error if an edit would be stale from the beginning, or cannot be carried out."""
    stories = {story.id: story.title for story in before.base.stories()}
    topics = names_of(before.base).topics
    for field in ("story", "before"):
        story_id = getattr(operation, field, None)
        if story_id is not None and story_id not in stories:
            raise NotFoundError("story", story_id, tuple(stories.values()))
    match operation:
        case Move() | Retitle() if operation.topic not in topics:
            raise NotFoundError("topic of the edition", operation.topic, tuple(topics))
        case Undo():
            _require_undoable(before, edits, operation.number)
        case Subject() | Preheader() if wrong := check_line(operation.text):
            raise EditRefusedError(before.record.edition.id, wrong)
        case Rewrite() if not operation.text.strip() and operation.part == "title":
            raise EditRefusedError(before.record.edition.id, "a headline cannot be empty")
        case Defer():
            _require_later(before, operation)


def _require_undoable(before: EditedEdition, edits: tuple[Edit, ...], number: int) -> None:
    edition_id = before.record.edition.id
    if not 1 <= number <= len(edits):
        known = tuple(str(each.number) for each in edits)
        raise NotFoundError(f"edit of {edition_id}", str(number), known)
    if number in apply(before.base, edits).undone:
        raise EditRefusedError(edition_id, f"edit {number} is undone already")


def _require_later(before: EditedEdition, defer: Defer) -> None:
    edition = before.record.edition
    if before.record.frequency is not Frequency.EACH:
        why = "its stories have been in other editions already, so they cannot wait for another; drop them"
        raise EditRefusedError(edition.id, f"it is gathered from other editions: {why}")
    if defer.until <= edition.local_date:
        raise EditRefusedError(
            edition.id, f"a story is deferred to a later day than {edition.local_date}, that of the edition"
        )


def _require_free(after: EditedEdition, taken: Sequence[str]) -> None:
    if taken:
        story = next(each for each in after.applied.edition.stories() if taken[0] in each.post_ids)
        raise EditRefusedError(
            after.record.edition.id,
            f'"{story.title}" cannot come back: another edition has it, or it was dropped for another reason',
        )
