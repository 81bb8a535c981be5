"""Keep what each node says about itself with each beat."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Key, Moment

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.create_table(
        "nodes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("queues", sa.JSON(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("beat_at", Moment(), nullable=False),
        sa.Column("ahead", sa.Float(), nullable=False),
        sa.Column("work", sa.JSON(), nullable=False),
        sa.Column("sent", Key, nullable=False),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nodes")),
    )
