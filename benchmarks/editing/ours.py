"""Let the program itself plan an edition, and read from it where each post stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations
from typing import Any

from benchmarks.editing.happenings import Pair
from benchmarks.editing.labelled import Blog, LabelledPost
from digest.compose.plan import PlanInput, plan
from digest.compose.sections.headings import Past
from digest.compose.sections.learning import LEARNED
from digest.model.editions import Due, Edition, Story
from digest.model.publication import CATCH_ALL, Digest, Feed, Site

ALL = 10_000  # stories at most, so that nothing is cut and every post is measured
_SITE = Site(
    name="Harbour Papers", base_url="https://papers.example.org", postal_address="1 Quay, Port Ellis"
)
_DIGEST = Digest(
    slug="daily",
    title="The Daily",
    schedule="every day at 07:00",
    sender="Harbour Papers <daily@example.org>",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The history before an edition: all posts until then, and the headings of the last edition."""

    posts: Blog = ()
    headings: Sequence[str] = ()  # slugs, the largest first


_NOTHING = Known()


def compose(
    posts: Sequence[LabelledPost], known: Known = _NOTHING, *, maximum: int = ALL, **fields: Any
) -> Edition:
    """Return the edition of `posts`, composed a minute after the last; `fields` are of `PlanInput`."""
    cutoff_at = max(post.at for post in posts) + timedelta(minutes=1)
    due = Due(local_date=cutoff_at.date(), cutoff_at=cutoff_at, send_at=cutoff_at + timedelta(minutes=30))
    digest = replace(_DIGEST, maximum=maximum)
    given: dict[str, Any] = {"feeds": _feeds(posts), "past": _past(known)} | fields
    waiting = [post.waiting() for post in posts]
    made = plan(waiting, (), PlanInput(digest=digest, site=_SITE, due=due, **given))
    assert made.edition is not None, made.reason
    return made.edition


def headings(edition: Edition) -> dict[str, str]:
    """Return the slug of the heading above each post, by the post's id; posts in the rest are left out."""
    found = {
        post_id: section.slug
        for section in edition.sections
        for story in (*section.stories, *section.more)
        for post_id in story.post_ids
    }
    if edition.lead:
        found |= dict.fromkeys(edition.lead.post_ids, edition.lead.topic)
    return {post_id: heading for post_id, heading in found.items() if heading != CATCH_ALL}


def hidden(edition: Edition) -> set[Pair]:
    """Return the pairs of posts of which one stands behind "also in"."""
    return {frozenset(pair) for story in edition.stories() for pair in combinations(_hidden(story), 2)}


def joined(edition: Edition) -> set[Pair]:
    """Return the pairs of posts that stand together as one story, hidden or with both headlines."""
    return {frozenset(pair) for story in edition.stories() for pair in combinations(story.post_ids, 2)}


def covers(story: Story | None, posts: Sequence[LabelledPost]) -> bool:
    """Return whether the story is made of most of the `posts`."""
    together = story.post_ids if story else ()
    return sum(post.id in together for post in posts) * 2 > len(posts)


def _feeds(posts: Sequence[LabelledPost]) -> list[Feed]:
    names = sorted({post.feed for post in posts})
    return [Feed(name=name, url="https://example.org/feed") for name in names]


def _past(known: Known) -> Past:
    tags: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for post in reversed(known.posts):
        tags[post.feed].append(post.tags)
    return Past(tags={feed: lists[:LEARNED] for feed, lists in tags.items()}, headings=known.headings)


def _hidden(story: Story) -> tuple[str, ...]:
    """Return the posts of a story without those whose headlines are listed under it."""
    listed = {each.post_id for each in story.coverage}
    return tuple(post_id for post_id in story.post_ids if post_id not in listed)
