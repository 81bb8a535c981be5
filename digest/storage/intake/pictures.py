"""Remember what was found at the addresses of pictures and pages, and keep the copies of pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, or_, select, update

from digest.model.posts import Image, Inspected, Post
from digest.storage.posts import POST_COLUMNS, PostRow, batches, post_of
from digest.storage.tables import editions, picture_copies, pictures, posts
from subscribers.store.tables import upsert

RETRIED_AFTER = timedelta(hours=1)  # if there was no answer
ASKED_AGAIN_AFTER = timedelta(days=7)  # if the answer was no usable picture
KEPT_FOR = timedelta(days=30)  # copies that no edition shows
SEVERAL = 2  # pages that name one picture: it is the picture of their site
_NAMED = re.compile(r"/pictures/([0-9a-f]{64})")


def inspected(connection: Connection, urls: Iterable[str], now: datetime) -> dict[str, Inspected]:
    """Return what is known of addresses, without what is so old that they should be asked again."""
    found: dict[str, Inspected] = {}
    for part in batches(sorted(set(urls))):
        for row in connection.execute(select(pictures).where(pictures.c.url.in_(part))):
            facts = Inspected(**row._mapping)
            again = RETRIED_AFTER if not facts.answered else ASKED_AGAIN_AFTER if facts.reason else None
            if again is None or facts.checked_at > now - again:
                found[facts.url] = facts
    return found


def named_by_several_pages(connection: Connection) -> frozenset[str]:
    """Return the pictures that several pages name as theirs."""
    named = pictures.c.leads_to
    query = select(named).where(named.is_not(None)).group_by(named).having(func.count() >= SEVERAL)
    return frozenset(connection.scalars(query))


def with_reasons(connection: Connection, rows: Sequence[PostRow]) -> tuple[PostRow, ...]:
    """Return posts whose pictures also have the reasons that were found when they were inspected."""
    reasons: dict[str, str] = {}
    for part in batches(sorted({each.url for row in rows for each in row.post.pictures})):
        query = select(pictures.c.url, pictures.c.reason).where(pictures.c.url.in_(part))
        reasons.update((row.url, row.reason) for row in connection.execute(query))
    return tuple(replace(row, post=_explained(row.post, reasons)) for row in rows)


def _explained(post: Post, reasons: Mapping[str, str]) -> Post:
    found = [replace(each, reason=each.reason or reasons.get(each.url, "")) for each in post.pictures]
    return replace(post, pictures=tuple(found))


def save_inspected(connection: Connection, facts: Inspected) -> None:
    """Save what was found at one address."""
    values = {column.name: getattr(facts, column.name) for column in pictures.c}
    statement = upsert(connection, pictures).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=[pictures.c.url], set_=values))


def save_copy(connection: Connection, name: str, large: bytes, small: bytes, now: datetime) -> None:
    """Save the copies of a picture by the hash of the larger one; the same picture is saved once."""
    values = {"hash": name, "large": large, "small": small, "made_at": now}
    connection.execute(upsert(connection, picture_copies).values(values).on_conflict_do_nothing())


def read_copy(connection: Connection, name: str, *, small: bool) -> bytes | None:
    """Return the larger or the smaller copy of a picture; None if there is none of this name."""
    column = picture_copies.c.small if small else picture_copies.c.large
    body: bytes | None = connection.scalar(select(column).where(picture_copies.c.hash == name))
    return body


def posts_with_ids(connection: Connection, ids: Sequence[str]) -> tuple[Post, ...]:
    """Return posts by their ids, in the order of the ids."""
    rows = [
        row
        for part in batches(ids)
        for row in connection.execute(select(*POST_COLUMNS).where(posts.c.id.in_(part)))
    ]
    found = {row.id: post_of(row) for row in rows}
    return tuple(found[post_id] for post_id in ids if post_id in found)


def set_image(connection: Connection, post: Post, image: Image | None, now: datetime) -> None:
    """Save the picture of a post, unless the post has changed meanwhile; a copy is kept from `now` on."""
    same = posts.c.id == post.id, posts.c.fingerprint == post.fingerprint
    connection.execute(update(posts).where(*same).values(image=asdict(image) if image else None))
    named = _NAMED.findall(image.url) if image else []
    used = update(picture_copies).where(picture_copies.c.hash.in_(named))
    connection.execute(used.values(made_at=now))


def forget_pictures(connection: Connection, now: datetime) -> int:
    """Delete copies that no edition shows, and old facts about addresses; return the number of copies."""
    limit = now - KEPT_FOR
    old = set(connection.scalars(select(picture_copies.c.hash).where(picture_copies.c.made_at < limit)))
    if old:
        for snapshot in connection.scalars(select(editions.c.snapshot).execution_options(yield_per=50)):
            old.difference_update(_NAMED.findall(snapshot))
    for part in batches(sorted(old)):
        connection.execute(delete(pictures).where(pictures.c.copy.in_(part)))
        connection.execute(delete(picture_copies).where(picture_copies.c.hash.in_(part)))
    idle = or_(pictures.c.copy.is_(None), pictures.c.copy == "")
    connection.execute(delete(pictures).where(pictures.c.checked_at < limit, idle))
    return len(old)
