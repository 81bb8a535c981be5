"""The verb that gathers, on a real database: what does not fit into one mail waits, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from digest.compose.gathered import compose_gathered
from digest.model import Composed, Edition, EditionState
from digest.storage.database import Database
from digest.storage.editions import insert_edition
from digest.storage.gatherings import ungathered
from digest.storage.steps import advance
from subscribers.model import Frequency
from tests.compose.samples import NOW
from tests.compose.test_gather import edition, order

BEFORE = NOW - timedelta(days=1)


def send(database: Database, *sent: Edition) -> None:
    with database.write() as connection:
        for each in sent:
            insert_edition(connection, each)
            for state in (EditionState.APPROVED, EditionState.SENDING, EditionState.SENT):
                advance(connection, each.id, state, NOW)


def composed(database: Database, fits: Callable[[Edition], bool] = lambda _: True) -> Composed:
    return compose_gathered(database, order(), since=BEFORE, fits=fits)


def in_full(made: Edition) -> int:
    return sum(len(section.stories) for section in made.sections) + (made.lead is not None)


def titles(made: Composed) -> set[str]:
    assert made.record
    return {story.title for story in made.record.edition.stories()}


def test_what_went_out_is_gathered_once(database: Database) -> None:
    send(database, edition(0, "Tram", "Bridge"), edition(1, "Lighthouse"))
    made = composed(database)
    assert titles(made) == {"Tram", "Bridge", "Lighthouse"}
    assert made.record
    assert (made.record.frequency, made.record.state) == (Frequency.WEEKLY, EditionState.DRAFT)
    assert composed(database).reason == "there is already daily-weekly-2026-11-23 (draft)"
    with database.write() as connection:
        advance(connection, made.record.edition.id, EditionState.CANCELLED, NOW)
    again = composed(database)
    assert again.record
    assert again.record.edition.id == "daily-weekly-2026-11-23-2"
    assert titles(again) == titles(made)
    with database.write() as connection:
        for state in (EditionState.APPROVED, EditionState.SENDING, EditionState.CANCELLED):
            advance(connection, again.record.edition.id, state, NOW)
    assert composed(database).reason == "nothing has gone out since the last weekly one"


@pytest.mark.parametrize("room", [3, 1, 0])
def test_what_does_not_fit_into_one_mail_is_told_in_headlines(sqlite: Database, room: int) -> None:
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
