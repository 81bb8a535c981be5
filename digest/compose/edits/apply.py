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
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from digest.compose.edits.draft import Draft, TakenOut, change
from digest.compose.edits.operations import Add, Edit, Rewrite, Undo
from digest.model.editions import Edition, Heading, Section, Story
from digest.model.posts import DROPPED_BY, WITHDRAWN, Fate, PostState
from digest.model.snapshot import headings_of, prominence


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
    sources: Mapping[str, Story]  # all stories that edits may name, with the words of their sources
    taken_out: tuple[TakenOut, ...] = ()
    merged: Mapping[str, str] = field(default_factory=dict)  # a story → the one of which it is part
    stale: tuple[Stale, ...] = ()
    outdated: tuple[Outdated, ...] = ()
    undone: frozenset[int] = frozenset()  # the numbers of the edits that are not in force
    withdrawn: Mapping[str, str] = field(default_factory=dict)  # an own story that was undone → by whom


def apply(base: Edition, edits: Sequence[Edit]) -> Applied:
    """Return what the `edits` make of the edition `base`. If they take out every story, it has none."""
    undone = _undone(edits)
    active = [each for each in edits if each.number not in undone and not isinstance(each.operation, Undo)]
    draft = Draft.of(base)
    stale = tuple(Stale(edit=each, reason=why) for each in active if (why := change(draft, each)))
    return Applied(
        edition=_arranged(base, draft) if active else base,
        sources=draft.source,
        taken_out=tuple(replace(draft.out[each], story=draft.whole(each)) for each in sorted(draft.out)),
        merged={each: draft.shown(each) for each in draft.merged},
        stale=stale,
        outdated=tuple(_outdated(draft)),
        undone=frozenset(undone),
        withdrawn={
            each.operation.story: undone[each.number].by
            for each in edits
            if isinstance(each.operation, Add) and each.number in undone
        },
    )


def _undone(edits: Sequence[Edit]) -> dict[int, Edit]:
    """Return the edits that are not in force by their numbers, each with the undo that is in force."""
    undone: dict[int, Edit] = {}
    for each in reversed(edits):
        if isinstance(each.operation, Undo) and each.number not in undone:
            undone.setdefault(each.operation.number, each)
    return undone


def fates(applied: Applied) -> dict[str, Fate]:
    """Return the state of each post of an edition in its digest: reserved, dropped or deferred."""
    edition = applied.edition
    found = {
        post_id: Fate(
            digest=edition.digest, state=PostState.DROPPED, reason=f"{WITHDRAWN}{applied.withdrawn[post_id]}"
        )
        for post_id in applied.withdrawn
    }
    found |= {
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


def _outdated(draft: Draft) -> Iterator[Outdated]:
    for (story_id, part), edit in sorted(draft.rewrites.items()):
        source: str = getattr(draft.source[story_id], part.value)
        if isinstance(edit.operation, Rewrite) and edit.operation.was != source:
            yield Outdated(edit=edit, source=source)


# ── the edition that this makes ─────────────────────────────────────────────────────────────


def _arranged(base: Edition, draft: Draft) -> Edition:
    shown = (each for each in draft.stories if each not in draft.out and each not in draft.merged)
    left = {story_id: draft.whole(story_id) for story_id in shown}
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


def _lead(base: Edition, draft: Draft, left: Mapping[str, Story]) -> str | None:
    """Return the lead. If it was taken out, the lead of the base leads, or else the most prominent story."""
    if draft.lead is None or draft.lead in left:
        return draft.lead
    if base.lead is None or draft.shown(base.lead.id) in left:
        return draft.shown(base.lead.id) if base.lead else None
    return min(left.values(), key=prominence).id if left else None


def _frames(base: Edition, draft: Draft) -> Iterator[Section]:
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
