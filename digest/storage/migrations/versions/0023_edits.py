"""Keep the edits of editions, and their bases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Moment

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.add_column("editions", sa.Column("base", sa.Text()))
    op.create_table(
        "edits",
        sa.Column("edition_id", sa.String(), sa.ForeignKey("editions.id"), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("operation", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("edition_id", "number"),
    )
