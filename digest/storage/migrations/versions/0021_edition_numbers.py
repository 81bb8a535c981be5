"""Number the editions of each digest and frequency that were sent, or are planned."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("editions", sa.Column("number", sa.Integer(), server_default="0", nullable=False))
    op.execute(
        "UPDATE editions SET number = numbered.number FROM ("
        " SELECT id, row_number() OVER (PARTITION BY digest, frequency ORDER BY send_at, id) AS number"
        " FROM editions WHERE state NOT IN ('skipped', 'cancelled') OR started_at IS NOT NULL"
        ") AS numbered WHERE numbered.id = editions.id"
    )
