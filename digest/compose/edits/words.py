"""Edits in words, and the stories that a person means by the beginning of a headline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from digest.compose.edits.operations import (
    TITLE,
    Add,
    Advertise,
    Defer,
    Drop,
    Edit,
    Introduce,
    MakeLead,
    Merge,
    Move,
    Note,
    Operation,
    Picture,
    Preheader,
    Restore,
    Retitle,
    Rewrite,
    Split,
    Subject,
    Undo,
    touched,
)
from digest.model.editions import Edition, Story
from digest.model.errors import AmbiguousError, NotFoundError
from digest.model.tags import fold

_SHORTEST = 4  # characters of an id
_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The titles of the stories and topics of an edition, including stories that were taken out."""

    stories: Mapping[str, str]  # id → headline
    topics: Mapping[str, str]  # slug → title

    def story(self, story_id: str) -> str:
        """Return the headline in quotes, or the beginning of the id if the story is gone."""
        title = self.stories.get(story_id)
        return f'"{title}"' if title is not None else f"the story {story_id[:_SHOWN]}"

    def topic(self, slug: str) -> str:
        """Return the title of a topic, or its slug."""
        return self.topics.get(slug) or slug


def names_of(base: Edition, sources: Mapping[str, Story]) -> Names:
    """Return the names in an edition; headlines are those of the sources, not the rewritten ones."""
    topics = {each.slug: each.title for each in base.headings} | {
        each.slug: each.title for each in base.sections
    }
    return Names(stories={story.id: story.title for story in sources.values()}, topics=topics)


def sentence(edit: Edit, edits: Sequence[Edit], names: Names) -> str:
    """Return an edit in words, without its author: 'dropped "Ferry returns"'."""
    return _said(edit.operation, {each.number: each for each in edits}, names)


def _said(operation: Operation, edits: Mapping[int, Edit], names: Names) -> str:  # noqa: C901 - one table
    match operation:
        case Drop():
            return f"dropped {names.story(operation.story)}"
        case Restore():
            return f"took {names.story(operation.story)} back"
        case Defer():
            until = f"{operation.until:%A} {operation.until.day} {operation.until:%B}"
            return f"deferred {names.story(operation.story)} to {until}"
        case Move():
            before = f", before {names.story(operation.before)}" if operation.before else ""
            return f"moved {names.story(operation.story)} to {names.topic(operation.topic)}{before}"
        case MakeLead(story=str() as story):
            return f"made {names.story(story)} the lead"
        case Add():
            return f'added "{operation.title}" to {names.topic(operation.topic)}'
        case Split(post=None):
            return f"split {names.story(operation.story)} into its posts"
        case Split():
            off = next((f'"{each.title}"' for each in operation.parts), "a post")
            return f"split {off} off {names.story(operation.story)}"
        case Merge():
            return f"merged {names.story(operation.story)} into {names.story(operation.into)}"
        case Undo():
            undone = edits.get(operation.number)
            what = f": {_said(undone.operation, edits, names)}" if undone else ""
            return f"undid edit {operation.number}{what}"
    field, text = field_text(touched(operation), names), text_of(operation)
    return f"changed the {field}: {text}" if text else f"removed the {field}"


def text_of(operation: Operation) -> str:
    """Return the text that an operation sets; empty if it sets none."""
    match operation:
        case Introduce() | Subject() | Preheader() | Note() | Rewrite():
            return operation.text
        case Retitle():
            return operation.title
        case Picture():
            return operation.image.url if operation.image else ""
        case Advertise():
            return f"{operation.sponsor.name}: {operation.sponsor.text}" if operation.sponsor else ""
    return ""


def field_text(of: tuple[str, str], names: Names) -> str:
    """Return a field that an operation sets (see `touched`) in words: 'headline of "Ferry returns"'."""
    field, subject = of
    if field == TITLE:
        return f"title of the topic {names.topic(subject)}"
    return f"{field} of {names.story(subject)}" if subject else field


def story_named(name: str, *editions: Iterable[Story]) -> str:
    """Return the id of the story that a name stands for: the beginning of its id, or of its headline.

    If no headline begins so, all words of the name must begin words of the headline. The editions hold the
    stories, with their present headlines and with those of the base. Raises NotFoundError and AmbiguousError.
    """
    stories = [story for edition in editions for story in edition]
    by_id = {story.id for story in stories if len(name) >= _SHORTEST and story.id.startswith(name)}
    wanted = fold(name)
    found = (
        by_id
        or {story.id for story in stories if wanted and fold(story.title) == wanted}
        or {story.id for story in stories if wanted and fold(story.title).startswith(wanted)}
        or {story.id for story in stories if wanted and _has_words(fold(story.title), wanted)}
    )
    titles = {story.id: story.title for story in reversed(stories)}
    if not found:
        raise NotFoundError("story", name, tuple(titles.values()))
    if len(found) > 1:
        listed = (
            f'"{title}" ({story_id[:_SHOWN]})' for story_id, title in titles.items() if story_id in found
        )
        raise AmbiguousError(name, tuple(listed))
    return found.pop()


def _has_words(title: str, name: str) -> bool:
    words = title.split()
    return all(any(word.startswith(part) for word in words) for part in name.split())
