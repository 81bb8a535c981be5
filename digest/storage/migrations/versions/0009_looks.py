"""Keep what an approval covers with the edition: its templates and its fixed words."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Moment

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "looks",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_looks")),
    )
    op.create_table(
        "template_sources",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_template_sources")),
    )
    op.add_column("editions", sa.Column("look", sa.String(), nullable=True))
    op.add_column("editions", sa.Column("voided_at", Moment(), nullable=True))
