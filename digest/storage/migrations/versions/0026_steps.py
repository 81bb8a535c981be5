"""Keep the steps of editions, the comments on them, and the hash that each edit led to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Moment

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.add_column("edits", sa.Column("hash", sa.String()))
    op.create_table(
        "steps",
        sa.Column("edition_id", sa.String(), sa.ForeignKey("editions.id"), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("by", sa.String(), nullable=False, server_default=""),
        sa.Column("detail", sa.String(), nullable=False, server_default=""),
        sa.Column("edits", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("look", sa.String()),
        sa.Column("base", sa.Text()),
        sa.PrimaryKeyConstraint("edition_id", "number"),
    )
    op.create_table(
        "comments",
        sa.Column("edition_id", sa.String(), sa.ForeignKey("editions.id"), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("story", sa.String()),
        sa.Column("answers", sa.Integer()),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("edition_id", "number"),
    )
