"""Remember by which schedule each digest goes, and since when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Moment

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("schedule", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rule", sa.String(), nullable=True),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("schedule", "number", name=op.f("pk_schedules")),
    )
    op.execute(
        "INSERT INTO schedules (schedule, number, seen_at)"
        " SELECT schedule, 1, min(due_at) FROM occurrences GROUP BY schedule"
    )
