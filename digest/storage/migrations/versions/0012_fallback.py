"""Keep why the feed of a WordPress site is read instead of its REST interface."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("feeds", sa.Column("fallback", sa.String(), server_default="", nullable=False))
