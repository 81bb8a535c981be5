"""Store posts: each is saved once, when it is first seen, and has one state in each digest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, literal, or_, select, update

from digest.model.links import canonical_url
from digest.model.posts import Image, Post, PostState, WaitingPost
from digest.storage.tables import digest_posts, feeds, posts
from subscribers.store.tables import upsert

T = TypeVar("T")
_Row = Row[*tuple[Any, ...]]

BATCH = 500  # values in one IN; SQLite allows 32,766 parameters in a statement
_LIKE_LIMIT = 5_000  # because a feed may give all its posts the same link

_POST = (
    posts.c.id,
    posts.c.feed_id,
    posts.c.key,
    posts.c.url,
    posts.c.title,
    posts.c.blurb,
    posts.c.author,
    posts.c.language,
    posts.c.image,
    posts.c.tags,
    posts.c.published_at,
    posts.c.first_seen_at,
    posts.c.fingerprint,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The number of posts that were seen for the first time, and of posts that had changed."""

    new: int
    updated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRow:
    """A post with the name of its feed and its state in each digest: (slug, state, reason)."""

    post: Post
    feed_name: str
    states: tuple[tuple[str, PostState, str], ...]


def save_posts(
    connection: Connection, seen: Sequence[Post], digest_slugs: Collection[str], now: datetime
) -> Saved:
    """Save new posts as waiting in each of the digests, and update changed posts.

    A post is recognised by its feed and key, else by its id. The time it was first seen never changes.
    """
    known = _known(connection, seen)
    new = [post for post in seen if _row_of(post, known) is None]
    pairs = [(post, row) for post in seen if (row := _row_of(post, known))]
    edited = [(post, row) for post, row in pairs if row.fingerprint != post.fingerprint]
    renamed = [
        (post, row) for post, row in pairs if row.fingerprint == post.fingerprint and row.key != post.key
    ]
    _change(connection, [(post, row.id) for post, row in (*edited, *renamed)], now)
    ids = _insert(connection, new, now)
    _wait(connection, [(slug, post_id) for slug in digest_slugs for post_id in ids], now)
    return Saved(new=len(ids), updated=len(edited))


def posts_like(connection: Connection, feed_id: str, seen: Sequence[Post]) -> tuple[Post, ...]:
    """Return the saved posts of a feed that share a key or a link with one of `seen`."""
    keys = [post.key for post in seen]
    links = [canonical_url(post.url) for post in seen if post.url]
    conditions = [posts.c.key.in_(part) for part in _batches(keys)]
    conditions += [posts.c.canonical_url.in_(part) for part in _batches(links)]
    query = select(*_POST).where(posts.c.feed_id == feed_id).limit(_LIKE_LIMIT)
    found = (row for condition in conditions for row in connection.execute(query.where(condition)))
    return tuple({row.id: _post(row) for row in found}.values())


def enlist(
    connection: Connection, digest_slug: str, feed_ids: Sequence[str], since: datetime, now: datetime
) -> None:
    """Add posts first seen at `since` or later to a digest that has just begun to take their feeds.

    Posts that are in that digest already, in any state, are left as they are.
    """
    chosen = select(
        literal(digest_slug),
        posts.c.id,
        literal(PostState.WAITING.value),
        literal(now, digest_posts.c.changed_at.type),
    ).where(posts.c.first_seen_at >= since, posts.c.feed_id.in_(feed_ids))
    names = ["digest", "post_id", "state", "changed_at"]
    connection.execute(upsert(connection, digest_posts).from_select(names, chosen).on_conflict_do_nothing())


def waiting_posts(connection: Connection, digest_slug: str) -> tuple[WaitingPost, ...]:
    """Return the posts that a digest has not used yet, however old, in the order they were first seen."""
    query = (
        _with_feed()
        .join(digest_posts, digest_posts.c.post_id == posts.c.id)
        .where(digest_posts.c.digest == digest_slug, digest_posts.c.state == PostState.WAITING)
        .order_by(posts.c.first_seen_at, posts.c.id)
    )
    return tuple(WaitingPost(post=_post(row), feed_name=row.feed_name) for row in connection.execute(query))


def latest_post(connection: Connection) -> datetime | None:
    """Return when a post was last seen for the first time; None if there is no post."""
    latest: datetime | None = connection.scalar(select(func.max(posts.c.first_seen_at)))
    return latest


def seen_after(connection: Connection, limit: datetime) -> tuple[int, int]:
    """Count the dated posts that were first seen later than `limit`: published before it, and after it."""
    later = func.count().filter(posts.c.published_at > limit, posts.c.published_at <= posts.c.first_seen_at)
    dated = posts.c.first_seen_at > limit, posts.c.published_at.is_not(None)
    all_of_them, after = connection.execute(select(func.count(), later).where(*dated)).one()
    return all_of_them - after, after


def date_back_posts(connection: Connection, limit: datetime, now: datetime) -> int:
    """Date posts that were first seen later than `limit` as first seen `now`; return how many."""
    ahead = update(posts).where(posts.c.first_seen_at > limit)
    return connection.execute(ahead.values(first_seen_at=now)).rowcount


