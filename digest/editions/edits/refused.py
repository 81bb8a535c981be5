"""Refuse edits that can mean nothing, and those of a field that somebody else has changed meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from digest.compose.edits.operations import (
    Add,
    Advertise,
    Defer,
    Edit,
    Merge,
    Move,
    Operation,
    Preheader,
    Retitle,
    Rewrite,
    Split,
    Subject,
    Undo,
    all_touched,
    touched,
)
from digest.compose.edits.words import field_text, text_of
from digest.editions.edits.edited import EditedEdition, Editor
from digest.model.errors import ConflictError, EditRefusedError, NotFoundError
from digest.model.links import canonical_url, web_url
from digest.model.publication import Sponsor
from digest.render.templates import check_written_line
from subscribers.model import Frequency


def require_unseen(before: EditedEdition, operations: Sequence[Operation], editor: Editor) -> None:
    """Raise ConflictError if an edit that the editor has not seen sets the same field as one of these."""
    for operation in operations:
        for other in reversed(before.edits[editor.seen :]):
            if other.by == editor.name:
                continue  # from another page of the same person, or from keys pressed in quick succession
            theirs, yours = _meant(before, other.operation), _meant(before, operation)
            shared = all_touched(theirs) & all_touched(yours)
            if shared and not _is_same(other.operation, operation):
                mine = Edit(number=0, by=editor.name, at=editor.now, operation=operation)
                field = touched(yours) if touched(yours) in shared else min(shared)
                raise ConflictError(
                    before.record.edition.id,
                    field_text(field, before.names),
                    other.by,
                    theirs=text_of(other.operation) or before.sentence(other),
                    yours=text_of(operation) or before.sentence(mine),
                    at=other.at,
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


# ── what can mean nothing ───────────────────────────────────────────────────────────────────


def require_sense(before: EditedEdition, operation: Operation) -> None:
    """Raise an error if an edit would be stale from the beginning, or cannot be carried out.

    Raises NotFoundError and EditRefusedError.
    """
    _require_stories(before, operation)
    topics = before.names.topics
    match operation:
        case Add() | Move() | Retitle() if operation.topic not in topics:
            raise NotFoundError("topic of the edition", operation.topic, tuple(topics))
        case Add():
            _require_own(before, operation)
        case Split():
            _require_parts(before, operation)
        case Merge():
            _require_two(before, operation)
        case Undo():
            _require_undoable(before, operation.number)
        case Subject() | Preheader() if wrong := _line_fault(before, operation.text):
            raise _refused(before, wrong)
        case Rewrite() if not operation.text.strip() and operation.part == "title":
            raise _refused(before, "a headline cannot be empty")
        case Advertise(sponsor=Sponsor() as sponsor) if web_url(sponsor.url) is None:
            raise _refused(before, f'"{sponsor.url}" is not the address of a web page')
        case Defer():
            _require_later(before, operation)


def _line_fault(before: EditedEdition, text: str) -> str | None:
    """Return why a line cannot be used. The lines of config.toml may be taken again, whatever they have."""
    base = before.base
    return None if text in (base.subject_template, base.preheader_template) else check_written_line(text)


def _require_stories(before: EditedEdition, operation: Operation) -> None:
    """Require that the stories are in the edition, and that none of them is part of another by now."""
    sources, merged = before.applied.sources, before.applied.merged
    names = [] if isinstance(operation, Add) else ["story", "into", "before"]
    for story_id in filter(None, (getattr(operation, name, None) for name in names)):
        if story_id not in sources:
            raise NotFoundError("story", story_id, tuple(each.title for each in sources.values()))
        if story_id in merged:
            named, into = (before.names.story(each) for each in (story_id, merged[story_id]))
            raise _refused(before, f"{named} was merged into {into}; split that story first")


def _require_own(before: EditedEdition, add: Add) -> None:
    if not add.title.strip():
        raise _refused(before, "a headline cannot be empty")
    if add.url is None:
        return
    if web_url(add.url) != add.url:
        raise _refused(before, f'"{add.url}" is not the address of a web page')
    same = (
        story
        for story in before.applied.edition.stories()
        if story.url and canonical_url(story.url) == canonical_url(add.url)
    )
    if story := next(same, None):
        raise _refused(before, f'its story "{story.title}" has this link already')


def _require_parts(before: EditedEdition, split: Split) -> None:
    _require_in(before, split.story)
    named = before.names.story(split.story)
    if split.post == split.story:
        raise _refused(before, f"{named} is this post; split it into all its posts, or split another one off")
    if not split.parts:
        why = "it has no other post" if split.post is None else "it has no such post"
        raise _refused(before, f"{named} cannot be split, because {why}")


def _require_two(before: EditedEdition, merge: Merge) -> None:
    if merge.story == merge.into:
        raise _refused(before, "a story cannot be merged into itself")
    _require_in(before, merge.story)
    _require_in(before, merge.into)


def _require_in(before: EditedEdition, story_id: str) -> None:
    if any(each.story.id == story_id for each in before.applied.taken_out):
        raise _refused(before, f"{before.names.story(story_id)} was taken out; take it back first")


def _require_undoable(before: EditedEdition, number: int) -> None:
    if not 1 <= number <= len(before.edits):
        known = tuple(str(each.number) for each in before.edits)
        raise NotFoundError(f"edit of {before.record.edition.id}", str(number), known)
    if number in before.applied.undone:
        raise _refused(before, f"edit {number} is undone already")


def _require_later(before: EditedEdition, defer: Defer) -> None:
    edition = before.record.edition
    if before.record.frequency is not Frequency.EACH:
        why = "its stories have been in other editions already, so they cannot wait for another; drop them"
        raise _refused(before, f"it is gathered from other editions: {why}")
    if defer.until <= edition.local_date:
        raise _refused(
            before, f"a story is deferred to a later day than {edition.local_date}, that of the edition"
        )


def _refused(before: EditedEdition, reason: str) -> EditRefusedError:
    return EditRefusedError(before.record.edition.id, reason)
