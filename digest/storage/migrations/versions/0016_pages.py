"""Remember what the pages of posts say, so that each page is fetched once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Moment

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "pages",
        sa.Column("url", sa.String(), primary_key=True),
        sa.Column("fetched_at", Moment(), nullable=False),
        sa.Column("blurb", sa.Text(), nullable=False),
        sa.Column("image", sa.JSON()),
        sa.Column("pictures", sa.JSON(), nullable=False),
    )
