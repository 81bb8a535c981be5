"""Read the forms of the desk's page of an edition: each becomes the operations that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from digest.compose.edits.operations import (
    Add,
    Advertise,
    Defer,
    Drop,
    Introduce,
    MakeLead,
    Merge,
    Move,
    Note,
    Operation,
    Part,
    Picture,
    Preheader,
    Restore,
    Retitle,
    Rewrite,
    Split,
    Subject,
    Undo,
)
from digest.editions.edits.edits import EditedEdition
from digest.model.errors import EditRefusedError
from digest.model.posts import Image
from digest.model.publication import Sponsor
from digest.web.security.forms import Form

LINES = ("subject", "preheader")  # what lists of messages show of an email
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A form: what it asks for, the words in it, and the last edit that its author had seen."""

    do: str
    fields: Mapping[str, str]
    seen: int

    def get(self, name: str) -> str:
        """Return the text of a field, with the line ends of a text file."""
        return self.fields.get(name, "").replace("\r\n", "\n")

    def seen_of(self, operation: Operation) -> int:
        """Return the last edit that the author had seen of this field: a choice in a conflict is newer."""
        text = self.fields.get(f"seen_{part_of(operation)}", "")
        return int(text) if text.isdecimal() else self.seen

    def without(self, part: str) -> Asked:
        """Return the form without its words for one part of a story."""
        return replace(self, fields={**self.fields, part: self.get(f"shown_{part}")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The edition as it is now, and how to find a picture of a story by its address."""

    edited: EditedEdition
    picture: Callable[[str, str], Image]

    def refuse(self, why: str) -> EditRefusedError:
        """Return the error for a form that can mean nothing."""
        return EditRefusedError(self.edited.record.edition.id, why)


def part_of(operation: Operation) -> str:
    """Return the name of the field of a form with several texts that an operation is about; "" for others."""
    match operation:
        case Rewrite():
            return operation.part.value
        case Subject():
            return "subject"
        case Preheader():
            return "preheader"
    return ""


def asked(form: Form) -> Asked:
    """Return what a form asks for. The button that was pressed says it, or else the field `do`."""
    fields = {name: values[-1].strip() for name, values in form.values.items()}
    for button in ("move", "undo", "redo"):
        if button in fields:
            fields["do"] = button
    if part := fields.get("use"):
        fields[part] = fields.get(f"source_{part}", "")
    seen = fields.get("seen", "")
    return Asked(do=fields.get("do", ""), fields=fields, seen=int(seen) if seen.isdecimal() else 0)


def operations_of(form: Asked, wanted: Wanted) -> tuple[Operation, ...]:
    """Return the operations that a form asks for, in their order; none, if it changes nothing.

    Raises EditRefusedError for a form that can mean nothing, and NotFoundError for an unknown picture.
    """
    if form.do not in _KINDS:
        raise wanted.refuse("the form does not say what to do")
    return tuple(_KINDS[form.do](form, wanted))


def _story(form: Asked, make: Callable[..., Operation]) -> Iterator[Operation]:
    yield make(story=form.get("story"))


def _defer(form: Asked, wanted: Wanted) -> Iterator[Operation]:
    until = form.get("until")
    try:
        day = date.fromisoformat(until) if until else wanted.edited.record.edition.local_date + _DAY
    except ValueError as error:
        raise wanted.refuse(f"{until!r} is not a date such as 2026-11-30") from error
    yield Defer(story=form.get("story"), until=day)


def _move(form: Asked, _: Wanted) -> Iterator[Operation]:
    topic = form.get("move") or form.get("topic")
    yield Move(story=form.get("story"), topic=topic, before=form.get("before") or None)


def _step(form: Asked, wanted: Wanted) -> Iterator[Operation]:
    """Yield the move by one place under the same topic; nothing at its end."""
    story = form.get("story")
    for section in wanted.edited.applied.edition.sections:
        ids = [each.id for each in (*section.stories, *section.more)]
        if story in ids:
            at, ahead = ids.index(story), form.do == "up"
            if at == (0 if ahead else len(ids) - 1):
                return
            following = [*ids, None, None]
            yield Move(story=story, topic=section.slug, before=following[at - 1 if ahead else at + 2])


def _rewrite(form: Asked, _: Wanted) -> Iterator[Operation]:
    """Yield a rewrite of each part whose words are not those that the form was shown with."""
    for part in Part:
        if part.value in form.fields and form.get(part.value) != form.get(f"shown_{part.value}"):
            text = form.get(part.value)
            words = " ".join(text.split()) if part is Part.TITLE else text
            yield Rewrite(story=form.get("story"), part=part, text=words)


def _lines(form: Asked, wanted: Wanted) -> Iterator[Operation]:
    """Yield each of the lines in inboxes whose words are not those that the form was shown with."""
    base, default = wanted.edited.base, form.get("default")
    if default == "subject":
        yield Subject(text=base.subject_template)
    elif default == "preheader":
        yield Preheader(text=base.preheader_template)
    elif not default:
        lines: tuple[Callable[..., Operation], ...] = (Subject, Preheader)
        for name, kind in zip(LINES, lines, strict=True):
            if form.get(name) and form.get(name) != form.get(f"shown_{name}"):
                yield kind(text=form.get(name))


def _picture(form: Asked, wanted: Wanted) -> Iterator[Operation]:
    story, url = form.get("story"), form.get("url")
    yield Picture(story=story, image=wanted.picture(story, url) if url else None)


def _heading(form: Asked, wanted: Wanted) -> Iterator[Operation]:
    if not form.get("text"):
        raise wanted.refuse("a heading cannot be empty")
    yield Retitle(topic=form.get("topic"), title=form.get("text"))


def _add(form: Asked, wanted: Wanted) -> Iterator[Operation]:
    title, url = " ".join(form.get("title").split()), form.get("url")
    if not title:
        raise wanted.refuse("a story of your own has a headline")
    if url and not url.startswith(("https://", "http://")):
        raise wanted.refuse("a link begins with https://")
    yield Add(title=title, topic=form.get("topic"), blurb=form.get("blurb"), url=url or None)


def _sponsor(form: Asked, wanted: Wanted) -> Iterator[Operation]:
    name, text, url = (form.get(each) for each in ("name", "text", "url"))
    if not (name or text or url):
        yield Advertise(sponsor=None)
    elif not (name and text and url.startswith(("https://", "http://"))):
        raise wanted.refuse("a sponsor has a name, a text, and a link that begins with https://")
    else:
        yield Advertise(sponsor=Sponsor(name=name, text=text, url=url))


def _undo(form: Asked, wanted: Wanted) -> Iterator[Operation]:
    number = form.get(form.do)
    if not number.isdecimal():
        raise wanted.refuse(f"there is nothing to {form.do}")
    yield Undo(number=int(number))


_KINDS: Mapping[str, Callable[[Asked, Wanted], Iterator[Operation]]] = {
    "drop": lambda form, _: _story(form, Drop),
    "restore": lambda form, _: _story(form, Restore),
    "lead": lambda form, _: _story(form, MakeLead),
    "no lead": lambda _form, _: iter([MakeLead(story=None)]),
    "split": lambda form, _: iter([Split(story=form.get("story"), post=form.get("post") or None)]),
    "merge": lambda form, _: iter([Merge(story=form.get("story"), into=form.get("into"))]),
    "add": _add,
    "defer": _defer,
    "move": _move,
    "up": _step,
    "down": _step,
    "rewrite": _rewrite,
    "picture": _picture,
    "note": lambda form, _: iter([Note(story=form.get("story"), text=form.get("text"))]),
    "introduction": lambda form, _: iter([Introduce(text=form.get("text"))]),
    "subject": lambda form, _: iter([Subject(text=form.get("text"))]),
    "preheader": lambda form, _: iter([Preheader(text=form.get("text"))]),
    "lines": _lines,
    "heading": _heading,
    "sponsor": _sponsor,
    "undo": _undo,
    "redo": _undo,
}
