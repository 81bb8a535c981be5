"""Keep who is looking at an edition on the desk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Moment

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.create_table(
        "presences",
        sa.Column("edition_id", sa.String(), sa.ForeignKey("editions.id"), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False, server_default=""),
        sa.Column("unsaved", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("edition_id", "person"),
    )
    op.create_index("ix_presences_seen_at", "presences", ["seen_at"])
