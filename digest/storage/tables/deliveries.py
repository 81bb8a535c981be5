"""The tables of the ledger: deliveries, the slices in which they are sent, and the pace of each server."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    event,
    text,
)

from subscribers.store.tables import Key, Moment, metadata

# The states of a delivery that is open. The values are written out and not bound as parameters, so that the
# planner can estimate how few rows match.
SENDABLE = text("deliveries.state IN ('queued', 'deferred')")

deliveries = Table(
    "deliveries",
    metadata,
    # Not a foreign key, because PostgreSQL would look it up for each row that is addressed.
    Column("edition_id", String, primary_key=True),
    Column("subscriber_id", Key, primary_key=True, autoincrement=False),
    Column("variant", String, nullable=False),  # the reader's choice of topics when addressed
    Column("state", String, nullable=False),  # digest.model.deliveries.DeliveryState
    Column("due_at", Moment),  # empty: goes at once if it is queued, or is settled
    Column("owner", String),  # only if uncertain: the sender that had it on the wire
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("code", Integer),
    Column("reply", String, nullable=False, server_default=""),
    Column("changed_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)
# Percent of a page that PostgreSQL fills with new rows. A delivery is updated once, a slice with each group.
ROOM = {"deliveries": 50, "slices": 20}

# The counts that pages show of editions that have ended, because counting a large edition takes a second.
tallies = Table(
    "tallies",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("tally", JSON, nullable=False),  # see digest.storage.ledger.tallies
)

# A range of an edition's deliveries, written by one sender at a time; see digest.storage.ledger.slices. The
# deliveries on the wire are kept here and not in their own rows, so that one row is written for each group.
slices = Table(
    "slices",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("first_id", Key, nullable=False),  # of subscribers
    Column("last_id", Key, nullable=False),
    Column("fence", Integer, nullable=False, server_default="0"),  # raised each time the slice is taken
    Column("owner", String),  # the sender that has it; see digest.storage.owner
    Column("wire", LargeBinary, nullable=False),  # ids of deliveries it may have written to a server
    Column("due_at", Moment),  # when the first of its open deliveries is due; empty: none is open
    Column("moved_at", Moment, nullable=False),  # when it was last written by its sender
)


@event.listens_for(deliveries, "after_create")
@event.listens_for(slices, "after_create")
def _leave_room(table: Table, connection: Connection, **_: object) -> None:
    """Let PostgreSQL leave room beside each row for its next version, which then needs no new index entry."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"ALTER TABLE {table.name} SET (fillfactor = {ROOM[table.name]})"))


meters = Table(
    "meters",
    metadata,
    Column("scope", String, primary_key=True),  # "server smtp.example.org", "domain gmail.com"
    Column("buckets", JSON, nullable=False),  # by the unit of their limit; see digest.limits.buckets
    Column("share", Integer),  # percent of the full pace when last slowed; empty if never slowed
    Column("slowed_at", Moment),  # the last time
    Column("slowed_since", Moment),  # when it last had its full pace
    Column("reason", String, nullable=False, server_default=""),  # the reply that slowed it
    Column("changed_at", Moment, nullable=False),
)
