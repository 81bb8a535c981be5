"""Store feeds: their addresses, their health, and when each is due next."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from digest.model.posts import FeedRow
from digest.model.publication import Feed
from digest.storage.tables import feeds
from subscribers.store.tables import upsert


def feed_rows(connection: Connection) -> tuple[FeedRow, ...]:
    """Return every feed that was ever configured, by name; feeds removed from the configuration stay."""
    rows = connection.execute(select(feeds).order_by(feeds.c.name))
    return tuple(FeedRow(**row._asdict()) for row in rows)


def sync_feeds(connection: Connection, configured: Sequence[Feed], now: datetime) -> tuple[FeedRow, ...]:
    """Make the rows match the configuration and return those of `configured`, in its order.

    A feed is recognised by its name, else by its url, so either may change and its posts stay known. If the
    url changes, everything learnt about the old url is forgotten.
    """
    free = list(feed_rows(connection))
    taken = {row.id for row in free}
    names = {feed.name for feed in configured}
    rows: list[FeedRow] = []
    changed: list[FeedRow] = []
    fresh: list[FeedRow] = []
    for feed in configured:
        row = _matched(feed, free, names)
        new = _renewed(row, feed, now) if row else _fresh(feed, taken, now)
        if row is None:
            fresh.append(new)
        elif row != new:
            changed.append(new)
        free = [other for other in free if other != row]
        taken.add(new.id)
        rows.append(new)
    record_feeds(connection, changed)
    _insert(connection, fresh)
    return tuple(rows)


def record_feeds(connection: Connection, rows: Sequence[FeedRow]) -> None:
    """Save the new state of feeds; each feed must have a row already."""
    if rows:
        named = update(feeds).where(feeds.c.id == bindparam("row_id"))
        values = [asdict(row) for row in rows]
        for value in values:
            value["row_id"] = value.pop("id")
        connection.execute(named, values)


def _insert(connection: Connection, rows: Sequence[FeedRow]) -> None:
    if rows:
        # Two nodes may insert a new feed at the same time. SQLite has the same clause as PostgreSQL.
        connection.execute(upsert(connection, feeds).on_conflict_do_nothing(), [asdict(row) for row in rows])


def _matched(feed: Feed, free: Sequence[FeedRow], names: set[str]) -> FeedRow | None:
    """Return the row of a feed: by its name, else by its url unless another feed has that row's name."""
    by_name = (row for row in free if row.name == feed.name)
    by_url = (row for row in free if row.url == feed.url and row.name not in names)
    return next(by_name, None) or next(by_url, None)


def _renewed(row: FeedRow, feed: Feed, now: datetime) -> FeedRow:
    if row.url == feed.url:
        return replace(row, name=feed.name)
    return FeedRow(id=row.id, name=feed.name, url=feed.url, next_fetch_at=now, last_ok_at=row.last_ok_at)


def _fresh(feed: Feed, taken: set[str], now: datetime) -> FeedRow:
    """Return a new row for a feed; its id is the same in every database that starts with this feed."""
    names = (feed.url if number == 0 else f"{feed.url} {number}" for number in range(len(taken) + 1))
    ids = (hashlib.sha256(name.encode()).hexdigest()[:16] for name in names)
    free = next(made for made in ids if made not in taken)
    return FeedRow(id=free, name=feed.name, url=feed.url, next_fetch_at=now)
