"""Keep where the links of editions lead, and the points of SpamAssassin, so that no page waits for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Moment

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.create_table(
        "link_answers",
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("checked_at", Moment(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column("leads_to", sa.String(), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("url"),
    )
    op.create_index("ix_link_answers_checked_at", "link_answers", ["checked_at"])
    op.create_table(
        "spam_scores",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("checked_at", Moment(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
