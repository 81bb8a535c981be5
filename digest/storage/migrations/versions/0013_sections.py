"""Find the last posts of a feed quickly, and keep which sections each edition has, to read many at once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_index("ix_posts_feed_id", "posts", ["feed_id", "first_seen_at"])
    op.add_column("editions", sa.Column("sections", sa.JSON()))
