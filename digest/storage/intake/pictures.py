"""Remember what was found at the addresses of pictures and pages, and keep pictures."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update

from digest.model.posts import Image, Inspected, Post
from digest.storage.posts import PostRow, batches
from digest.storage.tables.editions import editions
from digest.storage.tables.pictures import brand_files, picture_copies, pictures
from digest.storage.tables.posts import posts
from subscribers.store.tables import upsert

RETRIED_AFTER = timedelta(hours=1)  # if there was no answer
ASKED_AGAIN_AFTER = timedelta(days=7)  # if the answer was no usable picture
KEPT_FOR = timedelta(days=30)  # copies that no edition shows
NOTED_AFTER = timedelta(days=1)  # the use of a copy is noted again
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


def named_by_several_pages(connection: Connection, named: Collection[str]) -> frozenset[str]:
    """Return those of the pictures that several pages name as theirs."""
    found: set[str] = set()
    leads_to = pictures.c.leads_to
    for part in batches(sorted(named)):
        query = select(leads_to).where(leads_to.in_(part)).group_by(leads_to)
        found.update(connection.scalars(query.having(func.count() >= SEVERAL)))
    return frozenset(found)


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


def has_copy(connection: Connection, name: str) -> bool:
    """Tell whether the copies of a picture are kept."""
    query = select(picture_copies.c.hash).where(picture_copies.c.hash == name)
    return connection.scalar(query) is not None


def save_brand_file(connection: Connection, name: str, body: bytes) -> None:
    """Save a logo or a header picture by its name. It is kept for ever, because any edition may show it."""
    statement = upsert(connection, brand_files).values(name=name, body=body)
    connection.execute(statement.on_conflict_do_nothing())


def brand_file_names(connection: Connection) -> frozenset[str]:
    """Return the names of all logos and header pictures that are kept."""
    return frozenset(connection.scalars(select(brand_files.c.name)))


def read_brand_file(connection: Connection, name: str) -> bytes | None:
    """Return a logo or a header picture by its name; None if there is none."""
    body: bytes | None = connection.scalar(select(brand_files.c.body).where(brand_files.c.name == name))
    return body


def set_images(connection: Connection, images: Sequence[tuple[Post, Image | None]], now: datetime) -> None:
    """Save the pictures of posts, unless the posts have changed meanwhile; copies are kept from `now` on."""
    for post, image in images:
        if image != post.image:
            same = posts.c.id == post.id, posts.c.fingerprint == post.fingerprint
            connection.execute(update(posts).where(*same).values(image=asdict(image) if image else None))
    use_copies(connection, {name for _, image in images if image for name in names_in(image.url)}, now)


def use_copies(connection: Connection, names: Collection[str], now: datetime) -> None:
    """Note that copies are in use; within a day, this is noted once."""
    for part in batches(sorted(names)):
        idle = picture_copies.c.hash.in_(part), picture_copies.c.made_at < now - NOTED_AFTER
        connection.execute(update(picture_copies).where(*idle).values(made_at=now))


def names_in(text: str) -> list[str]:
    """Return the hashes of the copies whose addresses stand in a text."""
    return _NAMED.findall(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class OldPictures:
    """Old copies, divided by whether an edition shows them, and whether there are old facts."""

    shown: frozenset[str]
    unused: frozenset[str]
    any_facts: bool


def old_pictures(connection: Connection, now: datetime) -> OldPictures:
    """Return which copies and facts are old. All snapshots are read, but only if there are old copies."""
    old = frozenset(connection.scalars(select(picture_copies.c.hash).where(_is_old(now))))
    shown: set[str] = set()
    if old:
        for snapshot in connection.scalars(select(editions.c.snapshot).execution_options(yield_per=50)):
            shown.update(old.intersection(names_in(snapshot)))
    facts = connection.scalar(select(pictures.c.url).where(_is_idle(now)).limit(1))
    return OldPictures(shown=frozenset(shown), unused=old - shown, any_facts=facts is not None)


def forget_pictures(connection: Connection, old: OldPictures, now: datetime) -> int:
    """Delete copies that no edition shows, and old facts about addresses; return the number of copies.

    Copies that an edition shows count as used now, so each is looked for once in 30 days. Copies that
    somebody has used since they were found stay.
    """
    use_copies(connection, old.shown, now)
    count = 0
    for part in batches(sorted(old.unused)):
        query = delete(picture_copies).where(picture_copies.c.hash.in_(part), _is_old(now))
        gone = list(connection.scalars(query.returning(picture_copies.c.hash)))
        connection.execute(delete(pictures).where(pictures.c.copy.in_(gone)))
        count += len(gone)
    connection.execute(delete(pictures).where(_is_idle(now)))
    return count


def _is_old(now: datetime) -> ColumnElement[bool]:
    return picture_copies.c.made_at < now - KEPT_FOR


def _is_idle(now: datetime) -> ColumnElement[bool]:
    """Return the condition for facts that are old and name no copy; the others go with their copy."""
    return and_(pictures.c.checked_at < now - KEPT_FOR, or_(pictures.c.copy.is_(None), pictures.c.copy == ""))
