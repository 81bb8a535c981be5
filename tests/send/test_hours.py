"""An edition goes out at its readers' hours: each copy at its own hour, once."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import update

from digest.model.editions import EditionState, StepCause
from digest.model.messages import Outcome
from digest.storage.database import Database
from digest.storage.editions.steps import pause, resume
from subscribers.store.tables import subscriptions
from tests.send.world import EDITION, Clock, Recorder, add_edition, add_reader, leave, run


def wake(database: Database, number: int, hour: str | None, zone: str | None) -> None:
    add_reader(database, number)
    with database.write() as connection:
        of_reader = subscriptions.c.subscriber_id == number
        connection.execute(update(subscriptions).where(of_reader).values(hour=hour, zone=zone))


def test_an_edition_goes_out_as_its_readers_wake_up(database: Database) -> None:
    add_edition(database)
    wake(database, 1, None, None)
    wake(database, 2, "08:30", "Asia/Tokyo")
    wake(database, 3, "08:30", "Europe/Lisbon")
    wake(database, 4, "08:30", "America/New_York")
    clock, transport = Clock(), Recorder()
    seen = []
    for _ in range(25):
        sent = run(database, transport, clock)
        seen.append((sent.record.state, transport.keys))
        clock.forward(timedelta(hours=1))
    assert seen[0] == (EditionState.SENDING, [1])
    assert seen[2] == (EditionState.SENDING, [1, 3])
    assert seen[7] == (EditionState.SENDING, [1, 3, 4])
    assert seen[-1] == (EditionState.SENT, [1, 2, 3, 4])


def test_readers_who_unsubscribe_before_their_hour_are_not_mailed(database: Database) -> None:
    add_edition(database)
    wake(database, 1, "12:00", "UTC")
    clock, transport = Clock(), Recorder()
    assert run(database, transport, clock).record.state is EditionState.SENDING
    leave(database, 1)
    clock.forward(timedelta(hours=6))
    assert run(database, transport, clock).record.state is EditionState.SENT
    assert transport.keys == []


def test_readers_who_join_while_it_goes_out_get_the_next_edition_even_before_their_hour(
    database: Database,
) -> None:
    add_edition(database)
    wake(database, 1, "12:00", "UTC")
    clock, transport = Clock(), Recorder()
    run(database, transport, clock)
    clock.forward(timedelta(hours=1))
    wake(database, 2, "12:00", "UTC")
    clock.forward(timedelta(hours=5))
    assert run(database, transport, clock).record.state is EditionState.SENT
    assert transport.keys == [1]


def test_a_copy_for_a_late_hour_is_tried_as_long_as_the_first(database: Database) -> None:
    add_edition(database)
    wake(database, 1, None, None)
    wake(database, 2, "06:00", "UTC")  # 23 hours after the edition began
    clock, transport = Clock(), Recorder(lambda _message: Outcome.DEFERRED)
    tried: dict[int, list[datetime]] = {1: [], 2: []}
    sent = run(database, transport, clock)
    while True:
        for message in transport.messages:
            tried[message.key].append(clock.now)
        transport.messages.clear()
        if sent.next_at is None:
            break
        clock.now = sent.next_at
        sent = run(database, transport, clock)
    assert sent.record.state is EditionState.SENT
    assert tried[2] == [at + timedelta(hours=23) for at in tried[1]]
    assert len(tried[2]) == 11


def test_the_time_an_edition_is_paused_is_not_taken_from_its_retries(database: Database) -> None:
    add_edition(database)
    wake(database, 1, None, None)
    clock, transport = Clock(), Recorder(lambda _message: Outcome.DEFERRED)
    run(database, transport, clock)
    with database.write() as connection:
        pause(connection, EDITION, StepCause(at=clock.now, why="a look"))
    clock.forward(timedelta(days=2))
    with database.write() as connection:
        resume(connection, EDITION, StepCause(at=clock.now))
    assert run(database, transport, clock).next_at == clock.now + timedelta(minutes=15)
