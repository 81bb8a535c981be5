"""Save what an editor decides about posts: to keep them, to drop them, or to write one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from digest.model.posts import BY_EDITOR, DESK, KEPT, Arrival, Fate, Intake, KnownPost, Post, PostState
from digest.storage.intake.save import WAITS, save_intake
from digest.storage.posts import POST_COLUMNS, batches, post_of
from digest.storage.tables.posts import digest_posts, feeds, posts
from subscribers.store.tables import upsert

_TWO = 2  # posts whose ids begin alike are enough to know that the beginning is not enough


def held_by_feed(connection: Connection) -> dict[str, tuple[tuple[str, int], ...]]:
    """Return why posts are held and how many are, by the name of their feed."""
    held = (
        select(feeds.c.name, digest_posts.c.reason, func.count(digest_posts.c.post_id.distinct()))
        .join_from(digest_posts, posts)
        .join(feeds)
        .where(digest_posts.c.state == PostState.HELD)
        .group_by(feeds.c.name, digest_posts.c.reason)
        .order_by(feeds.c.name, digest_posts.c.reason)
    )
    found: dict[str, tuple[tuple[str, int], ...]] = {}
    for name, reason, count in connection.execute(held):
        found[name] = (*found.get(name, ()), (reason, count))
    return found


def held_posts(connection: Connection, feed: str) -> tuple[str, ...]:
    """Return the ids of the held posts of a feed, which is given by its name."""
    held = (
        select(posts.c.id)
        .distinct()
        .join_from(digest_posts, posts)
        .join(feeds)
        .where(feeds.c.name == feed, digest_posts.c.state == PostState.HELD)
    )
    return tuple(sorted(connection.scalars(held)))


def posts_beginning(connection: Connection, start: str) -> tuple[str, ...]:
    """Return the ids that begin so; two at most, because a decision needs exactly one."""
    found = select(posts.c.id).where(posts.c.id.startswith(start, autoescape=True)).order_by(posts.c.id)
    return tuple(connection.scalars(found.limit(_TWO)))


def posts_by_id(connection: Connection, ids: Collection[str]) -> dict[str, KnownPost]:
    """Return posts by their ids; ids that are not stored are left out."""
    query = select(*POST_COLUMNS, posts.c.place, posts.c.missed)
    rows = (
        row for part in batches(sorted(ids)) for row in connection.execute(query.where(posts.c.id.in_(part)))
    )
    return {row.id: KnownPost(post=post_of(row), place=row.place, missed=row.missed) for row in rows}


def keep_posts(connection: Connection, ids: Collection[str], now: datetime) -> int:
    """Let held and dropped posts wait, and return the number of posts; they are not missed any more."""
    for part in batches(sorted(ids)):
        connection.execute(update(posts).where(posts.c.id.in_(part)).values(missed=KEPT))
    return _set(
        connection, ids, (PostState.HELD, PostState.DROPPED), Fate(digest="", state=PostState.WAITING), now
    )


def drop_posts(connection: Connection, ids: Collection[str], now: datetime) -> int:
    """Drop posts that are not in an edition, and return their number."""
    return _set(connection, ids, WAITS, Fate(digest="", state=PostState.DROPPED, reason=BY_EDITOR), now)


def save_own(connection: Connection, post: Post, digest: str, now: datetime) -> None:
    """Save an editor's own story as a post of the desk's feed, which waits in one digest."""
    feed = upsert(connection, feeds).on_conflict_do_nothing()
    connection.execute(feed.values(id=DESK, name="", url="", status="new", next_fetch_at=now))
    waits = Fate(digest=digest, state=PostState.WAITING)
    save_intake(connection, Intake(arrivals=(Arrival(post=post, place=0, fates=(waits,)),)), now)


def editions_with(connection: Connection, ids: Collection[str]) -> tuple[str, ...]:
    """Return the ids of the editions in which the posts are reserved."""
    reserved = digest_posts.c.post_id.in_(sorted(ids)), digest_posts.c.state == PostState.RESERVED
    found = select(digest_posts.c.edition_id).distinct().where(*reserved)
    return tuple(sorted(filter(None, connection.scalars(found))))


def _set(
    connection: Connection, ids: Collection[str], before: Collection[PostState], fate: Fate, now: datetime
) -> int:
    changed: set[str] = set()
    values = {"state": fate.state, "reason": fate.reason, "held_until": None, "changed_at": now}
    for part in batches(sorted(ids)):
        step = update(digest_posts).where(digest_posts.c.post_id.in_(part), digest_posts.c.state.in_(before))
        changed.update(connection.scalars(step.values(values).returning(digest_posts.c.post_id)))
    return len(changed)
