"""Compare an edition with its posts as they are now, and put their new words into it, or take stories out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from digest.model.editions import Edition, Section, Story
from digest.model.posts import GONE, GONE_AFTER, KnownPost, Post, shown_via
from digest.model.snapshot import prominence


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryChange:
    """A change of a story since its edition was frozen; `story` has the new words.

    `gone` is the reason why the story should not be mailed at all; the words are the old ones then.
    """

    story: Story
    before: Story
    gone: str = ""

    @property
    def text(self) -> str:
        """Return the change in words."""
        title = f'"{self.before.title}"'
        if self.gone:
            return f"{title} should be taken out: {self.gone}"
        if self.story.title != self.before.title:
            return f'{title} has changed since the cutoff: it is now "{self.story.title}"'
        return f"{title} has changed since the cutoff: {', '.join(_what(self.before, self.story))}"


def changes_of(edition: Edition, posts: Mapping[str, KnownPost]) -> tuple[StoryChange, ...]:
    """Return the stories whose posts have changed or are gone; `posts` are those of the edition, by id."""
    changes = (_change(story, posts) for story in edition.stories())
    return tuple(change for change in changes if change)


def revised(edition: Edition, changes: Collection[StoryChange]) -> Edition | None:
    """Return the edition with the new words and without the stories that are gone; None if none is left."""
    new = {change.before.id: change.story for change in changes if not change.gone}
    gone = {change.before.id for change in changes if change.gone}
    sections = tuple(_section(section, new, gone) for section in edition.sections)
    lead = edition.lead and new.get(edition.lead.id, edition.lead)
    if lead and lead.id in gone:
        # The most prominent of the other stories takes its place, as in `digest.model.snapshot.choose`.
        others = [story for each in sections for story in (*each.stories, *each.more)]
        lead = min(others, key=prominence) if others else None
        sections = tuple(_section(section, {}, {lead.id} if lead else set()) for section in sections)
    left = tuple(section for section in sections if section.stories or section.more)
    return replace(edition, lead=lead, sections=left) if lead or left else None


def without_posts(edition: Edition, post_ids: Collection[str], reason: str) -> tuple[StoryChange, ...]:
    """Return the changes that take out every story with one of these posts.

    A post that is only the coverage of a story is taken out of the coverage.
    """
    changes = []
    for story in edition.stories():
        listed = {each.post_id for each in story.coverage}
        if not (set(story.post_ids) - listed).isdisjoint(post_ids):
            changes.append(StoryChange(story=story, before=story, gone=reason))
        elif not listed.isdisjoint(post_ids):
            changes.append(StoryChange(story=_without(story, post_ids), before=story))
    return tuple(changes)


def _without(story: Story, post_ids: Collection[str]) -> Story:
    """Return a story without the other headlines of these posts, which another edition may take then."""
    return replace(
        story,
        coverage=tuple(each for each in story.coverage if each.post_id not in post_ids),
        post_ids=tuple(each for each in story.post_ids if each not in post_ids),
    )


def _change(story: Story, posts: Mapping[str, KnownPost]) -> StoryChange | None:
    known = posts.get(story.id)
    if known and known.missed >= GONE_AFTER:
        return StoryChange(story=story, before=story, gone=GONE)
    new = _with_coverage(_with_words(story, known.post) if known else story, posts)
    return StoryChange(story=new, before=story) if _what(story, new) else None


def _with_coverage(story: Story, posts: Mapping[str, KnownPost]) -> Story:
    """Return a story with its other headlines as they are now, and without those that are gone."""
    listed = {each.post_id: posts[each.post_id] for each in story.coverage if each.post_id in posts}
    gone = [post_id for post_id, known in listed.items() if known.missed >= GONE_AFTER]
    new = tuple(
        replace(each, title=listed[each.post_id].post.title, url=listed[each.post_id].post.url)
        if each.post_id in listed
        else each
        for each in story.coverage
    )
    return _without(replace(story, coverage=new), gone)


def _with_words(story: Story, post: Post) -> Story:
    return replace(
        story,
        title=post.title,
        blurb=post.blurb,
        url=post.url,
        author=post.author,
        image=post.image,
        published_at=post.published_at,
        via=shown_via(post, story.source),
    )


def _what(before: Story, after: Story) -> list[str]:
    """Return the names of the parts that a reader would see changed."""
    pictures = [each.image.url.partition("?")[0] if each.image else None for each in (before, after)]
    parts = {
        "headline": before.title != after.title,
        "text": before.blurb != after.blurb,
        "link": before.url != after.url,
        "author": before.author != after.author,
        "source": before.via != after.via,
        "headlines of other feeds": before.coverage != after.coverage,
        "picture": pictures[0] != pictures[1],  # sizes and signatures after the "?" change every day
    }
    return [name for name, differs in parts.items() if differs]


def _section(section: Section, new: Mapping[str, Story], gone: Collection[str]) -> Section:
    """Return a section with new words and without stories; a headline takes the place of a full story."""
    every = [new.get(story.id, story) for story in (*section.stories, *section.more)]
    left = tuple(story for story in every if story.id not in gone)
    full = len(section.stories)
    return replace(section, stories=left[:full], more=left[full:])
