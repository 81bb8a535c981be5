from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from digest.model.editions import EditionState, StepCause
from digest.storage.database import Database, open_database
from digest.storage.editions.archive import newest_public_id
from digest.storage.editions.drafts import insert_edition, taken_ids
from digest.storage.editions.due import open_edition
from digest.storage.editions.gatherings import note_gathered, stopped_since, ungathered
from digest.storage.editions.lists import last_edition
from digest.storage.editions.records import load_edition
from digest.storage.editions.steps import advance, pause, resume
from digest.storage.migrate import migrate, upgrade
from subscribers.model import Frequency
from tests.compose.samples import NOW
from tests.storage.test_editions import edition, keep, step

state = EditionState
WEEK = "daily-weekly-2026-11-30"
BEFORE = NOW - timedelta(seconds=1)
SENDING = (state.APPROVED, state.SENDING)


def keep_week(database: Database, *gathered: str, frequency: Frequency = Frequency.WEEKLY) -> None:
    """Save a gathered edition of these editions."""
    with database.write() as connection:
        insert_edition(connection, replace(edition(8), id=WEEK), frequency)
        if gathered:
            note_gathered(connection, gathered, frequency, WEEK)


def waiting(database: Database, frequency: Frequency = Frequency.WEEKLY) -> list[str]:
    with database.read() as connection:
        return [each[-2:] for each in ungathered(connection, "daily", frequency, since=BEFORE)]


def test_editions_that_go_out_or_have_gone_out_await_gathering_oldest_first(database: Database) -> None:
    days = [edition(day) for day in range(6)]
    keep(database, *days, edition(0, "weekend"))
    step(database, *SENDING, of=days[1])
    step(database, *SENDING, state.SENT, of=days[0])
    step(database, state.SKIPPED, of=days[2])
    step(database, state.CANCELLED, of=days[3])
    step(database, *SENDING, state.CANCELLED, of=days[4])
    step(database, *SENDING, of=edition(0, "weekend"))
    assert waiting(database) == ["22", "23"]
    with database.read() as connection:
        assert ungathered(connection, "daily", Frequency.WEEKLY, since=NOW) == ()


def test_a_paused_edition_waits_for_the_next_time(database: Database) -> None:
    keep(database, edition())
    step(database, *SENDING, of=edition())
    with database.write() as connection:
        pause(connection, edition().id, StepCause(at=NOW, why="wrong lead?"))
    assert waiting(database) == []
    with database.write() as connection:
        resume(connection, edition().id, StepCause(at=NOW))
    assert waiting(database) == ["22"]


def test_each_edition_is_gathered_once_for_each_frequency(database: Database) -> None:
    keep(database, edition(0), edition(1))
    for each in (edition(0), edition(1)):
        step(database, *SENDING, of=each)
    keep_week(database, edition(0).id)
    assert waiting(database) == ["23"]
    assert waiting(database, Frequency.DAILY) == ["22", "23"]
    with pytest.raises(IntegrityError), database.write() as connection:
        note_gathered(connection, [edition(0).id], Frequency.WEEKLY, WEEK)


@pytest.mark.parametrize(
    ("steps", "given_back"),
    [
        ((state.SKIPPED,), True),
        ((state.APPROVED, state.CANCELLED), True),
        ((*SENDING, state.CANCELLED), False),
        ((*SENDING, state.SENT), False),
    ],
)
def test_an_edition_that_reaches_nobody_releases_what_it_gathered(
    database: Database, steps: tuple[EditionState, ...], given_back: bool
) -> None:
    keep(database, edition())
    step(database, *SENDING, of=edition())
    keep_week(database, edition().id)
    with database.write() as connection:
        for each in steps:
            advance(connection, WEEK, each, StepCause(at=NOW))
    assert waiting(database) == (["22"] if given_back else [])  # never a gathered edition


def test_it_is_known_whether_something_gathered_was_stopped_since(database: Database) -> None:
    keep(database, edition(0), edition(1))
    for each in (edition(0), edition(1)):
        step(database, *SENDING, of=each)
    keep_week(database, edition(0).id)
    with database.write() as connection:
        advance(connection, edition(1).id, state.CANCELLED, StepCause(at=NOW))
        assert stopped_since(connection, WEEK) is None
        pause(connection, edition(0).id, StepCause(at=NOW, why="wrong lead?"))
        assert stopped_since(connection, WEEK) == edition(0).id
        resume(connection, edition(0).id, StepCause(at=NOW))
        assert stopped_since(connection, WEEK) is None
        advance(connection, edition(0).id, state.CANCELLED, StepCause(at=NOW))
        assert stopped_since(connection, WEEK) == edition(0).id


def test_a_gathered_edition_is_found_only_by_its_id(database: Database) -> None:
    keep(database, edition(0))
    keep_week(database)
    step(database, *SENDING, of=edition())
    day = edition(8).local_date
    with database.write() as connection:
        assert load_edition(connection, WEEK).frequency is Frequency.WEEKLY
        assert load_edition(connection, edition().id).frequency is Frequency.EACH
        assert open_edition(connection, "daily", day) is None
        assert open_edition(connection, "daily", day, Frequency.WEEKLY) is not None
        assert open_edition(connection, "daily", day, Frequency.DAILY) is None
        assert taken_ids(connection, WEEK) == {WEEK}
        for each in SENDING:
            advance(connection, WEEK, each, StepCause(at=NOW))
        last = last_edition(connection, "daily")
        assert newest_public_id(connection, "daily") == edition().id
    assert last
    assert last.edition.id == edition().id


def test_older_editions_have_the_frequency_each(empty_url: str) -> None:
    database = open_database(empty_url)
    upgrade(database, "0002")
    columns = "id, digest, local_date, state, cutoff_at, send_at, snapshot, hash"
    with database.write() as connection:
        connection.execute(
            text(
                f"INSERT INTO editions ({columns}) VALUES ('daily-2026-11-20', 'daily', '2026-11-20', 'sent',"
                " '2026-11-20 06:30', '2026-11-20 07:00', '', '')"
            )
        )
    migrate(database)
    with database.read() as connection:
        assert connection.execute(text("SELECT frequency FROM editions")).scalar_one() == "each"
    database.close()
