"""Store the hub of each feed: what we have asked of it, and when it last told of new posts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, or_, select

from digest.model.posts import HubRow, HubState
from digest.storage.tables.posts import feeds, hubs
from subscribers.store.tables import upsert


def hub_of(connection: Connection, feed_id: str) -> HubRow | None:
    """Return the hub of a feed, if it has one."""
    row = connection.execute(select(hubs).where(hubs.c.feed_id == feed_id)).first()
    return _hub(row) if row else None


def hub_rows(connection: Connection) -> tuple[HubRow, ...]:
    """Return the hubs of all feeds."""
    return tuple(map(_hub, connection.execute(select(hubs))))


def hubs_to_ask(connection: Connection, now: datetime, longest: timedelta) -> tuple[HubRow, ...]:
    """Return the hubs that are due, those that wait longest first.

    A hub that would wait longer than `longest` is one of them, because a clock was wrong when it was asked.
    """
    due = or_(hubs.c.next_at <= now, hubs.c.next_at > now + longest)
    found = connection.execute(select(hubs).where(due).order_by(hubs.c.next_at, hubs.c.feed_id))
    return tuple(map(_hub, found))


def pushes(connection: Connection) -> dict[str, datetime]:
    """Return when the hubs told of new posts, by feed, of the feeds that were not fetched since then."""
    missed = (feeds.c.id == hubs.c.feed_id) & (hubs.c.pushed_at > feeds.c.last_fetch_at)
    found = connection.execute(select(hubs.c.feed_id, hubs.c.pushed_at).join(feeds, missed))
    return {row.feed_id: row.pushed_at for row in found}


def note_hub(connection: Connection, feed_id: str, found: tuple[str, str] | None, ask_at: datetime) -> None:
    """Keep the hub and the topic that a document names; other ones are asked at `ask_at`, at the earliest."""
    known = hub_of(connection, feed_id)
    if found is None:
        if known:
            connection.execute(delete(hubs).where(hubs.c.feed_id == feed_id))
    elif known is None or (known.hub, known.topic) != found:
        save_hub(connection, HubRow(feed_id=feed_id, hub=found[0], topic=found[1], next_at=ask_at))


def save_hub(connection: Connection, row: HubRow) -> None:
    """Save a row, in the place of the one before."""
    values = asdict(row)
    insert = upsert(connection, hubs).values(values)
    connection.execute(insert.on_conflict_do_update(index_elements=["feed_id"], set_=values))


def _hub(row: Row[tuple[object, ...]]) -> HubRow:
    values = row._asdict()
    return HubRow(**{**values, "state": HubState(values["state"])})
