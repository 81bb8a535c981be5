"""The tables of editions: their frozen snapshots, what has happened to them, and what approvals cover."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Date, ForeignKey, Index, Integer, String, Table, Text

from subscribers.store.tables import Moment, metadata

editions = Table(
    "editions",
    metadata,
    Column("id", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("local_date", Date, nullable=False),
    Column("frequency", String, nullable=False, server_default="each"),  # subscribers.model.Frequency
    Column("number", Integer, nullable=False, server_default="0"),  # among those of its digest and frequency
    Column("state", String, nullable=False),
    Column("cutoff_at", Moment, nullable=False),
    Column("send_at", Moment, nullable=False),
    Column("snapshot", Text, nullable=False),  # canonical JSON
    Column("hash", String, nullable=False),
    Column("base", Text),  # the snapshot without the edits; null: there are none
    # [slug, title, stories] of each section, from the snapshot; empty in editions of earlier versions.
    Column("sections", JSON),
    Column("reason", String, nullable=False, server_default=""),
    Column("approved_by", String),
    Column("approved_at", Moment),
    Column("look", String),  # the hash of what its approval covers; it is sent with this look and no other
    Column("voided_at", Moment),  # when its last approval became void, if it was not approved again
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("paused_at", Moment),  # if set, nothing of the edition is sent, whatever its state
    # True: deliveries without a due time may be queued. False: none are.
    Index("ix_editions_digest", "digest", "local_date"),
    Index("ix_editions_state", "state", "send_at"),
)

# Append-only. `operation` is an object of digest.compose.edits.operations.
edits = Table(
    "edits",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("by", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("operation", JSON, nullable=False),
    Column("hash", String),  # of the snapshot with this edit and those saved with it; null: not known
)

# Append-only: what has happened to an edition besides its edits.
steps = Table(
    "steps",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("kind", String, nullable=False),  # digest.model.editions.StepKind
    Column("at", Moment, nullable=False),
    Column("by", String, nullable=False, server_default=""),  # empty: the program
    Column("detail", String, nullable=False, server_default=""),
    Column("edits", Integer, nullable=False),  # how many the edition had
    Column("hash", String, nullable=False),  # of the snapshot, after the step
    Column("look", String),
    Column("base", Text),  # the base that this step has replaced; null: it has the same base as before
)

gatherings = Table(
    "gatherings",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),  # the gathered part
    Column("frequency", String, primary_key=True),  # part of the key: gathered once for each frequency
    Column("gathered_in", String, ForeignKey("editions.id"), nullable=False),
    Index("ix_gatherings_gathered_in", "gathered_in"),
)

looks = Table(
    "looks",
    metadata,
    Column("hash", String, primary_key=True),  # SHA-256 of the content
    Column("content", Text, nullable=False),  # canonical JSON; see digest.message.look
)

template_sources = Table(
    "template_sources",
    metadata,
    Column("hash", String, primary_key=True),  # SHA-256 of the source, which many looks share
    Column("source", Text, nullable=False),
)
