"""List the posts of a digest in one state, page by page, and save what an editor decides about them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, update

from digest.model.posts import KEPT, Fate, PostState
from digest.storage.posts import batches
from digest.storage.tables.posts import digest_posts, feeds, posts


@dataclass(frozen=True, slots=True, kw_only=True)
class PostSearch:
    """The choice of posts that are listed. `before_at` leaves out those that were first seen later."""

    digest: str
    state: PostState
    words: tuple[str, ...] = ()  # each stands in the title, the blurb or the author
    feed: str = ""  # a name; empty: all
    before_at: datetime | None = None
    among: frozenset[str] | None = None  # ids; None: all


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPost:
    """A post in one state of one digest, as far as a list shows it."""

    id: str
    title: str
    blurb: str
    url: str | None
    feed: str
    reason: str
    edition_id: str | None
    held_until: datetime | None
    first_seen_at: datetime
    published_at: datetime | None


def list_posts(
    connection: Connection, search: PostSearch, *, skip: int, limit: int
) -> tuple[ListedPost, ...]:
    """Return a page of the posts, the newest first."""
    columns = (
        posts.c.id,
        posts.c.title,
        posts.c.blurb,
        posts.c.url,
        feeds.c.name.label("feed"),
        digest_posts.c.reason,
        digest_posts.c.edition_id,
        digest_posts.c.held_until,
        posts.c.first_seen_at,
        posts.c.published_at,
    )
    newest = _found(select(*columns), search).order_by(posts.c.first_seen_at.desc(), posts.c.id)
    return tuple(ListedPost(**row) for row in connection.execute(newest.offset(skip).limit(limit)).mappings())


def count_posts(connection: Connection, search: PostSearch) -> int:
    """Count the posts that a search finds."""
    return connection.scalar(_found(select(func.count()), search)) or 0


def feeds_in(connection: Connection, digest: str, state: PostState) -> tuple[tuple[str, int], ...]:
    """Return the names of the feeds with posts in a state, each with their number."""
    found = _found(select(feeds.c.name, func.count()), PostSearch(digest=digest, state=state))
    return tuple((name, count) for name, count in connection.execute(found.group_by(feeds.c.name)))


def reasons_in(connection: Connection, digest: str, state: PostState) -> tuple[tuple[str, str, int], ...]:
    """Return why the posts of each feed are in a state: the feed, the reason and the number of posts."""
    kind = feeds.c.name, digest_posts.c.reason
    found = _found(select(*kind, func.count()), PostSearch(digest=digest, state=state))
    rows = connection.execute(found.group_by(*kind).order_by(*kind))
    return tuple((feed, reason, count) for feed, reason, count in rows)


def set_fate(
    connection: Connection, ids: Collection[str], before: Collection[PostState], fate: Fate, now: datetime
) -> int:
    """Give posts of one digest another state, if they are in one of the states `before`; return how many.

    Posts that wait again are not missed any more, although they may be gone from their feeds.
    """
    values = {
        "state": fate.state,
        "reason": fate.reason,
        "held_until": fate.until,
        "edition_id": None,
        "changed_at": now,
    }
    changed: list[str] = []
    for part in batches(sorted(ids)):
        own = digest_posts.c.digest == fate.digest, digest_posts.c.state.in_(before)
        step = update(digest_posts).where(*own, digest_posts.c.post_id.in_(part))
        changed += connection.scalars(step.values(values).returning(digest_posts.c.post_id))
    if fate.state is PostState.WAITING:
        for part in batches(changed):
            connection.execute(update(posts).where(posts.c.id.in_(part)).values(missed=KEPT))
    return len(changed)


def changed_at(
    connection: Connection, digest: str, at: datetime, reasons: Collection[str]
) -> tuple[str, ...]:
    """Return the ids of the posts that changed at that moment for a reason that begins like one of these."""
    begins = or_(*(digest_posts.c.reason.startswith(each, autoescape=True) for each in sorted(reasons)))
    own = digest_posts.c.digest == digest, digest_posts.c.changed_at == at
    return tuple(connection.scalars(select(digest_posts.c.post_id).where(*own, begins)))


def newest_dropped(connection: Connection, digest: str, reason: str, limit: int) -> tuple[str, ...]:
    """Return the ids of the newest posts that were dropped for a reason, the newest first."""
    found = _found(select(posts.c.id), PostSearch(digest=digest, state=PostState.DROPPED))
    own = found.where(digest_posts.c.reason == reason)
    return tuple(connection.scalars(own.order_by(posts.c.published_at.desc(), posts.c.id).limit(limit)))


def ids_of(connection: Connection, search: PostSearch) -> tuple[str, ...]:
    """Return the ids of all posts that a search finds."""
    return tuple(connection.scalars(_found(select(posts.c.id), search)))


def _found(columns: Select[Any], search: PostSearch) -> Select[Any]:
    found = (
        columns.select_from(digest_posts)
        .join(posts, posts.c.id == digest_posts.c.post_id)
        .join(feeds, feeds.c.id == posts.c.feed_id)
        .where(digest_posts.c.digest == search.digest, digest_posts.c.state == search.state)
        .where(*(_has(word) for word in search.words))
    )
    if search.feed:
        found = found.where(feeds.c.name == search.feed)
    if search.before_at is not None:
        found = found.where(posts.c.first_seen_at < search.before_at)
    if search.among is not None:
        found = found.where(posts.c.id.in_(sorted(search.among)))
    return found


def _has(word: str) -> ColumnElement[bool]:
    """Return the condition that a post has a word; SQLite knows only the capitals of ASCII by itself."""
    spellings = {word, word.lower(), word.upper(), word.capitalize()}
    places = (posts.c.title, posts.c.blurb, posts.c.author)
    return and_(
        or_(*(place.icontains(each, autoescape=True) for each in sorted(spellings) for place in places))
    )
