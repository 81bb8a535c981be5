"""An edition is addressed: each mailable reader gets one delivery, in one slice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from digest.storage.database import Database
from digest.storage.ledger import addressing, slices
from digest.storage.ledger.outcomes import counts
from digest.storage.tables import deliveries as tables
from tests.send.world import EDITION, NOW, add_edition, add_readers, leave, pause, suppress
from tests.storage.ledger import (
    STATE,
    addressed,
    begin,
    states,
)


def test_addressing_twice_gives_everybody_one_delivery(database: Database) -> None:
    begin(database, readers=5)
    assert addressed(database) == 0
    assert states(database) == dict.fromkeys(range(1, 6), STATE.QUEUED)


def test_only_mailable_readers_are_addressed(database: Database) -> None:
    add_edition(database)
    add_readers(database, 4)
    leave(database, 1)
    suppress(database, 2)
    pause(database, 3, NOW + timedelta(days=1))
    addressed(database)
    assert list(states(database)) == [4]


@pytest.mark.parametrize(
    ("readers", "size"), [(0, 500), (7_999, 500), (16_000, 1_000), (79_999, 5_000), (10_000_000, 5_000)]
)
def test_a_slice_is_large_enough_to_be_worth_it_and_a_list_has_several(readers: int, size: int) -> None:
    assert slices.size_for(readers) == size


def test_each_delivery_is_in_one_slice(database: Database) -> None:
    begin(database, readers=11, slices_of=4)
    with database.read() as connection:
        rows = connection.execute(
            select(tables.slices.c.first_id, tables.slices.c.last_id).order_by(tables.slices.c.number)
        )
        assert [tuple(row) for row in rows] == [(1, 4), (5, 8), (9, 11)]


def test_choices_that_leave_nothing_are_skipped(database: Database) -> None:
    begin(database, readers=8)
    with database.write() as connection:
        assert addressing.variants(connection, EDITION) == ("", "-sport", "climate", "space")
        chosen = ["climate", "space"]
        assert addressing.skip_variants(connection, EDITION, chosen, reason="nothing", now=NOW) == 4
        assert dict(counts(connection, EDITION).by_state) == {STATE.QUEUED: 4, STATE.SKIPPED: 4}
