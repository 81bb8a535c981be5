"""Copies are due at the hours that readers chose, set in a few statements for any number of readers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta

from sqlalchemy import select, update

from digest.schedule.local_hours import copy_due_at
from digest.schedule.schedule import instant_of
from digest.storage.database import Database
from digest.storage.ledger.addressing import address, set_hours
from digest.storage.tables.deliveries import deliveries
from subscribers.store.mailable import mailable
from subscribers.store.tables import subscriptions
from tests.send.world import EDITION, NOW, add_edition, add_reader, edition

DAILY = replace(edition(), zone="Europe/Berlin")


def due_at(hour: str, zone: str | None) -> datetime:
    return copy_due_at(NOW, hour, zone or "Europe/Berlin", instant_of=instant_of)


def choose(database: Database, number: int, hour: str | None, zone: str | None) -> None:
    add_reader(database, number)
    with database.write() as connection:
        of_reader = subscriptions.c.subscriber_id == number
        connection.execute(update(subscriptions).where(of_reader).values(hour=hour, zone=zone))


def due(database: Database) -> dict[int, datetime | None]:
    with database.write() as connection:
        address(connection, EDITION, mailable("daily", NOW), now=NOW)
        set_hours(connection, DAILY, NOW)
    with database.read() as connection:
        rows = connection.execute(select(deliveries.c.subscriber_id, deliveries.c.due_at))
        return {row.subscriber_id: row.due_at for row in rows}


def test_each_copy_is_due_at_its_readers_hour(database: Database) -> None:
    add_edition(database)
    choose(database, 1, None, None)
    choose(database, 2, "08:00", None)
    choose(database, 3, "08:00", "America/New_York")
    choose(database, 4, "07:00", "Europe/Berlin")
    day = NOW.date()
    assert due(database) == {
        1: None,
        2: None,  # this hour has come
        3: instant_of(day, time(8), "America/New_York"),
        4: instant_of(day + timedelta(days=1), time(7), "Europe/Berlin"),
    }


def test_many_different_choices_are_set(database: Database) -> None:
    add_edition(database)
    hours = [f"{number // 60:02}:{number % 60:02}" for number in range(0, 1_440, 4)]
    for number, hour in enumerate(hours, start=1):
        choose(database, number, hour, "Asia/Kathmandu")
    found = due(database)
    assert found == {number: due_at(hour, "Asia/Kathmandu") for number, hour in enumerate(hours, start=1)}


def test_deliveries_already_on_their_way_stay_as_they_are(database: Database) -> None:
    add_edition(database)
    choose(database, 1, "12:00", None)
    with database.write() as connection:
        address(connection, EDITION, mailable("daily", NOW), now=NOW)
        connection.execute(update(deliveries).values(state="accepted"))
        assert set_hours(connection, DAILY, NOW) == 1
    with database.read() as connection:
        assert connection.scalar(select(deliveries.c.due_at)) is None
