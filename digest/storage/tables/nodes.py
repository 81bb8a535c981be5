"""The table of the nodes, which say with each beat what they do."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, Integer, String, Table

from subscribers.store.tables import Key, Moment, metadata

nodes = Table(
    "nodes",
    metadata,
    Column("id", String, primary_key=True),
    Column("host", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", String, nullable=False),
    Column("queues", JSON, nullable=False),  # it takes jobs of these alone; empty: of all
    Column("lines", Integer, nullable=False),
    Column("started_at", Moment, nullable=False),  # by its own clock
    Column("beat_at", Moment, nullable=False),  # by the database's clock
    Column("ahead", Float, nullable=False),  # seconds that its own clock was beyond the database's then
    Column("work", JSON, nullable=False),  # kind, subject, and the time since when, by its own clock
    Column("sent", Key, nullable=False),  # messages that it has handled since it started
    Column("rate", Float, nullable=False),  # messages a second
    Column("note", String, nullable=False),  # why it takes no more jobs; normally empty
)