def recent_posts(
    connection: Connection,
    limit: int,
    feed: str | None = None,
    digest: str | None = None,
    state: PostState | None = None,
) -> tuple[PostRow, ...]:
    """Return the posts seen last, newest first; optionally of one feed (name), digest (slug) or state."""
    query = _with_feed().order_by(posts.c.first_seen_at.desc(), posts.c.id).limit(limit)
    if feed is not None:
        query = query.where(feeds.c.name == feed)
    if digest is not None or state is not None:
        query = query.where(posts.c.id.in_(_in_state(digest, state)))
    rows = connection.execute(query).all()
    states = _states(connection, [row.id for row in rows])
    return tuple(
        PostRow(post=_post(row), feed_name=row.feed_name, states=tuple(states[row.id])) for row in rows
    )


def set_posts(
    connection: Connection,
    digest_slug: str,
    states: Mapping[str, tuple[PostState, str]],
    edition_id: str | None,
    now: datetime,
) -> None:
    """Set the states of posts in one digest, each with its reason; `edition_id` names their edition."""
    if not states:
        return
    one = update(digest_posts).where(
        digest_posts.c.digest == digest_slug, digest_posts.c.post_id == bindparam("of_post")
    )
    values = [
        {"of_post": post_id, "state": state, "reason": reason, "edition_id": edition_id, "changed_at": now}
        for post_id, (state, reason) in states.items()
    ]
    connection.execute(one, values)


def _known(connection: Connection, seen: Sequence[Post]) -> dict[object, _Row]:
    """Return the rows of the saved posts among `seen`, by (feed, key) and by id."""
    known: dict[object, _Row] = {}
    query = select(posts.c.id, posts.c.feed_id, posts.c.key, posts.c.fingerprint)
    for part in _batches(seen):
        same_key = posts.c.key.in_([post.key for post in part])
        same_feed = posts.c.feed_id.in_({post.feed_id for post in part})
        same_id = posts.c.id.in_([post.id for post in part])
        for row in connection.execute(query.where(or_(same_id, same_feed & same_key))):
            known[row.id] = known[row.feed_id, row.key] = row
    return known


def _row_of(post: Post, known: Mapping[object, _Row]) -> _Row | None:
    return known.get((post.feed_id, post.key)) or known.get(post.id)


def _insert(connection: Connection, new: Sequence[Post], now: datetime) -> list[str]:
    """Insert posts; return the ids of those that another node has not inserted in the meantime."""
    if not new:
        return []
    rows = [
        {**_values(post), "id": post.id, "first_seen_at": post.first_seen_at, "updated_at": now}
        for post in new
    ]
    return list(
        connection.scalars(upsert(connection, posts).on_conflict_do_nothing().returning(posts.c.id), rows)
    )


def _change(connection: Connection, changed: Sequence[tuple[Post, str]], now: datetime) -> None:
    if changed:
        rows = [{**_values(post), "row_id": row_id, "updated_at": now} for post, row_id in changed]
        connection.execute(update(posts).where(posts.c.id == bindparam("row_id")), rows)


def _wait(connection: Connection, pairs: Sequence[tuple[str, str]], now: datetime) -> None:
    if pairs:
        rows = [
            {"digest": slug, "post_id": post_id, "state": PostState.WAITING, "changed_at": now}
            for slug, post_id in pairs
        ]
        connection.execute(upsert(connection, digest_posts).on_conflict_do_nothing(), rows)


def _values(post: Post) -> dict[str, object]:
    """Return the columns of a post that may change."""
    return {
        "feed_id": post.feed_id,
        "key": post.key,
        "url": post.url,
        "canonical_url": canonical_url(post.url) if post.url else None,
        "title": post.title,
        "blurb": post.blurb,
        "author": post.author,
        "language": post.language,
        "image": asdict(post.image) if post.image else None,
        "tags": list(post.tags),
        "published_at": post.published_at,
        "fingerprint": post.fingerprint,
    }


def _post(row: _Row) -> Post:
    values = {column.name: getattr(row, column.name) for column in _POST}
    image = Image(**row.image) if row.image else None
    return Post(**{**values, "image": image, "tags": tuple(row.tags)})


def _with_feed() -> Select[Any]:
    return select(*_POST, feeds.c.name.label("feed_name")).join(feeds, feeds.c.id == posts.c.feed_id)


def _in_state(digest: str | None, state: PostState | None) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = []
    if digest is not None:
        conditions.append(digest_posts.c.digest == digest)
    if state is not None:
        conditions.append(digest_posts.c.state == state)
    return select(digest_posts.c.post_id).where(*conditions)


def _states(connection: Connection, ids: Sequence[str]) -> defaultdict[str, list[tuple[str, PostState, str]]]:
    states: defaultdict[str, list[tuple[str, PostState, str]]] = defaultdict(list)
    query = select(digest_posts).order_by(digest_posts.c.digest)
    for part in _batches(ids):
        for row in connection.execute(query.where(digest_posts.c.post_id.in_(part))):
            states[row.post_id].append((row.digest, PostState(row.state), row.reason))
    return states


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
