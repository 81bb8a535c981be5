"""Find the posts that a digest has published before, so that it does not repeat them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, case, or_, select

from digest.model.posts import DROPPED_BY, Post, PostState, PublishedPost, WaitingPost
from digest.storage.tables.editions import editions
from digest.storage.tables.posts import digest_posts, feeds, posts

_LINKS_PER_QUERY = 500


def published_posts(
    connection: Connection, digest: str, links: Collection[str], since: datetime
) -> tuple[PublishedPost, ...]:
    """Return the posts of editions of `digest` that new posts may repeat: used, reserved, or dropped there.

    These are posts with one of `links` (canonical, see `digest.model.links`), however old, and posts first
    seen at `since` or later. Posts that an editor has dropped count from `since` on. Each post has only the
    fields that are compared: feed, title, text, link and times. A post whose headline has changed since then
    is also returned as it was published, because another feed may still have its first headline.
    """
    ordered = sorted(links)
    parts = (ordered[at : at + _LINKS_PER_QUERY] for at in range(0, len(ordered), _LINKS_PER_QUERY))
    conditions = [_new_since(since), *(posts.c.canonical_url.in_(part) for part in parts)]
    rows = {
        row.id: row
        for each in conditions
        for row in connection.execute(_published(digest, since).where(each))
    }
    now = [_published_post(rows[post_id]) for post_id in sorted(rows)]
    recent = {
        rows[each.waiting.post.id].edition_id for each in now if each.waiting.post.first_seen_at >= since
    }
    headlines = _headlines(connection, recent)
    return (*now, *(before for each in now if (before := _before(each, headlines))))


def _headlines(connection: Connection, edition_ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return the title and text with which each story of these editions was frozen, by its first post."""
    frozen = select(editions.c.snapshot).where(editions.c.id.in_(edition_ids))
    headlines: dict[str, tuple[str, str]] = {}
    for snapshot in connection.scalars(frozen):
        with suppress(ValueError, KeyError, TypeError):  # a damaged edition is reported elsewhere
            # Only two fields are needed, so the edition is not made from the snapshot.
            data = json.loads(snapshot)
            sections = [story for each in data["sections"] for story in (*each["stories"], *each["more"])]
            stories = [*sections, *([data["lead"]] if data["lead"] else [])]
            headlines |= {story["id"]: (story["title"], story["blurb"]) for story in stories}
    return headlines


def _before(published: PublishedPost, headlines: Mapping[str, tuple[str, str]]) -> PublishedPost | None:
    """Return a post as it was published, or None if it is the same now."""
    post = published.waiting.post
    title, blurb = headlines.get(post.id, (post.title, post.blurb))
    if (title, blurb) == (post.title, post.blurb):
        return None
    first = replace(post, title=title, blurb=blurb)
    return replace(published, waiting=replace(published.waiting, post=first))


def _new_since(since: datetime) -> ColumnElement[bool]:
    return or_(posts.c.first_seen_at >= since, digest_posts.c.state == PostState.DROPPED)


def _published(digest: str, since: datetime) -> Select[Any]:
    dropped = (
        (digest_posts.c.state == PostState.DROPPED)
        & digest_posts.c.reason.startswith(DROPPED_BY)
        & (digest_posts.c.changed_at >= since)
    )
    published = or_(digest_posts.c.state.in_((PostState.USED, PostState.RESERVED)), dropped)
    why = case((dropped, digest_posts.c.reason), else_="").label("why")
    return (
        select(posts, feeds.c.name.label("feed_name"), digest_posts.c.edition_id, why)
        .join_from(digest_posts, posts)
        .join(feeds)
        .where(digest_posts.c.digest == digest, published, digest_posts.c.edition_id.is_not(None))
    )


def _published_post(row: Row[Any]) -> PublishedPost:
    post = Post(
        id=row.id,
        feed_id=row.feed_id,
        key=row.key,
        title=row.title,
        blurb=row.blurb,
        url=row.url,
        published_at=row.published_at,
        first_seen_at=row.first_seen_at,
        fingerprint=row.fingerprint,
        language=row.language,
    )
    waiting = WaitingPost(post=post, feed_name=row.feed_name)
    return PublishedPost(waiting=waiting, edition_id=row.edition_id, reason=row.why)
