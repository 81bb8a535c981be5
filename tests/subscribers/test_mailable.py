"""The query that decides who may be mailed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import StatementError

from digest.storage.database import Database
from subscribers.model import Frequency
from subscribers.store.mailable import mailable, unserved
from subscribers.store.tables import subscribers, subscriptions, suppressions

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)


def test_a_confirmed_reader_of_the_digest_is_mailable(database: Database) -> None:
    _put_reader(database)
    with database.read() as connection:
        rows = connection.execute(mailable("daily", NOW)).all()
    assert [row._asdict() for row in rows] == [
        {
            "subscriber_id": 1,
            "address": "Anna@example.org",
            "topics": "-sport",
            "hour": "07:30",
            "zone": "Europe/Berlin",
            "format": "html",
            "language": "en",
        }
    ]


@pytest.mark.parametrize("state", ["pending", "unsubscribed"])
def test_unconfirmed_and_unsubscribed_readers_are_not_mailable(database: Database, state: str) -> None:
    _put_reader(database)
    with database.write() as connection:
        connection.execute(update(subscribers).values(state=state))
    assert _ids(database) == []


@pytest.mark.parametrize("state", ["unsubscribed", "removed"])
def test_readers_who_ended_this_digest_are_not_mailable(database: Database, state: str) -> None:
    _put_reader(database)
    with database.write() as connection:
        connection.execute(update(subscriptions).values(state=state))
    assert _ids(database) == []


def test_readers_of_another_digest_are_not_mailable(database: Database) -> None:
    _put_reader(database)
    assert _ids(database, digest="weekend") == []


def test_a_paused_reader_is_not_mailable_until_the_pause_is_over(database: Database) -> None:
    _put_reader(database)
    with database.write() as connection:
        connection.execute(update(subscriptions).values(paused_until=NOW))
    assert _ids(database, now=NOW - timedelta(seconds=1)) == []
    assert _ids(database, now=NOW) == [1]


def test_a_suppressed_address_is_never_mailable(database: Database) -> None:
    _put_reader(database)
    with database.write() as connection:
        connection.execute(insert(suppressions).values(address_hash="hash of Anna", reason="bounce", at=NOW))
    assert _ids(database) == []


def test_a_time_without_a_zone_is_refused_before_it_decides_anything(database: Database) -> None:
    with database.read() as connection, pytest.raises(StatementError, match="needs a time zone"):
        connection.execute(mailable("daily", NOW.replace(tzinfo=None)))


EACH, DAILY, WEEKLY = Frequency


@pytest.mark.parametrize(
    ("chosen", "offered", "served"),
    [
        (EACH, (), EACH),
        (EACH, (DAILY, WEEKLY), EACH),
        (WEEKLY, (DAILY, WEEKLY), WEEKLY),
        (DAILY, (DAILY,), DAILY),
        (WEEKLY, (DAILY,), EACH),  # not offered any more: each edition instead, so that nobody gets nothing
        (WEEKLY, (), EACH),
    ],
)
def test_an_edition_goes_to_the_readers_of_its_frequency(
    database: Database, chosen: Frequency, offered: tuple[Frequency, ...], served: Frequency
) -> None:
    _put_reader(database)
    with database.write() as connection:
        connection.execute(update(subscriptions).values(frequency=chosen))
    made = [EACH, *offered]
    assert [each for each in made if _ids(database, frequency=each, offered=offered)] == [served]
    assert _ids(database) == [1]  # asked again while an edition goes out, whatever is chosen by then


@pytest.mark.parametrize(
    ("reader", "choice", "why"),
    [
        ({}, {}, []),
        ({"state": "pending"}, {}, ["not confirmed yet"]),
        ({"state": "unsubscribed"}, {}, []),
        ({}, {"state": "removed"}, []),
        ({}, {"paused_until": NOW + timedelta(days=1)}, ["paused"]),
        ({}, {"paused_until": NOW}, []),
        ({}, {"frequency": WEEKLY}, ["another frequency chosen"]),
        ({"state": "pending"}, {"frequency": WEEKLY}, ["not confirmed yet"]),
        (
            {"address_hash": "gone"},
            {"frequency": WEEKLY},
            ["the mailbox is gone, or its owner complained"],
        ),
    ],
)
def test_each_reader_who_is_not_mailed_has_one_reason(
    database: Database, reader: dict[str, Any], choice: dict[str, Any], why: list[str]
) -> None:
    _put_reader(database)
    with database.write() as connection:
        connection.execute(insert(suppressions).values(address_hash="gone", reason="bounce", at=NOW))
        if reader:
            connection.execute(update(subscribers).values(**reader))
        if choice:
            connection.execute(update(subscriptions).values(**choice))
    with database.read() as connection:
        found = [row.why for row in connection.execute(unserved("daily", NOW, EACH, (WEEKLY,)))]
        mailed = connection.execute(mailable("daily", NOW, EACH, (WEEKLY,))).all()
    assert found == why
    assert not (found and mailed)


def _put_reader(database: Database) -> None:
    subscriber: dict[str, Any] = {
        "id": 1,
        "address": "Anna@example.org",
        "folded": "anna@example.org",
        "address_hash": "hash of Anna",
        "state": "active",
        "language": "en",
        "created_at": NOW,
    }
    subscription = {
        "subscriber_id": 1,
        "digest": "daily",
        "state": "active",
        "topics": "-sport",
        "hour": "07:30",
        "zone": "Europe/Berlin",
        "changed_at": NOW,
    }
    with database.write() as connection:
        connection.execute(insert(subscribers).values(subscriber))
        connection.execute(insert(subscriptions).values(subscription))


def _ids(
    database: Database,
    digest: str = "daily",
    now: datetime = NOW,
    frequency: Frequency | None = None,
    offered: Collection[Frequency] = (),
) -> list[int]:
    with database.read() as connection:
        found = mailable(digest, now, frequency, offered)
        return [row.subscriber_id for row in connection.execute(found)]
