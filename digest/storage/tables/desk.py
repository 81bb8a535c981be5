"""The tables of the desk: what people say and find about an edition, which is never a part of it."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, false

from subscribers.store.tables import Moment, metadata

# Append-only. They are about an edition and never a part of it.
comments = Table(
    "comments",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("story", String),  # the id of its first post; null: about the whole edition
    Column("answers", Integer),  # the number of an earlier comment
    Column("by", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("text", Text, nullable=False),
)

# Append-only. They stand on the web copy of an edition that has been sent, whose snapshot stays as it is.
corrections = Table(
    "corrections",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("by", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("text", Text, nullable=False),  # Markdown
)

# The people who are looking at an edition on the desk. A row counts for a minute.
presences = Table(
    "presences",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("person", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("place", String, nullable=False, server_default=""),  # of a story or a topic
    Column("unsaved", Boolean, nullable=False, server_default=false()),  # with text that is not saved
    Column("seen_at", Moment, nullable=False),
    Index("ix_presences_seen_at", "seen_at"),
)

link_answers = Table(
    "link_answers",
    metadata,
    Column("url", String, primary_key=True),  # of a link or a picture in an edition
    Column("checked_at", Moment, nullable=False),
    Column("problem", String, nullable=False),  # why readers find no page; empty if they find one
    Column("leads_to", String, nullable=False),  # after redirects; empty: nowhere else
    Column("answered", Boolean, nullable=False),  # False: nothing is known
    Index("ix_link_answers_checked_at", "checked_at"),
)

spam_scores = Table(
    "spam_scores",
    metadata,
    Column("hash", String, primary_key=True),  # of an edition's snapshot
    Column("checked_at", Moment, nullable=False),
    Column("score", Float, nullable=False),  # points of SpamAssassin
    Column("rules", JSON, nullable=False),  # names, each with its points
)
