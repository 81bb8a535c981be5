"""Keep the pictures that a feed offers with a post, those that are left out with the reasons."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("posts", sa.Column("pictures", sa.JSON()))
