"""Keep corrections of editions that have been sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Moment

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.create_table(
        "corrections",
        sa.Column("edition_id", sa.String(), sa.ForeignKey("editions.id"), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("edition_id", "number"),
    )
