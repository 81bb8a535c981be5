"""The tables of schedules: the dates that are done, the rules as they were seen, and the last reports."""

from __future__ import annotations

from sqlalchemy import Column, Date, Integer, String, Table

from subscribers.store.tables import Moment, metadata

occurrences = Table(
    "occurrences",
    metadata,
    Column("schedule", String, primary_key=True),  # "compose:daily"
    Column("local_date", Date, primary_key=True),
    Column("due_at", Moment, nullable=False),
    Column("done_at", Moment, nullable=False),
    Column("outcome", String, nullable=False),
)

schedules = Table(
    "schedules",
    metadata,
    Column("schedule", String, primary_key=True),  # as in occurrences
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1; of two writers, one conflicts
    Column("rule", String),  # see digest.schedule.seen
    Column("seen_at", Moment, nullable=False),
)

# More subjects of `reports`. No edition has such an id, because theirs end with a date.
WATCH = "watch"  # a node looked after the ledger
WATCH_RESUMED = "watch resumed"  # a node did so again, after a gap
# The last reports of the scheduler and the nodes. A row is replaced by the next report about its subject.
reports = Table(
    "reports",
    metadata,
    Column("subject", String, primary_key=True),  # "scheduler": it looked at the clock; or an edition's id
    Column("at", Moment, nullable=False),
    Column("detail", String, nullable=False, server_default=""),  # why the edition could not be sent
)
