"""Keep what a sender holds in a row of its own, and not in each delivery's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Moment

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "senders",
        sa.Column("edition_id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("lease_until", Moment(), nullable=False),
        sa.Column("claimed", sa.LargeBinary(), nullable=False),
        sa.Column("wire", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name=op.f("fk_senders_edition_id")),
        sa.PrimaryKeyConstraint("edition_id", "owner", name=op.f("pk_senders")),
    )
    op.execute("UPDATE deliveries SET state = 'queued', owner = NULL WHERE state = 'claimed'")
    op.execute(
        "UPDATE deliveries SET state = 'uncertain', reply = 'the sender ended before the server answered'"
        " WHERE state = 'wire'"
    )
    op.execute("ALTER TABLE deliveries DROP COLUMN lease_until")
