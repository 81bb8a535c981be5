"""Keep messages about accounts until a server has taken them, and the earlier ids of readers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Key, Moment

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subscriber_id", Key),
        sa.Column("address", sa.String()),
        sa.Column("address_hash", sa.String(), nullable=False),
        sa.Column("mailbox_hash", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("requests", sa.JSON(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_at", Moment()),
        sa.Column("owner", sa.String()),
        sa.Column("lease_until", Moment()),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("code", sa.Integer()),
        sa.Column("reply", sa.String(), server_default="", nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_notices_subscriber_id"),
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_notices_due_at", "notices", ["due_at"])
    op.create_index("ix_notices_subscriber_id", "notices", ["subscriber_id", "made_at"])
    op.create_index("ix_notices_mailbox_hash", "notices", ["mailbox_hash", "made_at"])
    op.create_index("ix_notices_address_hash", "notices", ["address_hash"])
    op.create_table(
        "earlier_ids",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("subscriber_id", Key, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_earlier_ids")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_earlier_ids_subscriber_id"),
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_earlier_ids_subscriber_id", "earlier_ids", ["subscriber_id"])
