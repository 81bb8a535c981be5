"""Gathering on a real database: editions that do not fit into one email wait, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from digest.compose.gather import compose_gathered
from digest.model.editions import Composed, Edition, EditionState, StepCause
from digest.storage.database import Database
from digest.storage.editions.drafts import insert_edition
from digest.storage.editions.gatherings import ungathered
from digest.storage.editions.lists import list_editions
from digest.storage.editions.steps import advance, pause
from subscribers.model import Frequency
from tests.compose.newsroom import is_locked, meanwhile
from tests.compose.samples import NOW
from tests.compose.test_gather import edition, gather_input

BEFORE = NOW - timedelta(days=1)


def send(database: Database, *sent: Edition) -> None:
    with database.write() as connection:
        for each in sent:
            insert_edition(connection, each)
            for state in (EditionState.APPROVED, EditionState.SENDING, EditionState.SENT):
                advance(connection, each.id, state, StepCause(at=NOW))


def composed(database: Database, fits: Callable[[Edition], bool] = lambda _: True) -> Composed:
    return compose_gathered(database, gather_input(), since=BEFORE, fits=fits)


def in_full(made: Edition) -> int:
    return sum(len(section.stories) for section in made.sections) + (made.lead is not None)


def titles(made: Composed) -> set[str]:
    assert made.record
    return {story.title for story in made.record.edition.stories()}


def test_sent_editions_are_gathered_once(database: Database) -> None:
    send(database, edition(0, "Tram", "Bridge"), edition(1, "Lighthouse"))
    made = composed(database)
    assert titles(made) == {"Tram", "Bridge", "Lighthouse"}
    assert made.record
    assert (made.record.frequency, made.record.state) == (Frequency.WEEKLY, EditionState.DRAFT)
    assert made.record.edition.number == 1
    assert composed(database).reason == "there is already daily-weekly-2026-11-23 (draft)"
    with database.write() as connection:
        advance(connection, made.record.edition.id, EditionState.CANCELLED, StepCause(at=NOW))
    again = composed(database)
    assert again.record
    assert (again.record.edition.id, again.record.edition.number) == ("daily-weekly-2026-11-23-2", 1)
    assert titles(again) == titles(made)
    with database.write() as connection:
        for state in (EditionState.APPROVED, EditionState.SENDING, EditionState.CANCELLED):
            advance(connection, again.record.edition.id, state, StepCause(at=NOW))
    assert composed(database).reason == "nothing has been sent since the last weekly edition"


@pytest.mark.parametrize("room", [3, 1, 0])
def test_stories_that_do_not_fit_into_one_email_become_headlines(sqlite: Database, room: int) -> None:
    send(sqlite, edition(0, "Tram", "Bridge"), edition(1, "Lighthouse", "Island"))
    made = composed(sqlite, lambda made: in_full(made) <= max(room, 1))
    assert made.record
    assert in_full(made.record.edition) <= max(room, 1)
    assert titles(made) == {"Tram", "Bridge", "Lighthouse", "Island"}


def test_when_headlines_do_not_fit_either_the_newest_editions_wait_for_the_next(database: Database) -> None:
    send(database, edition(0, "Tram", "Bridge"), edition(1, "Lighthouse"), edition(2, "Island"))
    made = composed(database, lambda made: sum(1 for _ in made.stories()) <= 3)
    assert titles(made) == {"Tram", "Bridge", "Lighthouse"}
    with database.read() as connection:
        left = ungathered(connection, "daily", Frequency.WEEKLY, since=BEFORE)
    assert left == ("daily-2026-11-24",)


def test_one_edition_that_fits_in_no_way_is_gathered_all_the_same(sqlite: Database) -> None:
    send(sqlite, edition(0, "Tram"), edition(1, "Bridge"))
    assert titles(composed(sqlite, lambda _: False)) == {"Tram"}


def test_nothing_is_locked_while_emails_are_rendered(database: Database) -> None:
    send(database, edition(0, "Tram"))
    locked: list[bool] = []

    def look(_edition: Edition) -> bool:
        locked.append(is_locked(database))
        return True

    assert composed(database, look).used == 1
    assert locked == [False]


def test_an_edition_that_goes_out_meanwhile_is_gathered_too(database: Database) -> None:
    send(database, edition(0, "Tram"))
    made = composed(database, meanwhile(lambda: send(database, edition(1, "Lighthouse"))))
    assert titles(made) == {"Tram", "Lighthouse"}
    assert composed(database).reason == "there is already daily-weekly-2026-11-23 (draft)"


def test_an_edition_that_is_paused_meanwhile_waits_for_the_next(database: Database) -> None:
    send(database, edition(0, "Tram"), edition(1, "Lighthouse"))
    with database.write() as connection:
        insert_edition(connection, edition(2, "Island"))
        for state in (EditionState.APPROVED, EditionState.SENDING):
            advance(connection, "daily-2026-11-24", state, StepCause(at=NOW))

    def hold() -> None:
        with database.write() as connection:
            pause(connection, "daily-2026-11-24", StepCause(at=NOW, why="a look"))

    assert titles(composed(database, meanwhile(hold))) == {"Tram", "Lighthouse"}


def test_when_another_process_gathers_meanwhile_there_is_one_edition(database: Database) -> None:
    send(database, edition(0, "Tram"))
    others: list[Composed] = []
    made = composed(database, meanwhile(lambda: others.append(composed(database))))
    assert made == Composed(record=None, reason="there is already daily-weekly-2026-11-23 (draft)")
    assert [titles(other) for other in others] == [{"Tram"}]
    with database.read() as connection:
        assert len(list_editions(connection)) == 2


def test_an_id_that_was_taken_in_the_meantime_is_not_used_again(database: Database) -> None:
    send(database, edition(0, "Tram"))

    def gather_and_cancel() -> None:
        other = composed(database).record
        assert other
        with database.write() as connection:
            advance(connection, other.edition.id, EditionState.CANCELLED, StepCause(at=NOW))

    made = composed(database, meanwhile(gather_and_cancel))
    assert made.record
    assert made.record.edition.id == "daily-weekly-2026-11-23-2"
    assert titles(made) == {"Tram"}


def test_when_something_goes_out_each_time_the_last_plan_is_made_with_others_locked_out(
    database: Database,
) -> None:
    send(database, edition(0, "Tram"))
    locked: list[bool] = []

    def look(_edition: Edition) -> bool:
        locked.append(is_locked(database))
        if not locked[-1]:
            send(database, edition(len(locked), f"Owl {len(locked)}"))
        return True

    made = composed(database, look)
    assert locked == [False, False, False, True]
    assert titles(made) == {"Tram", "Owl 1", "Owl 2", "Owl 3"}
