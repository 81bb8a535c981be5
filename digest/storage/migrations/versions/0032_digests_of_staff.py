"""Keep which digests a person of the staff works on; so far, everybody works on all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    op.add_column("staff", sa.Column("digests", sa.String(), server_default="*", nullable=False))
