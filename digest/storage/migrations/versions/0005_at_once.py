"""Give copies that go at once no due time, and so no place in the index of what is due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Key, Moment

revision = "0005"
down_revision = "0004"

_OVER = "state NOT IN ('queued', 'deferred')"


def upgrade() -> None:
    op.add_column("editions", sa.Column("at_once", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.drop_index("ix_deliveries_due", table_name="deliveries")
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("deliveries", "due_at", nullable=True)
        op.execute(f"UPDATE deliveries SET due_at = NULL WHERE {_OVER}")
    else:
        _make_anew()
    timed = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["edition_id", "due_at", "subscriber_id"],
        sqlite_where=timed,
        postgresql_where=timed,
    )


def _make_anew() -> None:
    """SQLite changes no column: a new table takes the place of the old one."""
    op.rename_table("deliveries", "old_deliveries")
    op.create_table(
        "deliveries",
        sa.Column("edition_id", sa.String(), nullable=False),
        sa.Column("subscriber_id", Key, autoincrement=False, nullable=False),
        sa.Column("variant", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("reply", sa.String(), server_default="", nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name=op.f("fk_deliveries_edition_id")),
        sa.PrimaryKeyConstraint("edition_id", "subscriber_id", name=op.f("pk_deliveries")),
        sqlite_with_rowid=False,
    )
    columns = "edition_id, subscriber_id, variant, state, owner, tries, code, reply, changed_at"
    op.execute(
        f"INSERT INTO deliveries ({columns}, due_at)"
        f" SELECT {columns}, CASE WHEN {_OVER} THEN NULL ELSE due_at END FROM old_deliveries"
    )
    op.drop_table("old_deliveries")
