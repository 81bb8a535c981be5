"""Keep what the scheduler reported last: when it looked at the clock, and why an edition does not go out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Moment

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.create_table(
        "reports",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("detail", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("subject"),
    )
