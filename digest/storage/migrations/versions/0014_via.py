"""Keep the publication that had a post first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("posts", sa.Column("via", sa.JSON()))
