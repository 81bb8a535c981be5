"""Make one edit after the other on a draft of an edition: its stories, their words and their order.

A story that is taken out, or merged into another, keeps its place and its words in the draft, so that the
edits of others mean the same before and after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from digest.compose.edits.operations import (
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
from digest.model.editions import Claim, Coverage, Edition, Source, Story
from digest.model.publication import CATCH_ALL, CATCH_ALL_RULE
from digest.model.snapshot import headings_of

BY_HAND = "an editor"  # the rule of a story that an editor has put under its topic
_GONE = "its story is not in the edition"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOut:
    """A story that an editor has taken out of the edition: dropped, or deferred until a date."""

    story: Story
    by: str
    until: date | None = None


@dataclass(slots=True, kw_only=True)
class Draft:
    """The values that edits change."""

    source: dict[str, Story]  # as in the base, or as it was added or split off
    stories: dict[str, Story]
    order: dict[str, list[str]]  # by topic; the lead has its place too
    titles: dict[str, str]  # by topic
    lead: str | None
    edition: Edition  # with the words of the edition, and the stories of the base
    out: dict[str, TakenOut] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)  # a story → the one into which it was merged
    rewrites: dict[tuple[str, Part], Edit] = field(default_factory=dict)  # the last of each part

    @classmethod
    def of(cls, base: Edition) -> Draft:
        """Return the draft of an edition without edits."""
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

    def whole(self, story_id: str) -> Story:
        """Return a story with all stories that were merged into it."""
        story = self.stories[story_id]
        for each, into in self.merged.items():
            if into == story_id:
                story = _joined(story, self.whole(each))
        return story

    def shown(self, story_id: str) -> str:
        """Return the id of the story of which a story is part: its own, unless it was merged."""
        while story_id in self.merged:
            story_id = self.merged[story_id]
        return story_id


def _topics(base: Edition) -> list[str]:
    """Return all topics that may have a story: those of the sections in their order, the others between."""
    known = list(dict.fromkeys(heading.slug for heading in (*base.headings, *headings_of(base))))
    slugs = [section.slug for section in base.sections]
    for at in range(len(known) - 1, -1, -1):
        if known[at] not in slugs:
            after = next((slug for slug in known[at + 1 :] if slug in slugs), None)
            slugs.insert(slugs.index(after) if after else len(slugs), known[at])
    return slugs


def change(draft: Draft, edit: Edit) -> str:
    """Make one edit; return the reason if it is stale."""
    match operation := edit.operation:
        case Introduce() | Advertise() | Subject() | Preheader():
            draft.edition = _reworded(draft.edition, operation)
        case Retitle():
            if operation.topic not in draft.titles:
                return f'no topic of the edition is called "{operation.topic}"'
            draft.titles[operation.topic] = operation.title
        case MakeLead():
            if operation.story is not None and operation.story not in draft.stories:
                return _GONE
            draft.lead = draft.shown(operation.story) if operation.story else None
        case Add():
            return _add(draft, operation)
        case Undo():
            pass
        case _:
            if operation.story not in draft.stories:
                return _GONE
            if operation.story in draft.merged:
                return "its story was merged into another"
            return _change_story(draft, edit, draft.stories[operation.story])
    return ""


def _reworded(edition: Edition, operation: Introduce | Advertise | Subject | Preheader) -> Edition:
    match operation:
        case Introduce():
            return replace(edition, introduction=operation.text)
        case Advertise():
            return replace(edition, sponsor=operation.sponsor)
        case Subject():
            return replace(edition, subject_template=operation.text)
        case Preheader():
            return replace(edition, preheader_template=operation.text)


def _change_story(draft: Draft, edit: Edit, story: Story) -> str:
    match operation := edit.operation:
        case Drop():
            draft.out[story.id] = TakenOut(story=draft.source[story.id], by=edit.by)
        case Defer():
            draft.out[story.id] = TakenOut(story=draft.source[story.id], by=edit.by, until=operation.until)
        case Restore():
            draft.out.pop(story.id, None)
        case Rewrite():
            changes: dict[str, Any] = {operation.part.value: operation.text}
            draft.stories[story.id] = replace(story, **changes)
            draft.rewrites[story.id, operation.part] = edit
        case Picture():
            draft.stories[story.id] = replace(story, image=operation.image)
        case Note():
            draft.stories[story.id] = replace(story, note=operation.text)
        case Move():
            return _move(draft, operation)
        case Split():
            return _split(draft, operation)
        case Merge():
            return _merge(draft, operation)
    return ""


# ── the places of stories ───────────────────────────────────────────────────────────────────


def _add(draft: Draft, add: Add) -> str:
    if add.story in draft.stories:
        return "its story is in the edition already"
    # A topic that was found may not be found again. The editor's story must not be lost with it.
    *_, last = draft.edition.stories()
    topic = add.topic if add.topic in draft.order else last.topic
    draft.source[add.story] = Story(
        id=add.story,
        title=add.title,
        blurb=add.blurb,
        url=add.url,
        source="",
        author=None,
        published_at=None,
        image=None,
        tags=(),
        topic=topic,
        rule=_rule(draft, topic),
        post_ids=(add.story,),
    )
    draft.stories[add.story] = draft.source[add.story]
    draft.order[topic].append(add.story)
    return ""


def _move(draft: Draft, move: Move) -> str:
    if move.topic not in draft.order:
        return f'no topic of the edition is called "{move.topic}"'
    for listed in draft.order.values():
        if move.story in listed:
            listed.remove(move.story)
    target = draft.order[move.topic]
    target.insert(target.index(move.before) if move.before in target else len(target), move.story)
    draft.stories[move.story] = _placed(draft, draft.stories[move.story], move.topic)
    return ""


def _placed(draft: Draft, story: Story, topic: str) -> Story:
    """Return a story under a topic; its former topic claims it still, so that no reader loses it."""
    source = draft.source[story.id]
    if topic == source.topic:
        return replace(story, topic=topic, rule=source.rule, claims=source.claims)
    former = () if source.rule == CATCH_ALL_RULE else (Claim(topic=source.topic, rule=source.rule),)
    claims = tuple(each for each in (*former, *source.claims) if each.topic != topic)
    return replace(story, topic=topic, rule=_rule(draft, topic), claims=claims)


def _rule(draft: Draft, topic: str) -> str:
    catch_all = {CATCH_ALL, *(each.topic for each in draft.source.values() if each.rule == CATCH_ALL_RULE)}
    return CATCH_ALL_RULE if topic in catch_all else BY_HAND


# ── the posts of stories ────────────────────────────────────────────────────────────────────


def _split(draft: Draft, split: Split) -> str:
    place = draft.order[draft.stories[split.story].topic]
    at = place.index(split.story) + 1
    found = False
    for part in split.parts:
        holder = next((each for each in _members(draft, split.story) if _has(draft, each, part.id)), None)
        if holder is None or part.id == split.story:
            continue
        found = True
        if part.id == holder:  # it was merged into the story, and is itself again
            del draft.merged[holder]
        else:
            _split_off(draft, split.story, holder, part)
            place.insert(at, part.id)
            at += 1
        if split.story in draft.out:
            draft.out[part.id] = draft.out[split.story]
    return "" if found else "its posts are not in one story any more"


def _members(draft: Draft, story_id: str) -> Iterator[str]:
    """Yield a story and all that were merged into it."""
    yield story_id
    for each, into in draft.merged.items():
        if into == story_id:
            yield from _members(draft, each)


def _has(draft: Draft, story_id: str, post_id: str) -> bool:
    return post_id in draft.stories[story_id].post_ids


def _split_off(draft: Draft, story_id: str, holder: str, part: Story) -> None:
    """Make a story of its own of a post, under the topic of the story with which it was shown."""
    placing = draft.source[story_id]
    draft.source[part.id] = replace(part, topic=placing.topic, rule=placing.rule, claims=placing.claims)
    draft.stories[holder] = _without(draft.stories[holder], part)
    draft.stories[part.id] = _placed(draft, draft.source[part.id], draft.stories[story_id].topic)


def _without(story: Story, part: Story) -> Story:
    shown = Source(name=part.source, url=part.url)
    return replace(
        story,
        post_ids=tuple(each for each in story.post_ids if each != part.id),
        coverage=tuple(each for each in story.coverage if each.post_id != part.id),
        also=tuple(each for each in story.also if each != shown),
    )


def _merge(draft: Draft, merge: Merge) -> str:
    if merge.into not in draft.stories:
        return "the story into which it was merged is not in the edition"
    into = draft.shown(merge.into)
    if into == merge.story:
        return "a story cannot be merged into itself"
    draft.merged[merge.story] = into
    draft.out.pop(merge.story, None)
    if draft.lead == merge.story:
        draft.lead = into
    return ""


def _joined(story: Story, other: Story) -> Story:
    """Return a story with the posts of another one, whose topics claim it too."""
    headline = Coverage(post_id=other.id, title=other.title, source=other.source, url=other.url)
    also = (each for each in other.also if each.name != story.source)
    former = () if other.rule == CATCH_ALL_RULE else (Claim(topic=other.topic, rule=other.rule),)
    claims = tuple(each for each in (*former, *other.claims) if each.topic not in story.topics)
    return replace(
        story,
        post_ids=(*story.post_ids, *other.post_ids),
        coverage=(*story.coverage, headline, *other.coverage),
        also=tuple(dict.fromkeys((*story.also, *also))),
        tags=tuple(dict.fromkeys((*story.tags, *other.tags))),
        claims=(*story.claims, *claims),
    )
