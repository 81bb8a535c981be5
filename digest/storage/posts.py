"""Store posts: each is saved once, when it is first seen, and has one state in each digest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    bindparam,
    cast,
    func,
    or_,
    select,
    update,
)

from digest.model.links import canonical_url
from digest.model.posts import (
    DROPPED_BY,
    GONE_AFTER,
    Candidate,
    Image,
    Post,
    PostState,
    Via,
    WaitingPost,
    is_own,
)
from digest.storage.tables.posts import digest_posts, feeds, posts

T = TypeVar("T")
_Row = Row[*tuple[Any, ...]]
_BATCH = 500  # values in one IN; SQLite allows 32,766 parameters in a statement

POST_COLUMNS = (
    posts.c.id,
    posts.c.feed_id,
    posts.c.key,
    posts.c.url,
    posts.c.title,
    posts.c.blurb,
    posts.c.author,
    posts.c.language,
    posts.c.image,
    posts.c.pictures,
    posts.c.tags,
    posts.c.via,
    posts.c.published_at,
    posts.c.first_seen_at,
    posts.c.fingerprint,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRow:
    """A post with the name of its feed and its state in each digest: (slug, state, reason)."""

    post: Post
    feed_name: str
    states: tuple[tuple[str, PostState, str], ...]


def waiting_posts(
    connection: Connection, digest_slug: str, send_at: datetime | None = None
) -> tuple[WaitingPost, ...]:
    """Return the posts that an edition may take, however old, in the order they were first seen.

    `send_at` is the send time of the edition: it may also take posts that were deferred to that day.
    """
    waits = digest_posts.c.state == PostState.WAITING
    if send_at is not None:
        waits |= (digest_posts.c.state == PostState.DEFERRED) & (digest_posts.c.held_until <= send_at)
    query = (
        _with_feed()
        .join(digest_posts, digest_posts.c.post_id == posts.c.id)
        .where(digest_posts.c.digest == digest_slug, waits)
        # Such a post has come back from an edition in which it stood when it was taken out of its feed.
        .where(posts.c.missed < GONE_AFTER)
        .order_by(posts.c.first_seen_at, posts.c.id)
    )
    return tuple(WaitingPost(post=post_of(row), feed_name=row.feed_name) for row in connection.execute(query))


def posts_of_edition(connection: Connection, digest_slug: str, edition_id: str) -> tuple[WaitingPost, ...]:
    """Return the posts that an edition holds: it reserves them, or an editor has taken them out of it.

    Posts that its edits have added are left out, because they are added again when the edits are applied.
    """
    taken_out = (digest_posts.c.state == PostState.DROPPED) & digest_posts.c.reason.startswith(DROPPED_BY)
    own = or_(digest_posts.c.state.in_((PostState.RESERVED, PostState.DEFERRED)), taken_out)
    query = (
        _with_feed()
        .join(digest_posts, digest_posts.c.post_id == posts.c.id)
        .where(digest_posts.c.digest == digest_slug, digest_posts.c.edition_id == edition_id, own)
        .order_by(posts.c.first_seen_at, posts.c.id)
    )
    found = (WaitingPost(post=post_of(row), feed_name=row.feed_name) for row in connection.execute(query))
    return tuple(each for each in found if not is_own(each.post, edition_id))


def posts_with_feed(connection: Connection, ids: Sequence[str]) -> dict[str, WaitingPost]:
    """Return posts with the names of their feeds, by their ids; ids that are not stored are left out."""
    rows = (
        row for part in batches(ids) for row in connection.execute(_with_feed().where(posts.c.id.in_(part)))
    )
    return {row.id: WaitingPost(post=post_of(row), feed_name=row.feed_name) for row in rows}


def last_tags(connection: Connection, feed_id: str, limit: int) -> str:
    """Return the tags of the posts of a feed that were seen last, as the JSON text of a list of lists."""
    # One text is read and compared many times faster than a list for each post.
    newest = select(cast(posts.c.tags, Text).label("tags")).where(posts.c.feed_id == feed_id)
    last = newest.order_by(posts.c.first_seen_at.desc(), posts.c.id).limit(limit).subquery()
    return f"[{connection.scalar(select(func.aggregate_strings(last.c.tags, ','))) or ''}]"


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
        PostRow(post=post_of(row), feed_name=row.feed_name, states=tuple(states[row.id])) for row in rows
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


def post_values(post: Post) -> dict[str, object]:
    """Return those columns of a post that may change."""
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
        "pictures": [asdict(each) for each in post.pictures],
        "tags": list(post.tags),
        "via": asdict(post.via) if post.via else None,
        "published_at": post.published_at,
        "fingerprint": post.fingerprint,
    }


def post_of(row: _Row) -> Post:
    """Return the post of a row that has `POST_COLUMNS`."""
    values = {column.name: getattr(row, column.name) for column in POST_COLUMNS}
    image = Image(**row.image) if row.image else None
    via = Via(**row.via) if row.via else None
    pictures = tuple(Candidate(**each) for each in row.pictures or ())
    tags = tuple(row.tags)
    return Post(**{**values, "image": image, "pictures": pictures, "tags": tags, "via": via})


def _with_feed() -> Select[Any]:
    return select(*POST_COLUMNS, feeds.c.name.label("feed_name")).join(feeds, feeds.c.id == posts.c.feed_id)


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
    for part in batches(ids):
        for row in connection.execute(query.where(digest_posts.c.post_id.in_(part))):
            states[row.post_id].append((row.digest, PostState(row.state), row.reason))
    return states


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the items in parts that are short enough for one IN."""
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
