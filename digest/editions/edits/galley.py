"""Make the values of the desk's list of stories: who placed, moved and rewrote each, and what is amiss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from itertools import pairwise

from digest.compose.edits.apply import Outdated
from digest.compose.edits.draft import TakenOut
from digest.compose.edits.operations import (
    Edit,
    MakeLead,
    Move,
    Part,
    Picture,
    Rewrite,
    Undo,
    touched,
)
from digest.editions.edits.desk import DeskFacts
from digest.editions.edits.edits import EditedEdition
from digest.editions.outlook.words import clock_words
from digest.model.editions import Edition, Story
from digest.model.snapshot import headings_of
from digest.model.tags import fold

_TAGS = 5  # that are shown of a story, besides the one that placed it
_SHORT = 48  # characters of a headline in a sentence

Marked = tuple[tuple[str, bool], ...]  # texts, each with whether it differs


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A sentence about a story that needs attention, and what may be done: "drop", "look" or nothing."""

    kind: str  # "warn", "fault", "good": the class of the style sheet
    text: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One story of the list."""

    story: Story
    at: str  # "06:36", "yesterday 18:20"; empty: unknown
    placed: tuple[str, str]  # "placed by tag:" and "port"
    covered: str  # "Coast Radio, Orchard Notes"
    tags: tuple[str, ...]
    remarks: tuple[str, ...]  # "headline rewritten by Maren"
    note_by: str
    flags: tuple[Flag, ...]
    topic: str  # the title of its topic
    first: bool = False
    last: bool = False

    @property
    def is_gone(self) -> bool:
        """Tell whether the story is not in its feed any more."""
        return any(flag.kind == "fault" for flag in self.flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A topic of the list: stories in full, then headlines."""

    slug: str
    title: str
    number: int  # the key that moves a story here; 0: none
    readers: int
    items: tuple[Item, ...] = ()
    more: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """A story that was taken out, and by whom."""

    story: Story
    why: str  # "dropped by Maren"


@dataclass(frozen=True, slots=True, kw_only=True)
class Galley:
    """The whole list: the lead, the topics, the stories that were taken out, and the topics to move to."""

    lead: Item | None
    groups: tuple[Group, ...]
    out: tuple[Out, ...]
    topics: tuple[Group, ...]  # all, also those without a story

    @property
    def items(self) -> tuple[Item, ...]:
        """Return every story in reading order."""
        listed = [each for group in self.groups for each in (*group.items, *group.more)]
        return (*([self.lead] if self.lead else []), *listed)

    @property
    def attention(self) -> tuple[Item, ...]:
        """Return the stories that need attention."""
        return tuple(each for each in self.items if any(flag.fix for flag in each.flags))


def galley_of(facts: DeskFacts, now: datetime) -> Galley:
    """Return the list of an edition's stories, as it is now."""
    maker = _Maker.of(facts, now)
    edition = facts.edited.applied.edition
    topics = tuple(_topics(facts, edition))
    by_slug = {each.slug: each for each in topics}
    groups = []
    for section in edition.sections:
        order = [story.id for story in (*section.stories, *section.more)]
        known = by_slug[section.slug]
        groups.append(
            Group(
                slug=section.slug,
                title=section.title,
                number=known.number,
                readers=known.readers,
                items=tuple(maker.item(story, order) for story in section.stories),
                more=tuple(maker.item(story, order) for story in section.more),
            )
        )
    return Galley(
        lead=maker.item(edition.lead, ()) if edition.lead else None,
        groups=tuple(groups),
        out=tuple(Out(story=each.story, why=_why_out(each)) for each in facts.edited.applied.taken_out),
        topics=topics,
    )


def _topics(facts: DeskFacts, edition: Edition) -> Iterator[Group]:
    """Yield each topic to which a story can be moved, in the order of the edition; nine have a key."""
    titles = {each.slug: each.title for each in (*edition.headings, *headings_of(edition))}
    titles |= {section.slug: section.title for section in edition.sections}
    choices = {each.slug: each.choice for each in headings_of(edition)}
    order = dict.fromkeys([*(section.slug for section in edition.sections), *titles])
    for number, slug in enumerate(order, start=1):
        yield Group(
            slug=slug,
            title=titles.get(slug) or slug,
            number=number if number <= 9 else 0,
            readers=facts.readers(choices.get(slug, slug)),
        )


