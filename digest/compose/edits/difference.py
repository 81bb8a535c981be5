"""Say in words how one snapshot differs from another: stories, their places and words, and the other words.

    which stories are only in one?            → added, removed
    which stand under another topic, or lead? → moved
    which stand elsewhere under their topic?  → moved; as few as possible
    whose words or other parts differ?        → rewritten, with both texts
    what else differs?                        → subject, introduction, topics, sponsor, everything else

Two editions without a difference are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import SequenceMatcher

from digest.model.editions import Edition, Section, Story
from digest.model.publication import Sponsor

_SHORT = 90  # characters of a headline in a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference, as a sentence; if words differ, `before` and `after` are both texts."""

    text: str
    before: str = ""
    after: str = ""


# The fields of a story that have a text, and those that have none; the others are told by its place.
_TEXTS: Mapping[str, str] = {"title": "headline", "blurb": "text", "note": "note"}
_PARTS: Mapping[str, str] = {
    "url": "link",
    "source": "source",
    "author": "author",
    "published_at": "time",
    "image": "picture",
    "tags": "tags",
    "also": "other sources",
    "post_ids": "posts",
    "via": "first publication",
    "coverage": "headlines of other feeds",
}
_PLACED: Mapping[str, str] = {"rule": "rule", "claims": "list of other topics"}  # follow a move
_LINES: Mapping[str, str] = {
    "subject_template": "subject",
    "preheader_template": "preheader",
    "introduction": "introduction",
    "signed": "signature",
    "title": "title of the edition",
}
# Fields that are compared with the stories and their topics.
_ARRANGED = frozenset({"lead", "sections", "headings"})
_NAMES: Mapping[str, str] = {
    "id": "name",
    "local_date": "date",
    "cutoff_at": "cutoff",
    "send_at": "send time",
    "site": "publisher or brand",
    "reply_to": "address for replies",
    "next_at": "time of the next edition",
    "every": "frequency",
}


def differences(before: Edition, after: Edition) -> tuple[Difference, ...]:
    """Return what `after` has that `before` has not, and the other way round; empty if they are equal."""
    if before == after:
        return ()
    found = (*_coming_and_going(before, after), *_moves(before, after), *_words(before, after))
    found = (*found, *_topics(before, after), *_rest(before, after))
    return found or (Difference(text="The arrangement has changed."),)


def _coming_and_going(before: Edition, after: Edition) -> Iterator[Difference]:
    old, new = _stories(before), _stories(after)
    for story_id in [each for each in new if each not in old]:
        yield Difference(text=f"{_name(new[story_id])} was added{_under(after, new[story_id])}.")
    for story_id in [each for each in old if each not in new]:
        yield Difference(text=f"{_name(old[story_id])} was taken out.")


def _moves(before: Edition, after: Edition) -> Iterator[Difference]:
    old, new = _places(before), _places(after)
    stories = _stories(after)
    moved = {each for each in old if each in new and old[each] != new[each]}
    for story_id in [each for each in new if each in moved]:
        yield Difference(text=f"{_name(stories[story_id])} {_move(old[story_id], new[story_id], after)}.")
    if before.lead and after.lead is None:
        yield Difference(text="There is no lead any more.")
    for section in after.sections:
        yield from _order(_section(before, section.slug), section)


def _move(old: str, new: str, after: Edition) -> str:
    if not new:
        return "became the lead"
    back = "" if old else ", and leads no more"
    return f"was moved to {_title(after, new)}{back}"


def _order(old: Section | None, new: Section) -> Iterator[Difference]:
    """Yield the fewest stories whose moves explain the order under a topic, and changes of what is shown."""
    if old is None:
        return
    shared = {each.id for each in _all(old)} & {each.id for each in _all(new)}
    a, b = ([each.id for each in _all(section) if each.id in shared] for section in (old, new))
    stays = {b[at] for block in SequenceMatcher(None, a, b, False).get_matching_blocks()
             for at in range(block.b, block.b + block.size)}  # fmt: skip
    full = {each.id for each in old.stories}
    for place, story in enumerate(_all(new), start=1):
        if story.id in shared and story.id not in stays:
            text = f"{_name(story)} was moved within {new.title or new.slug}: it is now number {place}."
            yield Difference(text=text)
        elif story.id in shared and (story.id in full) != (story in new.stories):
            shown = "in full" if story in new.stories else "only as a headline"
            yield Difference(text=f"{_name(story)} is now shown {shown}.")


