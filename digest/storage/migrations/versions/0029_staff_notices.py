"""Keep what the staff was told, and about which digests each person is told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Key, Moment

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.add_column("staff", sa.Column("notices", sa.String(), server_default="*", nullable=False))
    op.create_table(
        "staff_notices",
        sa.Column("notice_id", Key, autoincrement=False, nullable=False),
        sa.Column("person_id", sa.String(), sa.ForeignKey("staff.id"), nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("edition_id", sa.String(), server_default="", nullable=False),
        sa.Column("snapshot", sa.String(), server_default="", nullable=False),
        sa.Column("look", sa.String(), server_default="", nullable=False),
        sa.Column("edits", sa.Integer(), server_default="0", nullable=False),
        sa.Column("detail", sa.String(), server_default="", nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("notice_id"),
        sa.UniqueConstraint("person_id", "occasion"),
    )
    op.create_index("ix_staff_notices_edition_id", "staff_notices", ["edition_id", "kind"])
    op.create_index("ix_staff_notices_occasion", "staff_notices", ["occasion"])
