"""Store feeds: their addresses, their health, and when each is due next."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from datetime import date, datetime

from sqlalchemy import Connection, Date, bindparam, delete, func, select, update

from digest.model.posts import FeedRow
from digest.model.publication import Feed
from digest.storage.tables.posts import feeds, hubs, posts
from subscribers.store.tables import upsert

_COLUMNS = tuple(field.name for field in fields(FeedRow))
_CHANGING = tuple(name for name in _COLUMNS if name != "id")


def feed_rows(connection: Connection) -> tuple[FeedRow, ...]:
    """Return every feed that was ever configured, by name; feeds removed from the configuration stay."""
    rows = connection.execute(select(feeds).order_by(feeds.c.name))
    return tuple(FeedRow(**row._asdict()) for row in rows)


def latest_fetch(connection: Connection) -> datetime | None:
    """Return when a feed was last fetched."""
    found: datetime | None = connection.scalar(select(func.max(feeds.c.last_fetch_at)))
    return found


def make_due(connection: Connection, name: str, now: datetime) -> None:
    """Let a feed be due at once; a feed that has no row yet is due anyway."""
    connection.execute(update(feeds).where(feeds.c.name == name).values(next_fetch_at=now))


def new_posts_by_day(connection: Connection, since: datetime) -> dict[str, dict[date, int]]:
    """Count the posts that were first seen since a time, by feed id and by day in UTC."""
    seen = posts.c.first_seen_at
    in_utc = func.timezone("UTC", seen) if connection.dialect.name == "postgresql" else seen
    day = func.date(in_utc, type_=Date).label("day")
    rows = connection.execute(
        select(posts.c.feed_id, day, func.count()).where(seen >= since).group_by(posts.c.feed_id, day)
    )
    found: dict[str, dict[date, int]] = {}
    for feed_id, on, count in rows:
        found.setdefault(feed_id, {})[on] = count
    return found


def sync_feeds(connection: Connection, configured: Sequence[Feed], now: datetime) -> tuple[FeedRow, ...]:
    """Make the rows match the configuration and return those of `configured`, in its order.

    A feed is recognised by its name, else by its url, so either may change and its posts stay known. If the
    url changes, everything learnt about the old url is forgotten, also its hub.
    """
    stored = feed_rows(connection)
    free = _Free(stored, {feed.name for feed in configured})
    taken = {row.id for row in stored}
    rows: list[FeedRow] = []
    moved: list[str] = []
    changed: list[FeedRow] = []
    fresh: list[FeedRow] = []
    for feed in configured:
        row = free.take(feed)
        new = _renewed(row, feed, now) if row else _fresh(feed, taken, now)
        if row is None:
            fresh.append(new)
        elif row != new:
            changed.append(new)
            moved += [new.id] if row.url != new.url else []
        taken.add(new.id)
        rows.append(new)
    record_feeds(connection, changed)
    if moved:
        connection.execute(delete(hubs).where(hubs.c.feed_id.in_(moved)))
    _insert(connection, fresh)
    return tuple(rows)


def record_feeds(connection: Connection, rows: Sequence[FeedRow]) -> None:
    """Save the new state of feeds; each feed must have a row already."""
    if rows:
        named = update(feeds).where(feeds.c.id == bindparam("row_id"))
        connection.execute(named, [{"row_id": row.id, **_values(row, _CHANGING)} for row in rows])


def _insert(connection: Connection, rows: Sequence[FeedRow]) -> None:
    if rows:
        # Two nodes may insert a new feed at the same time. SQLite has the same clause as PostgreSQL.
        connection.execute(
            upsert(connection, feeds).on_conflict_do_nothing(), [_values(row, _COLUMNS) for row in rows]
        )


def _values(row: FeedRow, names: Sequence[str]) -> dict[str, object]:
    return {name: getattr(row, name) for name in names}  # `asdict` would copy each value


class _Free:
    """The rows that no feed has taken yet: by name, else by url unless another feed has that row's name."""

    def __init__(self, rows: Sequence[FeedRow], names: Collection[str]) -> None:
        self._by_name = {row.name: row for row in rows}
        self._by_url: dict[str, list[FeedRow]] = {}
        for row in rows:
            if row.name not in names:
                self._by_url.setdefault(row.url, []).append(row)

    def take(self, feed: Feed) -> FeedRow | None:
        """Return the row of a feed, which no other feed gets then, or None."""
        if row := self._by_name.get(feed.name):
            return row
        same_url = self._by_url.get(feed.url)
        return same_url.pop(0) if same_url else None


def _renewed(row: FeedRow, feed: Feed, now: datetime) -> FeedRow:
    if row.url == feed.url:
        return row if row.name == feed.name else replace(row, name=feed.name)
    return FeedRow(id=row.id, name=feed.name, url=feed.url, next_fetch_at=now, last_ok_at=row.last_ok_at)


def _fresh(feed: Feed, taken: set[str], now: datetime) -> FeedRow:
    """Return a new row for a feed; its id is the same in every database that starts with this feed."""
    names = (feed.url if number == 0 else f"{feed.url} {number}" for number in range(len(taken) + 1))
    ids = (hashlib.sha256(name.encode()).hexdigest()[:16] for name in names)
    free = next(made for made in ids if made not in taken)
    return FeedRow(id=free, name=feed.name, url=feed.url, next_fetch_at=now)