def _why_out(taken: TakenOut) -> str:
    if taken.until is None:
        return f"dropped by {taken.by}"
    return f"deferred by {taken.by} to {taken.until:%A} {taken.until.day} {taken.until:%B}"


# ── one story ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maker:
    """The facts that the items of one list share."""

    facts: DeskFacts
    now: datetime
    zone: str
    topics: Mapping[str, str]  # the titles of the base
    sources: Mapping[str, Story]  # the stories of the base
    last: Mapping[tuple[str, str], Edit]  # by field and story, the last edit in force

    @classmethod
    def of(cls, facts: DeskFacts, now: datetime) -> _Maker:
        edited = facts.edited
        last = {touched(each.operation): each for each in in_force(edited)}
        sources = edited.applied.sources
        topics = edited.names.topics
        return cls(facts=facts, now=now, zone=edited.base.zone, topics=topics, sources=sources, last=last)

    def item(self, story: Story, order: Sequence[str]) -> Item:
        lead = self.last.get(("lead", ""))
        led = lead and isinstance(lead.operation, MakeLead) and lead.operation.story == story.id
        note = self.last.get(("note", story.id))
        remarks = [*self._rewritten(story), *([f"made the lead by {lead.by}"] if lead and led else [])]
        return Item(
            story=story,
            at=clock_words(story.published_at, self.zone, self.now) if story.published_at else "",
            placed=self._placed(story),
            covered=", ".join(
                dict.fromkeys([each.name for each in story.also] + [each.source for each in story.coverage])
            ),
            tags=tuple(each for each in story.tags if fold(each) != fold(story.rule.partition(": ")[2]))[
                :_TAGS
            ],
            remarks=tuple(remarks),
            note_by=note.by if note and story.note else "",
            flags=tuple(self._flags(story)),
            topic=self.topics.get(story.topic) or story.topic,
            first=bool(order) and order[0] == story.id,
            last=bool(order) and order[-1] == story.id,
        )

    def _placed(self, story: Story) -> tuple[str, str]:
        source = self.sources.get(story.id)
        move = self.last.get(("topic", story.id))
        if move and source and isinstance(move.operation, Move) and source.topic != story.topic:
            return f"moved from {self.topics.get(source.topic) or source.topic} by", move.by
        kind, colon, name = story.rule.partition(": ")
        return (f"placed by {kind}:", name) if colon else ("placed by", f"the {story.rule}")

    def _rewritten(self, story: Story) -> Iterator[str]:
        for part in Part:
            edit = self.last.get((part.noun, story.id))
            source = self.sources.get(story.id)
            if edit and source and getattr(story, part.value) != getattr(source, part.value):
                yield f"{part.noun} rewritten by {edit.by}"
        picture = self.last.get(("picture", story.id))
        if picture and isinstance(picture.operation, Picture):
            yield f"picture {'changed' if picture.operation.image else 'removed'} by {picture.by}"

    def _flags(self, story: Story) -> Iterator[Flag]:
        times = self.facts.times.get(story.id)
        for change in self.facts.changes:
            if change.before.id != story.id:
                continue
            if change.gone:
                seen = (
                    clock_words(times.looked_at, self.zone, self.now) if times and times.looked_at else "now"
                )
                text = f"No longer in its feed as of {seen}; the posts around it still are."
                yield Flag(kind="fault", text=text, fix="drop")
            else:
                at = f", at {clock_words(times.updated_at, self.zone, self.now)}" if times else ""
                yield Flag(kind="warn", text=f"Changed at the source since cutoff{at}.", fix="look")
        for outdated in self.facts.edited.applied.outdated:
            if _story_of(outdated) == story.id:
                yield Flag(kind="warn", text=_outdated_text(outdated), fix="look")
        refreshed_at = self.facts.edited.base.cutoff_at
        if times and refreshed_at > self.facts.composed_at and times.first_seen_at > self.facts.composed_at:
            at = clock_words(refreshed_at, self.zone, self.now)
            yield Flag(kind="good", text=f"New since the last refresh ({at}).")


