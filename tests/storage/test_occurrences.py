from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from threading import Barrier, Thread

from digest.storage.database import Database
from digest.storage.occurrences import (
    LEASE,
    STARTED,
    Occurrence,
    claim_occurrence,
    finish_occurrence,
    note_occurrence,
    occurrences_of,
    release_occurrence,
)

DAY = date(2026, 11, 23)
DUE = datetime(2026, 11, 23, 7, tzinfo=UTC)
NOW = DUE - timedelta(minutes=30)


def claim(database: Database, now: datetime = NOW) -> bool:
    with database.write() as connection:
        return claim_occurrence(connection, "compose:daily", local_date=DAY, due_at=DUE, now=now)


def kept(database: Database, until: datetime = DUE) -> tuple[Occurrence, ...]:
    with database.read() as connection:
        return occurrences_of(connection, "compose:daily", until=until)


def test_an_occurrence_is_claimed_once(database: Database) -> None:
    assert claim(database)
    assert not claim(database)
    assert kept(database) == (Occurrence(local_date=DAY, due_at=DUE, done_at=NOW, outcome=STARTED),)


def test_an_unfinished_occurrence_is_taken_over_after_the_lease(database: Database) -> None:
    assert claim(database)
    assert not claim(database, NOW + LEASE - timedelta(seconds=1))
    assert claim(database, NOW + LEASE)
    assert not claim(database, NOW + LEASE)


def test_a_finished_occurrence_stays_done(database: Database) -> None:
    claim(database)
    with database.write() as connection:
        finish_occurrence(connection, "compose:daily", local_date=DAY, outcome="composed", now=NOW)
    assert not claim(database, NOW + 10 * LEASE)
    assert [(each.outcome, each.done) for each in kept(database)] == [("composed", True)]


def test_a_claim_given_back_can_be_taken_at_once(database: Database) -> None:
    claim(database)
    with database.write() as connection:
        release_occurrence(connection, "compose:daily", local_date=DAY)
    assert kept(database) == ()
    assert claim(database)


def test_a_finished_occurrence_is_not_given_back(database: Database) -> None:
    claim(database)
    with database.write() as connection:
        finish_occurrence(connection, "compose:daily", local_date=DAY, outcome="composed", now=NOW)
        release_occurrence(connection, "compose:daily", local_date=DAY)
    assert len(kept(database)) == 1


def test_the_latest_come_first_and_the_future_is_left_out(database: Database) -> None:
    with database.write() as connection:
        for offset in (0, 1, 2):
            later = timedelta(days=offset)
            occurrence = Occurrence(
                local_date=DAY + later, due_at=DUE + later, done_at=NOW, outcome="composed"
            )
            assert note_occurrence(connection, "compose:daily", occurrence)
            assert not note_occurrence(connection, "compose:daily", occurrence)
    found = kept(database, DUE + timedelta(days=1))
    assert [each.local_date for each in found] == [DAY + timedelta(days=1), DAY]


def test_of_many_ticks_at_once_one_claims_it(database: Database) -> None:
    barrier, won = Barrier(4), []

    def tick() -> None:
        barrier.wait()
        won.append(claim(database))

    threads = [Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False, False, False, True]
