"""Keep the accounts, sessions, tokens and actions of the staff."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Key, Moment

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_table(
        "staff",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("folded", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("added_at", Moment(), nullable=False),
        sa.Column("password", sa.String()),
        sa.Column("totp", sa.String()),
        sa.Column("totp_step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("recovery", sa.JSON(), nullable=False),
        sa.Column("subject", sa.String()),
        sa.Column("link", sa.String()),
        sa.Column("link_until", Moment()),
        sa.Column("signed_in_at", Moment()),
        sa.Column("removed_at", Moment()),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("folded"),
        sa.UniqueConstraint("subject"),
        sa.UniqueConstraint("link"),
    )
    op.create_table(
        "staff_sessions",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), sa.ForeignKey("staff.id"), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("browser", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("ix_staff_sessions_person_id", "staff_sessions", ["person_id"])
    op.create_table(
        "staff_tokens",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), sa.ForeignKey("staff.id"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("used_at", Moment()),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("ix_staff_tokens_person_id", "staff_tokens", ["person_id"])
    op.create_table(
        "staff_audit",
        sa.Column("id", Key, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("person_id", sa.String(), sa.ForeignKey("staff.id")),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_staff_audit_at", "staff_audit", ["at"])
    op.create_index("ix_staff_audit_person_id", "staff_audit", ["person_id", "at"])
