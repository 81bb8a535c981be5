from __future__ import annotations

from datetime import timedelta

from sqlalchemy import insert, select, update

from digest.storage.database import Database
from subscribers.rules.bounces import BounceKind
from subscribers.store.growth import (
    bounces_by_day,
    joined_by_day,
    left_by_day,
    moved_since,
    number_of_readers,
    suppressed_by_day,
)
from subscribers.store.tables import bounces, subscribers, subscriptions, suppressions
from tests.send.world import NOW, add_reader

DAY = timedelta(days=1)
SINCE = NOW - 7 * DAY


def _world(database: Database) -> None:
    """Five readers: two stay, one has left, one is suppressed, and one has not confirmed."""
    for number in range(1, 6):
        add_reader(database, number)
    with database.write() as connection:
        changes: dict[int, dict[str, object]] = {
            1: {"confirmed_at": NOW - 90 * DAY},
            2: {"confirmed_at": NOW - 2 * DAY},
            3: {"confirmed_at": NOW - 2 * DAY, "left_at": NOW - DAY, "state": "unsubscribed"},
            4: {"confirmed_at": NOW},
            5: {"state": "pending"},
        }
        for number, values in changes.items():
            connection.execute(update(subscribers).where(subscribers.c.id == number).values(values))
        for number, reason in ((4, "complaint"), (3, "bounce"), (1, "erased")):
            row = {"address_hash": f"hash-{number}", "reason": reason, "at": NOW}
            connection.execute(insert(suppressions).values(row))
        for number, kind in enumerate(("hard", "soft", "hard", "complaint")):
            row = {"report": f"report {number}", "address_hash": "hash-1", "kind": kind, "source": "mail"}
            connection.execute(insert(bounces).values({**row, "at": NOW - number * DAY}))


def test_readers_are_those_who_may_be_mailed(database: Database) -> None:
    _world(database)
    with database.read() as connection:
        assert number_of_readers(connection) == 1


def test_each_day_has_those_who_joined_and_those_who_were_lost(database: Database) -> None:
    _world(database)
    with database.read() as connection:
        two_days_ago, yesterday, today = (NOW.date() - back * DAY for back in (2, 1, 0))
        assert joined_by_day(connection, SINCE) == {two_days_ago: 2, today: 1}
        assert left_by_day(connection, SINCE) == {yesterday: 1}
        # The reader who has left was lost only once, and nobody has complained by having data erased.
        assert suppressed_by_day(connection, SINCE) == {today: 1}


def test_bounces_are_counted_by_kind_and_day(database: Database) -> None:
    _world(database)
    with database.read() as connection:
        found = bounces_by_day(connection, NOW - 2 * DAY)
    assert found[BounceKind.HARD] == {NOW.date(): 1, NOW.date() - 2 * DAY: 1}
    assert found[BounceKind.SOFT] == {NOW.date() - DAY: 1}
    assert found[BounceKind.COMPLAINT] == {}


def test_a_digest_has_those_who_joined_and_left_since_a_time(database: Database) -> None:
    _world(database)
    with database.read() as connection:
        digest = connection.scalar(select(subscriptions.c.digest).limit(1))
        assert digest
        assert moved_since(connection, digest, SINCE) == (2, 1)
        assert moved_since(connection, digest, NOW) == (1, 0)
        assert moved_since(connection, "no such digest", SINCE) == (0, 0)
