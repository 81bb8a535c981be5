"""Remember what was found at the addresses of pictures, and keep copies of pictures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Moment

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "pictures",
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("checked_at", Moment(), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("copy", sa.String()),
        sa.Column("copy_width", sa.Integer()),
        sa.Column("copy_height", sa.Integer()),
        sa.Column("leads_to", sa.String()),
        sa.PrimaryKeyConstraint("url"),
    )
    op.create_index("ix_pictures_copy", "pictures", ["copy"])
    op.create_table(
        "picture_copies",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("large", sa.LargeBinary(), nullable=False),
        sa.Column("small", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
