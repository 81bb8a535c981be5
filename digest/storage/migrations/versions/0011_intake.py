"""Keep what decides whether a post is held, is gone from its feed, or may be missing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Moment

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("posts", sa.Column("place", sa.Integer(), server_default="0", nullable=False))
    op.add_column("posts", sa.Column("missed", sa.Integer(), server_default="0", nullable=False))
    op.add_column("digest_posts", sa.Column("held_until", Moment()))
    op.add_column("feeds", sa.Column("gap", sa.Integer(), server_default="0", nullable=False))
    op.add_column("feeds", sa.Column("gap_at", Moment()))
