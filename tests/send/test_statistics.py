"""On PostgreSQL, a group of a later edition costs as much as a group of the first edition."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from digest.model.editions import EditionState, StepCause
from digest.send.send import send
from digest.storage.database import Database
from digest.storage.editions.drafts import insert_edition
from digest.storage.editions.steps import advance
from digest.storage.ledger.addressing import ANALYSED_FROM
from digest.storage.ledger.settling import SETTLE_ON_POSTGRESQL
from tests.send.world import NOW, Clock, Recorder, edition, outbox
from tests.storage.ledger import with_tables

READERS = 20_000
GROUP = 50


def test_a_group_of_a_later_edition_reads_as_little_as_a_group_of_the_first(postgresql_url: str) -> None:
    database = with_tables(postgresql_url)
    add_many_readers(database, READERS)
    first = plan_of_a_group(database, "daily-first")
    be_sent_and_analysed(database, "daily-first")
    later = plan_of_a_group(database, "daily-later")
    database.close()
    assert rows_read(first) == rows_read(later) == GROUP
    assert later["Shared Hit Blocks"] <= 2 * first["Shared Hit Blocks"]


@pytest.mark.parametrize(("readers", "analysed"), [(ANALYSED_FROM - 1, 0), (ANALYSED_FROM, 1)])
def test_only_a_large_edition_is_analysed_and_only_when_it_is_addressed(
    postgresql_url: str, readers: int, analysed: int
) -> None:
    database = with_tables(postgresql_url)
    add_many_readers(database, readers)
    for _ in range(3):
        plan_of_a_group(database, "daily-first")
    with database.read() as connection:
        connection.execute(text("SELECT pg_stat_clear_snapshot()"))
        counted = "SELECT analyze_count FROM pg_stat_user_tables WHERE relname = 'deliveries'"
        assert connection.scalar(text(counted)) == analysed
    database.close()


def plan_of_a_group(database: Database, edition_id: str) -> Mapping[str, Any]:
    """Send one group of an edition, and return the plan of settling it while it is on the wire."""
    with database.write() as connection:
        if not connection.scalar(text("SELECT count(*) FROM editions WHERE id = :id"), {"id": edition_id}):
            insert_edition(connection, replace(edition(), id=edition_id))
            advance(connection, edition_id, EditionState.APPROVED, StepCause(at=NOW, by="Ana"))
    plans: list[Mapping[str, Any]] = []
    transport = Recorder()
    transport.before_answer = lambda: plans.append(
        settling(database, edition_id, [message.key for message in transport.messages])
    )
    sizes = outbox(transport, group=GROUP)
    send(database, edition_id, outbox=sizes, clock=Clock(), stop=lambda: bool(transport.messages))
    return plans[0]


def settling(database: Database, edition_id: str, keys: list[int]) -> Mapping[str, Any]:
    count = len(keys)
    answers = keys, ["accepted"] * count, [None] * count, [250] * count, ["2.0.0 queued"] * count, [1] * count
    with database.read() as connection:
        cursor = connection.connection.cursor()
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {SETTLE_ON_POSTGRESQL}"
        cursor.execute(explain, (NOW + timedelta(minutes=1), *answers, edition_id))
        [(found,)] = cursor.fetchall()
    plan: Mapping[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return plan


def rows_read(plan: Mapping[str, Any]) -> float:
    """Return how many rows of the ledger a plan read, with those that it did not use."""
    of_ledger = [
        part for part in parts(plan) if part.get("Relation Name") == "deliveries" and "scan" in kind(part)
    ]
    return sum(
        float(part["Actual Loops"] * (part["Actual Rows"] + part.get("Rows Removed by Filter", 0)))
        for part in of_ledger
    )


def parts(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from parts(part)


def kind(part: Mapping[str, Any]) -> str:
    return str(part["Node Type"]).lower()


def be_sent_and_analysed(database: Database, edition_id: str) -> None:
    with database.write() as connection:
        sent = "UPDATE deliveries SET state = 'accepted' WHERE edition_id = :id"
        connection.execute(text(sent), {"id": edition_id})
        connection.execute(text("ANALYZE deliveries"))


def add_many_readers(database: Database, count: int) -> None:
    numbers = f"FROM generate_series(1, {count}) AS number"
    with database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO subscribers"
                " (id, address, folded, address_hash, state, language, format, created_at)"
                " SELECT number, 'reader' || number || '@example.org', 'reader' || number || '@example.org',"
                f" 'hash-' || number, 'active', 'en', 'html', :now {numbers}"
            ),
            {"now": NOW},
        )
        connection.execute(
            text(
                "INSERT INTO subscriptions (subscriber_id, digest, state, topics, changed_at)"
                f" SELECT number, 'daily', 'active', '', :now {numbers}"
            ),
            {"now": NOW},
        )
