"""Apply edits: `snapshot = apply(base, edits)`; pure, total and deterministic.

    which edits are in force?   → an undo removes one; an undo of an undo brings it back
    none?                       → the base itself, so that undoing everything gives its hash
    for each edit, in order     → it changes one field of the draft, or is stale
    arrange the stories         → the lead, then under each topic so many in full, and headlines

An edit is stale if its story or topic is not in the base. It changes nothing then, and is listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from digest.compose.edits.operations import (
    Advertise,
    Defer,
    Drop,
    Edit,
    Introduce,
    MakeLead,
    Move,
    Note,
    Part,
    Picture,
    Preheader,
    Restore,
    Retitle,
    Rewrite,
    Subject,
    Undo,
)
from digest.model.editions import Claim, Edition, Heading, Section, Story
from digest.model.posts import DROPPED_BY, Fate, PostState
from digest.model.publication import CATCH_ALL, CATCH_ALL_RULE
from digest.model.snapshot import headings_of, prominence

MOVED = "an editor"  # the rule of a story that an editor has put under its topic


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOut:
    """A story that an editor has taken out of the edition: dropped, or deferred until a date."""

    story: Story
    by: str
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """An edit that changes nothing, and the reason."""

    edit: Edit
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """A rewrite in force of a text that its publisher has changed since; `source` is the new text."""

    edit: Edit
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """An edition with its edits, and all that an editor should know about these."""

    edition: Edition
    taken_out: tuple[TakenOut, ...] = ()
    stale: tuple[Stale, ...] = ()
    outdated: tuple[Outdated, ...] = ()
    undone: frozenset[int] = frozenset()  # the numbers of the edits that are not in force


def apply(base: Edition, edits: Sequence[Edit]) -> Applied:
    """Return what the `edits` make of the edition `base`. If they take out every story, it has none."""
    undone = undone_by(edits)
    active = [each for each in edits if each.number not in undone and not isinstance(each.operation, Undo)]
    if not active:
        return Applied(edition=base, undone=undone)
    draft = _Draft.of(base)
    stale = tuple(Stale(edit=each, reason=why) for each in active if (why := _change(draft, each)))
    return Applied(
        edition=_arranged(base, draft),
        taken_out=tuple(replace(draft.out[each], story=draft.stories[each]) for each in sorted(draft.out)),
        stale=stale,
        outdated=tuple(_outdated(draft)),
        undone=undone,
    )


def undone_by(edits: Sequence[Edit]) -> frozenset[int]:
    """Return the numbers of the edits that are not in force: a later undo that is in force names them."""
    undone: set[int] = set()
    for each in reversed(edits):
        if isinstance(each.operation, Undo) and each.number not in undone:
            undone.add(each.operation.number)
    return frozenset(undone)


def fates(applied: Applied) -> dict[str, Fate]:
    """Return the state of each post of an edition in its digest: reserved, dropped or deferred."""
    edition = applied.edition
    found = {
        post_id: Fate(digest=edition.digest, state=PostState.RESERVED)
        for story in edition.stories()
        for post_id in story.post_ids
    }
    for each in applied.taken_out:
        found |= dict.fromkeys(each.story.post_ids, _fate(each, edition))
    return found


def _fate(taken_out: TakenOut, edition: Edition) -> Fate:
    if taken_out.until is None:
        return Fate(digest=edition.digest, state=PostState.DROPPED, reason=f"{DROPPED_BY}{taken_out.by}")
    until = datetime.combine(taken_out.until, time.min, ZoneInfo(edition.zone)).astimezone(UTC)
    why = f"deferred by {taken_out.by} to {taken_out.until}"
    return Fate(digest=edition.digest, state=PostState.DEFERRED, reason=why, until=until)


# ── one edit after the other ────────────────────────────────────────────────────────────────


@dataclass(slots=True, kw_only=True)
class _Draft:
    """The values that edits change. A story that is taken out keeps its place and its words here."""

    source: Mapping[str, Story]  # as in the base
    stories: dict[str, Story]
    order: dict[str, list[str]]  # by topic; the lead has its place too
    titles: dict[str, str]  # by topic
    lead: str | None
    edition: Edition  # with the words of the edition, and the stories of the base
    out: dict[str, TakenOut] = field(default_factory=dict)
    rewrites: dict[tuple[str, Part], Edit] = field(default_factory=dict)  # the last of each part

    @classmethod
    def of(cls, base: Edition) -> _Draft:
        stories = {story.id: story for story in base.stories()}
        order: dict[str, list[str]] = {slug: [] for slug in _topics(base)}
        if base.lead:
            order[base.lead.topic].append(base.lead.id)
        for section in base.sections:
            order[section.slug] += [story.id for story in (*section.stories, *section.more)]
        titles = {each.slug: each.title for each in (*base.headings, *headings_of(base)) if each.title}
        titles |= {section.slug: section.title for section in base.sections}
        lead = base.lead.id if base.lead else None
        return cls(source=stories, stories=dict(stories), order=order, titles=titles, lead=lead, edition=base)


def _topics(base: Edition) -> list[str]:
    """Return all topics that may have a story: those of the sections in their order, the others between."""
    known = list(dict.fromkeys(heading.slug for heading in (*base.headings, *headings_of(base))))
    slugs = [section.slug for section in base.sections]
    for at in range(len(known) - 1, -1, -1):
        if known[at] not in slugs:
            after = next((slug for slug in known[at + 1 :] if slug in slugs), None)
            slugs.insert(slugs.index(after) if after else len(slugs), known[at])
    return slugs


def _change(draft: _Draft, edit: Edit) -> str:
    """Make one edit; return the reason if it is stale."""
    operation = edit.operation
    match operation:
        case Introduce():
            draft.edition = replace(draft.edition, introduction=operation.text)
        case Advertise():
            draft.edition = replace(draft.edition, sponsor=operation.sponsor)
        case Subject():
            draft.edition = replace(draft.edition, subject_template=operation.text)
        case Preheader():
            draft.edition = replace(draft.edition, preheader_template=operation.text)
        case MakeLead(story=None):
            draft.lead = None
        case Retitle():
            if operation.topic not in draft.titles:
                return f'no topic of the edition is called "{operation.topic}"'
            draft.titles[operation.topic] = operation.title
        case Undo():
            pass
        case _:
            if operation.story not in draft.stories:
                return "its story is not in the edition"
            return _change_story(draft, edit, draft.stories[operation.story])
    return ""


def _change_story(draft: _Draft, edit: Edit, story: Story) -> str:
    match operation := edit.operation:
        case Drop():
            draft.out[story.id] = TakenOut(story=draft.source[story.id], by=edit.by)
        case Defer():
            draft.out[story.id] = TakenOut(story=draft.source[story.id], by=edit.by, until=operation.until)
        case Restore():
            draft.out.pop(story.id, None)
        case MakeLead():
            draft.lead = story.id
        case Rewrite():
            changes: dict[str, Any] = {operation.part.value: operation.text}
            draft.stories[story.id] = replace(story, **changes)
            draft.rewrites[story.id, operation.part] = edit
        case Picture():
            draft.stories[story.id] = replace(story, image=operation.image)
        case Note():
            draft.stories[story.id] = replace(story, note=operation.text)
        case Move():
            if operation.topic not in draft.order:
                return f'no topic of the edition is called "{operation.topic}"'
            _move(draft, operation)
    return ""


def _move(draft: _Draft, move: Move) -> None:
    for listed in draft.order.values():
        if move.story in listed:
            listed.remove(move.story)
    target = draft.order[move.topic]
    target.insert(target.index(move.before) if move.before in target else len(target), move.story)
    draft.stories[move.story] = _placed(draft, draft.stories[move.story], move.topic)


def _placed(draft: _Draft, story: Story, topic: str) -> Story:
    """Return a story under a topic; its former topic claims it still, so that no reader loses it."""
    source = draft.source[story.id]
    if topic == source.topic:
        return replace(story, topic=topic, rule=source.rule, claims=source.claims)
    catch_all = {CATCH_ALL, *(each.topic for each in draft.source.values() if each.rule == CATCH_ALL_RULE)}
    former = () if source.rule == CATCH_ALL_RULE else (Claim(topic=source.topic, rule=source.rule),)
    claims = tuple(each for each in (*former, *source.claims) if each.topic != topic)
    return replace(story, topic=topic, rule=CATCH_ALL_RULE if topic in catch_all else MOVED, claims=claims)


def _outdated(draft: _Draft) -> Iterator[Outdated]:
    for (story_id, part), edit in sorted(draft.rewrites.items()):
        source: str = getattr(draft.source[story_id], part.value)
        if isinstance(edit.operation, Rewrite) and edit.operation.was != source:
            yield Outdated(edit=edit, source=source)


# ── the edition that this makes ─────────────────────────────────────────────────────────────


def _arranged(base: Edition, draft: _Draft) -> Edition:
    left = {story_id: story for story_id, story in draft.stories.items() if story_id not in draft.out}
    lead = _lead(base, draft, left)
    sections = []
    for section in _frames(base, draft):
        listed = [left[each] for each in draft.order[section.slug] if each in left and each != lead]
        if listed:
            full = _in_full(base, section.slug, len(listed))
            sections.append(replace(section, stories=tuple(listed[:full]), more=tuple(listed[full:])))
    headings = tuple(replace(each, title=draft.titles.get(each.slug, each.title)) for each in base.headings)
    return replace(
        draft.edition, lead=left[lead] if lead else None, sections=tuple(sections), headings=headings
    )


def _lead(base: Edition, draft: _Draft, left: Mapping[str, Story]) -> str | None:
    """Return the lead. If it was taken out, the lead of the base leads, or else the most prominent story."""
    if draft.lead is None or draft.lead in left:
        return draft.lead
    if base.lead is None or base.lead.id in left:
        return base.lead.id if base.lead else None
    return min(left.values(), key=prominence).id if left else None


def _frames(base: Edition, draft: _Draft) -> Iterator[Section]:
    """Yield a section without stories for each topic, in the order in which they are shown."""
    sections = {section.slug: section for section in base.sections}
    headings = {heading.slug: heading for heading in headings_of(base)} | _by_slug(base.headings)
    for slug in draft.order:
        title = draft.titles.get(slug, "")
        colour = sections[slug].colour if slug in sections else headings[slug].colour
        yield Section(slug=slug, title=title, stories=(), colour=colour)


def _by_slug(headings: Iterable[Heading]) -> dict[str, Heading]:
    return {heading.slug: heading for heading in headings}


def _in_full(base: Edition, slug: str, count: int) -> int:
    """Return how many stories a topic shows in full: as many as before, or else as its quota says."""
    section = next((each for each in base.sections if each.slug == slug), None)
    if section and section.more:
        return len(section.stories)
    quota = next((each.quota for each in base.headings if each.slug == slug), None)
    return count if quota is None else quota
