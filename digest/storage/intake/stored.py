"""Read what is stored of a feed, to compare a document with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, exists, func, select

from digest.model.links import canonical_url
from digest.model.posts import (
    GONE_AFTER,
    Candidate,
    Image,
    KnownPost,
    PageFacts,
    Post,
    PostState,
    StoredPosts,
)
from digest.storage.posts import POST_COLUMNS, batches, post_of
from digest.storage.tables.posts import digest_posts, pages, posts

UNSENT = (PostState.WAITING, PostState.DEFERRED, PostState.HELD, PostState.RESERVED)
_LATEST = 1_000  # posts of a feed whose titles are compared; a feed shows 500 at most
_ALIKE = 5_000  # because a feed may give all its posts the same link
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """The values of a document's entries by which stored posts are found."""

    keys: Collection[str]
    ids: Collection[str]
    links: Collection[str]  # canonical
    dates: Collection[datetime]


def posts_with_keys(connection: Connection, feed_id: str, traits: Traits) -> tuple[KnownPost, ...]:
    """Return the stored posts of a feed that have one of these keys or ids."""
    conditions = [posts.c.key.in_(part) for part in batches(sorted(traits.keys))]
    conditions += [posts.c.id.in_(part) for part in batches(sorted(traits.ids))]
    return _known(connection, feed_id, conditions)


def posts_like(connection: Connection, feed_id: str, traits: Traits) -> tuple[KnownPost, ...]:
    """Return the stored posts of a feed that share a key, id, link or date, and the latest ones."""
    conditions = [posts.c.key.in_(part) for part in batches(sorted(traits.keys))]
    conditions += [posts.c.id.in_(part) for part in batches(sorted(traits.ids))]
    conditions += [posts.c.canonical_url.in_(part) for part in batches(sorted(traits.links))]
    conditions += [posts.c.published_at.in_(part) for part in batches(sorted(traits.dates))]
    latest = (
        select(posts.c.id)
        .where(posts.c.feed_id == feed_id)
        .order_by(posts.c.first_seen_at.desc(), posts.c.place)
        .limit(_LATEST)
    )
    return _known(connection, feed_id, [*conditions, posts.c.id.in_(latest)])


def stored_posts(
    connection: Connection, feed_id: str, known: Sequence[KnownPost], last_ok_at: datetime | None
) -> StoredPosts:
    """Return what is stored of a feed besides the posts in `known`."""
    of_feed = posts.c.feed_id == feed_id
    ages = select(func.count(), func.min(posts.c.published_at)).where(of_feed)
    count, oldest_at = connection.execute(ages).one()
    usual = 0
    if last_ok_at:
        week = posts.c.published_at.between(last_ok_at - _WEEK, last_ok_at)
        usual = connection.execute(select(func.count()).where(of_feed, week)).scalar_one()
    return StoredPosts(any=count > 0, oldest_at=oldest_at, usual=usual, known=tuple(known))


def unsent_posts(connection: Connection, feed_id: str, digests: Iterable[str]) -> tuple[KnownPost, ...]:
    """Return the posts of a feed that one of the digests has not mailed yet."""
    of_digests = digest_posts.c.digest.in_(list(digests)), digest_posts.c.state.in_(UNSENT)
    ids = select(digest_posts.c.post_id).where(*of_digests)
    return _known(connection, feed_id, [posts.c.id.in_(ids)])


def frozen_posts(connection: Connection, ids: Sequence[str]) -> frozenset[str]:
    """Return those of the posts, given by their ids, that are in an edition that has not been sent."""
    found: set[str] = set()
    for part in batches(ids):
        reserved = digest_posts.c.post_id.in_(part), digest_posts.c.state == PostState.RESERVED
        found.update(connection.scalars(select(digest_posts.c.post_id).where(*reserved)))
    return frozenset(found)


def posts_unknown_to(
    connection: Connection, digest: str, feed_id: str, *, since: datetime
) -> tuple[Post, ...]:
    """Return the posts of a feed, first seen at `since` or later, that are not in a digest in any state."""
    there = exists().where(digest_posts.c.post_id == posts.c.id, digest_posts.c.digest == digest)
    recent = posts.c.feed_id == feed_id, posts.c.first_seen_at >= since, posts.c.missed < GONE_AFTER
    query = select(*POST_COLUMNS).where(*recent, ~there)
    ordered = query.order_by(posts.c.first_seen_at.desc(), posts.c.place, posts.c.id)
    return tuple(post_of(row) for row in connection.execute(ordered))


def _known(
    connection: Connection, feed_id: str, conditions: Sequence[ColumnElement[bool]]
) -> tuple[KnownPost, ...]:
    query = select(*POST_COLUMNS, posts.c.place, posts.c.missed).where(posts.c.feed_id == feed_id)
    rows = (row for each in conditions for row in connection.execute(query.where(each).limit(_ALIKE)))
    found = {row.id: row for row in rows}
    return tuple(
        KnownPost(post=post_of(found[name]), place=found[name].place, missed=found[name].missed)
        for name in sorted(found)
    )


def known_pages(connection: Connection, urls: Collection[str]) -> dict[str, PageFacts]:
    """Return what is remembered of pages, by those of the addresses whose page was fetched."""
    found: dict[str, PageFacts] = {}
    for part in batches(sorted(set(map(canonical_url, urls)))):
        for row in connection.execute(select(pages).where(pages.c.url.in_(part))):
            found[row.url] = PageFacts(
                blurb=row.blurb,
                image=Image(**row.image) if row.image else None,
                pictures=tuple(Candidate(**each) for each in row.pictures),
            )
    return {url: found[canonical_url(url)] for url in urls if canonical_url(url) in found}