def _words(before: Edition, after: Edition) -> Iterator[Difference]:
    old, places = _stories(before), (_places(before), _places(after))
    for story_id, story in _stories(after).items():
        if story_id not in old:
            continue
        for field, noun in _TEXTS.items():
            yield from _text(f"The {noun} of {_name(old[story_id])}", *_pair(old[story_id], story, field))
        moved = old[story_id].topic != story.topic
        parts = {**_PARTS, **({} if moved else _PLACED)}
        changed = [noun for field, noun in parts.items() if _differs(old[story_id], story, field)]
        if moved and places[0].get(story_id) == places[1][story_id]:
            yield Difference(text=f"{_name(story)} belongs to {_title(after, story.topic)} now.")
        if changed:
            yield Difference(text=f"{_name(old[story_id])} has another {_list(changed)}.")


def _topics(before: Edition, after: Edition) -> Iterator[Difference]:
    old, new = _titles(before), _titles(after)
    for slug in [each for each in new if each in old and old[each] != new[each]]:
        yield from _text("The title of a topic", old[slug], new[slug])
    shared = [slug for slug in _slugs(before) if slug in _slugs(after)]
    if shared != [slug for slug in _slugs(after) if slug in shared]:
        yield Difference(text="The topics stand in another order.")
    rest = [(each.slug, each.quota, each.section, each.colour) for each in before.headings]
    if rest != [(each.slug, each.quota, each.section, each.colour) for each in after.headings] or [
        each.colour for each in before.sections if each.slug in shared
    ] != [each.colour for each in after.sections if each.slug in shared]:
        yield Difference(text="The topics that readers can choose, or their colours, have changed.")


def _rest(before: Edition, after: Edition) -> Iterator[Difference]:
    for field, noun in _LINES.items():
        yield from _text(f"The {noun}", *_pair(before, after, field))
    yield from _text("The sponsor", _advertisement(before.sponsor), _advertisement(after.sponsor))
    told = {*_LINES, *_ARRANGED, "sponsor"}
    for each in fields(Edition):
        if each.name not in told and _differs(before, after, each.name):
            noun = _NAMES.get(each.name, each.name.replace("_", " "))
            yield Difference(text=f"The {noun} has changed.")


def _text(what: str, before: str, after: str) -> Iterator[Difference]:
    if before == after:
        return
    verb = "was added" if not before else "was removed" if not after else "was rewritten"
    yield Difference(text=f"{what} {verb}.", before=before, after=after)


# ── looking at editions ─────────────────────────────────────────────────────────────────────


def _stories(edition: Edition) -> dict[str, Story]:
    return {story.id: story for story in edition.stories()}


def _places(edition: Edition) -> dict[str, str]:
    """Return the topic under which each story stands; empty for the lead."""
    lead = {edition.lead.id: ""} if edition.lead else {}
    return lead | {story.id: section.slug for section in edition.sections for story in _all(section)}


def _section(edition: Edition, slug: str) -> Section | None:
    return next((each for each in edition.sections if each.slug == slug), None)


def _all(section: Section) -> tuple[Story, ...]:
    return (*section.stories, *section.more)


def _slugs(edition: Edition) -> list[str]:
    return [section.slug for section in edition.sections]


def _titles(edition: Edition) -> dict[str, str]:
    headings = {each.slug: each.title for each in edition.headings}
    return headings | {each.slug: each.title for each in edition.sections}


def _title(edition: Edition, slug: str) -> str:
    return _titles(edition).get(slug) or slug


def _under(edition: Edition, story: Story) -> str:
    if edition.lead and edition.lead.id == story.id:
        return " as the lead"
    return f" under {_title(edition, _places(edition)[story.id])}"


def _name(story: Story) -> str:
    title = story.title if len(story.title) <= _SHORT else f"{story.title[: _SHORT - 1].rstrip()}…"
    return f"“{title}”"


def _pair(before: object, after: object, field: str) -> tuple[str, str]:
    return str(getattr(before, field)), str(getattr(after, field))


def _differs(before: object, after: object, field: str) -> bool:
    return bool(getattr(before, field) != getattr(after, field))


def _advertisement(sponsor: Sponsor | None) -> str:
    if sponsor is None:
        return ""
    return " · ".join(part for part in (sponsor.name, sponsor.text, sponsor.link, sponsor.url) if part)


def _list(nouns: Sequence[str]) -> str:
    return " and ".join(", ".join(nouns).rsplit(", ", 1))
