"""Let editions be gathered for readers who chose to be mailed daily or weekly."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("editions", sa.Column("frequency", sa.String(), server_default="each", nullable=False))
    op.create_table(
        "gatherings",
        sa.Column("edition_id", sa.String(), nullable=False),
        sa.Column("frequency", sa.String(), nullable=False),
        sa.Column("gathered_in", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name=op.f("fk_gatherings_edition_id")),
        sa.ForeignKeyConstraint(["gathered_in"], ["editions.id"], name=op.f("fk_gatherings_gathered_in")),
        sa.PrimaryKeyConstraint("edition_id", "frequency", name=op.f("pk_gatherings")),
    )
    op.create_index("ix_gatherings_gathered_in", "gatherings", ["gathered_in"])
