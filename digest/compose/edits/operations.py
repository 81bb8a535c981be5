"""The changes that an editor can make to an edition, as values that are stored as JSON.

Operations name stories by the ids of their posts and topics by their slugs, never by a position, so that they
still mean the same after other edits, and after the edition was planned again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from digest.model.editions import Story
from digest.model.posts import Image
from digest.model.publication import Sponsor
from digest.model.snapshot import story_from, story_values


class Part(StrEnum):
    """A part of a story that an editor may rewrite; the values are the names of the story's fields."""

    TITLE = "title"
    BLURB = "blurb"

    @property
    def noun(self) -> str:
        """Return the word that editors use."""
        return "headline" if self is Part.TITLE else "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    """Put an editor's own story at the end of a topic."""

    title: str
    topic: str
    blurb: str = ""
    url: str | None = None
    story: str = ""  # the id of the post as which it is saved; it is made when the edit is


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Make stories of the posts of a story: of all but the first, or of one of them.

    `parts` are these stories, with the words that their posts had when the edit was made.
    """

    story: str
    post: str | None = None
    parts: tuple[Story, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Make a story part of another one, under which its headline and its link stand then."""

    story: str
    into: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Take a story out of the edition for good."""

    story: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Take a story back that was dropped or deferred."""

    story: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Defer:
    """Take a story out of the edition; from the date `until` on, another edition can use it."""

    story: str
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Put a story under a topic, in front of another story or at the end."""

    story: str
    topic: str
    before: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeLead:
    """Make a story the lead; the story that led before goes to its place under its topic. None: no lead."""

    story: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """Replace a part of a story; `was` is the source's text at that time."""

    story: str
    part: Part
    text: str
    was: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Give a story another picture, or none."""

    story: str
    image: Image | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Put a note under a story; an empty one removes it."""

    story: str
    text: str  # Markdown


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduce:
    """Replace the introduction of the edition."""

    text: str  # Markdown


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertise:
    """Replace the sponsor of the edition, or remove it."""

    sponsor: Sponsor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Replace the subject of the edition; `text` is a template, as in the configuration."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preheader:
    """Replace the preheader of the edition; `text` is a template, as in the configuration."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retitle:
    """Give a topic another title in this edition."""

    topic: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """Undo an edit; to undo an undo is to do the edit again."""

    number: int


Operation = (
    Add
    | Split
    | Merge
    | Drop
    | Restore
    | Defer
    | Move
    | MakeLead
    | Rewrite
    | Picture
    | Note
    | Introduce
    | Advertise
    | Subject
    | Preheader
    | Retitle
    | Undo
)

# The names under which operations are stored. A name never changes, because edits are kept for ever.
_NAMES: Mapping[str, type[Any]] = {
    "add": Add,
    "split": Split,
    "merge": Merge,
    "drop": Drop,
    "restore": Restore,
    "defer": Defer,
    "move": Move,
    "lead": MakeLead,
    "rewrite": Rewrite,
    "image": Picture,
    "note": Note,
    "introduction": Introduce,
    "sponsor": Advertise,
    "subject": Subject,
    "preheader": Preheader,
    "topic": Retitle,
    "undo": Undo,
}
_NAME_OF = {kind: name for name, kind in _NAMES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change that an editor has made to an edition. Numbers begin at 1 and have no gaps."""

    number: int
    by: str
    at: datetime
    operation: Operation


def to_values(operation: Operation) -> dict[str, Any]:
    """Return an operation as values for JSON."""
    values = {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in asdict(operation).items()
    }
    if isinstance(operation, Split):
        values["parts"] = [story_values(each) for each in operation.parts]
    return {"do": _NAME_OF[type(operation)], **values}


def from_values(values: Mapping[str, Any]) -> Operation:
    """Return the operation that `to_values` made; raises ValueError for any other values."""
    try:
        kind = _NAMES[values["do"]]
        read = {field.name: _read(field.name, values[field.name]) for field in fields(kind)}
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an edit: {error}") from error
    operation: Operation = kind(**read)
    return operation


def _read(name: str, value: Any) -> Any:
    match name, value:
        case _, None:
            return None
        case "until", _:
            return date.fromisoformat(value)
        case "part", _:
            return Part(value)
        case "image", _:
            return Image(**value)
        case "sponsor", _:
            return Sponsor(**value)
        case "parts", _:
            return tuple(story_from(each) for each in value)
    return value


_PLACE, _POSTS = "place in the edition", "posts"
TITLE = "title"  # of a topic
# The name of the field that an operation sets, and the attribute that says whose field it is.
_FIELDS: Mapping[type[Any], tuple[str, str]] = {
    Add: (_PLACE, "story"),
    Split: (_POSTS, "story"),
    Merge: (_POSTS, "into"),
    Drop: (_PLACE, "story"),
    Restore: (_PLACE, "story"),
    Defer: (_PLACE, "story"),
    Move: ("topic", "story"),
    Picture: ("picture", "story"),
    Note: ("note", "story"),
    Retitle: (TITLE, "topic"),
    MakeLead: ("lead", ""),
    Introduce: ("introduction", ""),
    Advertise: ("sponsor", ""),
    Subject: ("subject", ""),
    Preheader: ("preheader", ""),
}
# All fields of a story. They come and go with it.
_OF_A_STORY = (_PLACE, _POSTS, "topic", "picture", "note", *(part.noun for part in Part))


def touched(operation: Operation) -> tuple[str, str]:
    """Return the field that an operation sets, as (field, subject); the subject is a story, a topic or "".

    Edits of different fields are independent. An undo sets the field of the edit that it undoes.
    """
    match operation:
        case Rewrite():
            return operation.part.noun, operation.story
        case Undo():
            return "edit", str(operation.number)
    field, subject = _FIELDS[type(operation)]
    return field, getattr(operation, subject) if subject else ""


def all_touched(operation: Operation) -> frozenset[tuple[str, str]]:
    """Return all fields that an operation sets: several if it changes what a story is made of.

    A story that is taken out takes its posts with it, so taking it out and changing its posts conflict.
    """
    own, whole = {touched(operation)}, set[str]()
    match operation:
        case Add():
            whole = {operation.story}
        case Split():
            own.add((_PLACE, operation.story))
            whole = {part.id for part in operation.parts}
        case Merge():
            own.add((_PLACE, operation.into))
            whole = {operation.story}
    return frozenset(own | {(field, story) for story in whole for field in _OF_A_STORY})
