"""Keep the counts of editions that have ended, and find when readers joined and left."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("edition_id", sa.String(), sa.ForeignKey("editions.id"), nullable=False),
        sa.Column("tally", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("edition_id"),
    )
    op.create_index("ix_subscribers_confirmed_at", "subscribers", ["confirmed_at"])
    op.create_index("ix_subscribers_left_at", "subscribers", ["left_at"])
    op.create_index("ix_suppressions_at", "suppressions", ["at"])
