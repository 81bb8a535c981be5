"""Keep how often a feed may be asked, what it answered, and a redirect until it has proved itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Moment

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    for name in ("wishes", "pace", "takers"):
        op.add_column("feeds", sa.Column(name, sa.String(), server_default="", nullable=False))
    for name in ("body_hash", "moved_to"):
        op.add_column("feeds", sa.Column(name, sa.String()))
    for name in ("whole_at", "changed_at", "failed_at", "moved_at"):
        op.add_column("feeds", sa.Column(name, Moment()))
    op.add_column("feeds", sa.Column("moved_seen", sa.Integer(), server_default="0", nullable=False))
