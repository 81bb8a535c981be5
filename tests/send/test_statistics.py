"""On PostgreSQL, a group of an edition that the planner does not know costs as much as one of the first."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, text

from digest.model.editions import EditionState, StepCause
from digest.storage.database import Database
from digest.storage.editions.drafts import insert_edition
from digest.storage.editions.steps import advance
from digest.storage.ledger import deliveries as ledger
from digest.storage.ledger import senders, slices
from digest.storage.ledger.addressing import address
from digest.storage.ledger.deliveries import Step
from subscribers.store.mailable import mailable
from tests.send.world import NOW, edition
from tests.storage.ledger import accepted, with_tables

READERS = 20_000
GROUP = 50
EARLIER = 30  # editions

# Blocks of the ledger that this connection has asked for, from memory or from the disk.
BLOCKS = """
SELECT sum(pg_stat_get_xact_blocks_fetched(oid)) FROM pg_class
WHERE relname IN ('deliveries', 'pk_deliveries', 'slices', 'pk_slices')
"""

MANY_SLICES = f"""
INSERT INTO slices (edition_id, number, first_id, last_id, wire, moved_at, owner, due_at)
SELECT 'daily-' || edition, number, number, number, '', :now,
    CASE edition WHEN 7 THEN 'ana' END, CASE edition WHEN 7 THEN CAST(:now AS timestamptz) END
FROM generate_series(0, {EARLIER - 1}) AS edition, generate_series(0, 299) AS number
"""


def test_a_group_of_an_edition_without_statistics_reads_no_more_blocks(postgresql_url: str) -> None:
    database = with_tables(postgresql_url)
    add_many_readers(database, READERS)
    first = blocks_of_a_group(database, "daily-first")
    add_sent_editions(database, EARLIER)
    later = blocks_of_a_group(database, "daily-next")
    again = blocks_of_a_group(database, "daily-next")
    database.close()
    assert again <= later <= first
    assert first <= 4 * GROUP, "each delivery is looked up once and updated once"


def test_looking_for_slices_without_a_sender_reads_none_of_earlier_editions(postgresql_url: str) -> None:
    database = with_tables(postgresql_url)
    with database.write() as connection:
        for number in range(EARLIER):
            insert_edition(connection, replace(edition(), id=f"daily-{number}"))
        connection.execute(text("UPDATE editions SET state = 'sent'"))
        connection.execute(text("UPDATE editions SET state = 'sending' WHERE id = 'daily-7'"))
        connection.execute(text(MANY_SLICES), {"now": NOW})
        connection.execute(text("ANALYZE slices, editions"))
    with database.read() as connection:
        before = blocks(connection)
        assert senders.owners(connection) == ("ana",)
        found = senders.without_sender(connection, NOW, ended=["ana"])
        assert found == tuple(("daily-7", number) for number in range(300))
        assert senders.with_nothing_open(connection) == ()
        read = blocks(connection) - before
        everything = connection.scalar(text("SELECT pg_relation_size('slices') / 8192"))
    database.close()
    assert read < everything / 4


def blocks_of_a_group(database: Database, edition_id: str) -> int:
    """Send two groups; return the blocks for the second, with recording the answers of the first."""
    with database.write() as connection:
        if not connection.scalar(text("SELECT count(*) FROM editions WHERE id = :id"), {"id": edition_id}):
            insert_edition(connection, replace(edition(), id=edition_id))
            advance(connection, edition_id, EditionState.APPROVED, StepCause(at=NOW, by="Ana"))
            advance(connection, edition_id, EditionState.SENDING, StepCause(at=NOW))
            address(connection, edition_id, mailable("daily", NOW), now=NOW)
    with database.write() as connection:
        ana = slices.Sender(edition_id=edition_id, owner="ana")
        taken = slices.take(connection, ana, now=NOW, due_by=NOW)
        assert taken
        held, due = taken[0], ledger.due_in(connection, taken[0], NOW)
    first = due[:GROUP]
    with database.write() as connection:
        ledger.write(connection, Step(slice=held, wire=first), now=NOW)
    with database.write() as connection:
        before = blocks(connection)
        assert ledger.is_going(connection, edition_id)
        readers = mailable("daily", NOW)
        second = ledger.recipients(connection, readers, edition_id, due[GROUP : 2 * GROUP], NOW)
        assert len(second) == GROUP
        wire = [reader.subscriber_id for reader in second]
        step = Step(slice=held, wire=wire, results=[accepted(key) for key in first])
        assert ledger.write(connection, step, now=NOW)
        return blocks(connection) - before


def blocks(connection: Connection) -> int:
    return int(connection.scalar(text(BLOCKS)) or 0)


def add_sent_editions(database: Database, count: int) -> None:
    """Fill the ledger with editions that were sent to 2,000 readers each, and analyse it."""
    rows = (
        "INSERT INTO deliveries (edition_id, subscriber_id, variant, state, changed_at)"
        " SELECT 'daily-' || edition, number, '', 'accepted', :now"
        f" FROM generate_series(1, {count}) AS edition, generate_series(1, 2000) AS number"
    )
    with database.write() as connection:
        connection.execute(text(rows), {"now": NOW})
        connection.execute(text("UPDATE deliveries SET state = 'accepted' WHERE edition_id = 'daily-first'"))
    with database.write() as connection:
        connection.execute(text("ANALYZE"))


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
        connection.execute(text("ANALYZE subscribers, subscriptions"))
