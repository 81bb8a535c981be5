from __future__ import annotations

import pytest

from digest.model.deliveries import Result
from digest.storage.database import Database
from digest.storage.ledger.outcomes import choices, list_deliveries, retry
from subscribers.store.mailable import mailable
from tests.send.world import EDITION, NOW, add_reader
from tests.storage.ledger import STATE, addressed, begin, recipients, rejected, states, step, taken


def test_deliveries_are_listed_in_pages(database: Database) -> None:
    begin(database, readers=5)
    with database.read() as connection:
        first = list_deliveries(connection, EDITION, limit=3)
        rest = list_deliveries(connection, EDITION, after=first[-1].subscriber_id, limit=3)
        none = list_deliveries(connection, EDITION, states=[STATE.REJECTED])
    assert [row.subscriber_id for row in (*first, *rest)] == [1, 2, 3, 4, 5]
    assert none == ()


def test_readers_are_counted_by_choice(database: Database) -> None:
    begin(database, readers=4)
    add_reader(database, 5, "climate", form="text")
    with database.read() as connection:
        everybody = choices(connection, mailable("daily", NOW))
        waiting = choices(connection, mailable("daily", NOW), EDITION)
    assert everybody == (
        ("", "html", 1),
        ("-sport", "html", 1),
        ("climate", "html", 1),
        ("climate", "text", 1),
        ("space", "html", 1),
    )
    assert sum(count for _, _, count in waiting) == 4


@pytest.fixture
def failed(database: Database) -> Database:
    begin(database)
    for number, host in enumerate(["example.org", "Example.ORG", "other.test", "notexample.org"], start=1):
        add_reader(database, number, address=f"reader{number}@{host}")
    addressed(database)
    ana = taken(database)
    step(database, ana, wire=[1, 2, 3, 4])
    broken = Result(2, STATE.UNCERTAIN, None, None, "the connection broke")
    answers = [rejected(key)._replace(code=550 + key // 4) for key in (1, 3, 4)]
    step(database, ana, *answers, broken, leaves=True)
    return database


def test_failed_deliveries_are_queued_again_by_state_code_and_domain(failed: Database) -> None:
    with failed.write() as connection:
        assert retry(connection, EDITION, [STATE.REJECTED], now=NOW, code=551) == 1
        assert (
            retry(connection, EDITION, [STATE.REJECTED, STATE.UNCERTAIN], now=NOW, domain="example.org") == 2
        )
    assert states(failed) == {1: STATE.QUEUED, 2: STATE.QUEUED, 3: STATE.REJECTED, 4: STATE.QUEUED}
    assert [reader.tries for reader in recipients(failed, taken(failed))] == [0, 0, 0]


def test_accepted_deliveries_cannot_be_queued_again(failed: Database) -> None:
    with failed.write() as connection, pytest.raises(ValueError, match="only deferred, rejected, uncertain"):
        retry(connection, EDITION, [STATE.ACCEPTED], now=NOW)
