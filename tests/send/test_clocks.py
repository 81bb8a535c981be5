"""On PostgreSQL, leases go by the database's clock, so the clocks of the nodes need not agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from digest.model.editions import EditionState
from digest.send.retries import Doubt, RetryRules
from digest.storage.database import open_database
from digest.storage.ledger.senders import expire
from tests.send.world import EDITION, NOW, Clock, Recorder, add_edition, add_readers, run
from tests.storage.ledger import ANA, STATE, begin, claimed, marked, states, with_tables

AHEAD = timedelta(seconds=125)  # more than a lease


@pytest.mark.parametrize("difference", [AHEAD, -AHEAD])
def test_a_node_with_another_time_takes_nothing_back_and_nobody_is_mailed_twice(
    postgresql_url: str, difference: timedelta
) -> None:
    with_tables(postgresql_url).close()
    database = open_database(postgresql_url)
    add_edition(database)
    add_readers(database, 80)
    here, there = Recorder(), Recorder()
    resend = RetryRules(doubt=Doubt.RESEND)

    def let_the_other_send() -> None:
        here.before_answer = lambda: None
        run(database, there, Clock(NOW + max(difference, timedelta())), rules=resend)

    here.before_answer = let_the_other_send
    sent = run(database, here, Clock(NOW + max(-difference, timedelta())), rules=resend)
    database.close()
    assert len(here.messages) == 3, "the other has sent all that this one did not hold"
    assert sorted(here.keys + there.keys) == list(range(1, 81))
    assert sent.record.state is EditionState.SENT


@pytest.mark.parametrize("node", [NOW - timedelta(days=9), NOW + timedelta(days=900)])
def test_a_lease_runs_out_by_the_databases_clock_alone(postgresql_url: str, node: datetime) -> None:
    with_tables(postgresql_url).close()
    database = open_database(postgresql_url)
    begin(database, readers=3)
    claimed(database, replace(ANA, lease=timedelta()), limit=1)
    claimed(database, replace(ANA, owner="ben"), limit=3)
    with database.write() as connection:
        assert expire(connection, EDITION, now=node, lease=timedelta()) == 1
    assert states(database) == {1: STATE.QUEUED, 2: STATE.CLAIMED, 3: STATE.CLAIMED}
    database.close()


def test_each_step_renews_the_lease_by_the_databases_clock(postgresql_url: str) -> None:
    with_tables(postgresql_url).close()
    database = open_database(postgresql_url)
    begin(database, readers=1)
    claimed(database, replace(ANA, lease=timedelta()))
    assert marked(database, [1], ANA) == [1]
    with database.write() as connection:
        assert expire(connection, EDITION, now=NOW + timedelta(days=900)) == 0
    database.close()
