"""The tables of the ledger: deliveries, the processes that send them, and the pace of each server."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    event,
    text,
)

from subscribers.store.tables import Key, Moment, metadata

# The states that a sender may claim. The values are written out and not bound as parameters, so that the
# planner can estimate how few rows match.
SENDABLE = text("deliveries.state IN ('queued', 'deferred')")

deliveries = Table(
    "deliveries",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
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
_DUE = Index("ix_deliveries_due", *deliveries.c["edition_id", "due_at", "subscriber_id"])
_DUE.dialect_options["sqlite"]["where"] = deliveries.c.due_at.is_not(None)


@event.listens_for(deliveries, "before_create")
def _spell_for_postgresql(_table: Table, connection: Connection, **_: object) -> None:
    """Make the index partial on PostgreSQL too, but only there.

    An option in the Index itself would load the dialect of PostgreSQL everywhere, which takes 2 MB.
    """
    if connection.dialect.name == "postgresql":
        _DUE.dialect_options["postgresql"]["where"] = deliveries.c.due_at.is_not(None)


# The counts that pages show of editions that have ended, because counting a large edition takes a second.
tallies = Table(
    "tallies",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("tally", JSON, nullable=False),  # see digest.storage.ledger.tallies
)

# Claims and marks are kept here and not in the rows of deliveries, so that a page or a group is claimed or
# marked by writing one row.
senders = Table(
    "senders",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("owner", String, primary_key=True),  # see digest.storage.ledger.owner
    Column("lease_until", Moment, nullable=False),
    Column("claimed", LargeBinary, nullable=False),  # ids, see digest.storage.ledger.senders
    Column("wire", LargeBinary, nullable=False),  # ids of deliveries it may have written to a server
)

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
