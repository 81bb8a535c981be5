"""The posts of one story, the post that is shown, and the story that a reader sees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from digest.model.editions import Claim, Source, Story
from digest.model.posts import WaitingPost
from digest.model.tags import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The posts of one story; the first is shown, and the others become "also in …"."""

    posts: tuple[WaitingPost, ...]

    @property
    def id(self) -> str:
        """Return the id that the story will have, which is the id of its first post."""
        return self.posts[0].post.id

    @property
    def at(self) -> datetime:
        """Return the time of the post that is shown."""
        return dated_at(self.posts[0])

    @property
    def feeds(self) -> tuple[str, ...]:
        """Return the names of the feeds that cover the story, each once."""
        return tuple(dict.fromkeys(waiting.feed_name for waiting in self.posts))

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the tags of all posts, each in its first spelling."""
        spellings: dict[str, str] = {}
        for waiting in self.posts:
            for tag in waiting.post.tags:
                spellings.setdefault(fold(tag), tag)
        return tuple(spellings.values())


def dated_at(waiting: WaitingPost) -> datetime:
    """Return the time when a post was published, or first seen if that is earlier or there is no date."""
    post = waiting.post
    return min(post.published_at or post.first_seen_at, post.first_seen_at)


def newest_first(group: Group) -> tuple[float, str]:
    """Return a key that sorts groups, the newest first; the order is always the same."""
    return -group.at.timestamp(), group.id


def group_of(posts: Iterable[WaitingPost]) -> Group:
    """Return the story that `posts` tell, with the post first that serves a reader best."""
    return Group(posts=tuple(sorted(posts, key=shown_first)))


def shown_first(waiting: WaitingPost) -> tuple[bool, bool, bool, datetime, str]:
    """Return the sort key for the post that is shown: with a link, a picture, a blurb, then the earliest."""
    post = waiting.post
    return post.url is None, post.image is None, not post.blurb, dated_at(waiting), post.id


def to_story(group: Group, *, topic: str, rule: str, claims: tuple[Claim, ...] = ()) -> Story:
    """Return `group` as a story under `topic`, placed there by `rule`; `claims` are those of other topics."""
    shown = group.posts[0]
    links = {each.feed_name: each.post.url for each in reversed(group.posts[1:])}
    return Story(
        id=group.id,
        title=shown.post.title,
        blurb=shown.post.blurb,
        url=shown.post.url,
        source=shown.feed_name,
        author=shown.post.author,
        published_at=shown.post.published_at,
        image=shown.post.image,
        tags=group.tags,
        topic=topic,
        rule=rule,
        also=tuple(Source(name=name, url=links[name]) for name in group.feeds[1:]),
        post_ids=tuple(each.post.id for each in group.posts),
        claims=claims,
        via=shown.post.via,
    )
