"""Keep the hub of each feed, and the subscription there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Moment

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "hubs",
        sa.Column("feed_id", sa.String(), sa.ForeignKey("feeds.id"), nullable=False),
        sa.Column("hub", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("next_at", Moment(), nullable=False),
        sa.Column("asked_at", Moment()),
        sa.Column("lease_until", Moment()),
        sa.Column("pushed_at", Moment()),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("feed_id"),
    )
