"""Comments on editions and their stories: read, count, add, answer. They are never a part of a snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from digest.editions.edits.edited import with_edits
from digest.model.editions import EditionRecord
from digest.model.errors import DigestError, NotFoundError
from digest.storage.database import Connection, Database
from digest.storage.editions.records import lock_edition
from digest.storage.edits.history import Comment, append_comment, comments_of, count_comments

LONGEST = 2_000  # characters


class CommentError(DigestError):
    """A comment is empty, or too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A comment and its answers, oldest first. An answer to an answer belongs to the first comment."""

    first: Comment
    answers: tuple[Comment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A comment that a person wants to make. An answer is about the same story as what it answers."""

    by: str
    text: str
    story: str | None = None
    answers: int | None = None


def read_threads(database: Database, edition_id: str) -> tuple[Thread, ...]:
    """Return all comments on an edition, as threads in the order in which they began."""
    with database.read() as connection:
        found = comments_of(connection, edition_id)
    roots: dict[int, int] = {}
    answers: dict[int, list[Comment]] = {}
    for each in found:
        root = roots[each.number] = roots.get(each.answers or 0, each.number)
        answers.setdefault(root, []).append(each)
    return tuple(Thread(first=first, answers=tuple(rest)) for first, *rest in answers.values())


def comment_counts(database: Database, edition_id: str) -> Mapping[str | None, int]:
    """Count the comments on each story of an edition by its id; None is the whole edition."""
    with database.read() as connection:
        return count_comments(connection, edition_id)


def comment(database: Database, edition_id: str, remark: Remark, now: datetime) -> Comment:
    """Add a comment to an edition in any state; nothing else of the edition changes.

    Raises NotFoundError for an edition, a story or a comment that is not there, and CommentError.
    """
    text = remark.text.strip()
    if not text or len(text) > LONGEST:
        raise CommentError(f"a comment has between 1 and {LONGEST:,} characters; this one has {len(text):,}")
    with database.write() as connection:
        record = lock_edition(connection, edition_id)
        known = comments_of(connection, edition_id)
        made = Comment(
            number=len(known) + 1,
            story=_subject(connection, record, known, remark),
            answers=remark.answers,
            by=remark.by,
            at=now,
            text=text,
        )
        append_comment(connection, edition_id, made)
    return made


def _subject(
    connection: Connection, record: EditionRecord, known: Sequence[Comment], remark: Remark
) -> str | None:
    """Return the story that a comment is about; None: the whole edition."""
    if remark.answers is not None:
        answered = next((each for each in known if each.number == remark.answers), None)
        if answered is None:
            raise NotFoundError("comment", str(remark.answers))
        return answered.story
    if remark.story is None:
        return None
    titles = {each.id: each.title for each in with_edits(connection, record).applied.sources.values()}
    if remark.story not in titles:
        raise NotFoundError("story", remark.story, tuple(titles.values()))
    return remark.story