def _tags(story: Story) -> tuple[str, ...]:
    placed = fold(story.rule.partition(": ")[2])
    return tuple(each for each in story.tags if fold(each) != placed)[:_TAGS]


def in_force(edited: EditedEdition) -> Iterator[Edit]:
    """Yield the edits that are in force and are no undo, the oldest first."""
    stale = {each.edit.number for each in edited.applied.stale}
    for each in edited.edits:
        if each.number not in edited.applied.undone | stale and not isinstance(each.operation, Undo):
            yield each


def _story_of(outdated: Outdated) -> str:
    assert isinstance(outdated.edit.operation, Rewrite)
    return outdated.edit.operation.story


def _outdated_text(outdated: Outdated) -> str:
    assert isinstance(outdated.edit.operation, Rewrite)
    noun = outdated.edit.operation.part.noun
    return f"Its publisher has changed the {noun} that {outdated.edit.by} rewrote."


# ── the last change, in words ───────────────────────────────────────────────────────────────


def announced(edited: EditedEdition, edit: Edit) -> str:
    """Return an edit as it is announced: "Jonas moved “Late apples” to Sea and garden, 2 of 2"."""
    return _curly(f"{edit.by} {_announced(edited, edit)}")


def _announced(edited: EditedEdition, edit: Edit) -> str:
    match edit.operation:
        case Move() as moved:
            place = _place(edited.applied.edition, moved)
            names = edited.names
            return f"moved {names.story(moved.story)} to {names.topic(moved.topic)}{place}"
        case Undo():
            undone = edited.edits[edit.operation.number - 1]
            if isinstance(undone.operation, Undo):
                return f"redid: {edited.sentence(edited.edits[undone.operation.number - 1])}"
            return f"undid: {edited.sentence(undone)}"
    return edited.sentence(edit)


def _place(edition: Edition, moved: Move) -> str:
    """Return where a story stands under its topic: ", 2 of 5"; nothing if it leads, or was taken out."""
    section = next((each for each in edition.sections if each.slug == moved.topic), None)
    ids = [story.id for story in (*section.stories, *section.more)] if section else []
    return f", {ids.index(moved.story) + 1} of {len(ids)}" if moved.story in ids else ""


def _curly(text: str) -> str:
    """Return a text with typographic quotes around what stands in quotes."""
    parts = text.split('"')
    if len(parts) % 2 == 0:
        return text
    return "".join(f"“{_short(part)}”" if at % 2 else part for at, part in enumerate(parts))


def _short(title: str) -> str:
    return title if len(title) <= _SHORT else f"{title[: _SHORT - 1].rstrip()}…"


def redoable(edited: EditedEdition) -> int | None:
    """Return the number of the undo that a redo takes back: the last one, if no other edit came after it."""
    kinds = {each.number: each.operation for each in edited.edits}
    for each in reversed(edited.edits):
        if not isinstance(each.operation, Undo):
            return None
        undone = kinds.get(each.operation.number)
        if each.number not in edited.applied.undone and not isinstance(undone, Undo):
            return each.number
    return None


# ── words that differ ───────────────────────────────────────────────────────────────────────


def marked(text: str, other: str) -> Marked:
    """Return `text` in pieces, each with whether its words are not in `other` at this place."""
    words, others = _words(text), _words(other)
    pieces: list[tuple[str, bool]] = []
    for kind, start, end, _, _ in SequenceMatcher(None, words, others, autojunk=False).get_opcodes():
        if piece := "".join(words[start:end]):
            pieces.append((piece, kind != "equal"))
    return tuple(pieces)


def _words(text: str) -> list[str]:
    """Return the words of a text, each with the space behind it."""
    starts = [
        0,
        *(
            at
            for at, (before, here) in enumerate(pairwise(text), start=1)
            if before.isspace() and not here.isspace()
        ),
    ]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
