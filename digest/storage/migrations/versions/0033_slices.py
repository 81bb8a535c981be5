"""Send editions in slices: a row for each range of deliveries takes the place of a row for each sender."""

from __future__ import annotations

import struct

import sqlalchemy as sa
from alembic import op

from subscribers.store.tables import Key, Moment

revision = "0033"
down_revision = "0032"

_SIZE = 5_000
_NO_ANSWER = "the sender ended before the server answered"
_OPEN = "state IN ('queued', 'deferred')"
# Editions that are over have no slices; `digest retry` makes them.
_CUT = f"""
INSERT INTO slices (edition_id, number, first_id, last_id, fence, wire, due_at, moved_at)
SELECT edition_id, number, min(id), max(id), 0, :nothing, started_at, started_at
FROM (
    SELECT d.edition_id, d.subscriber_id AS id, e.started_at,
        (row_number() OVER (PARTITION BY d.edition_id ORDER BY d.subscriber_id) - 1) / {_SIZE} AS number
    FROM deliveries d JOIN editions e ON e.id = d.edition_id
    WHERE e.started_at IS NOT NULL
        AND d.edition_id IN (SELECT DISTINCT edition_id FROM deliveries WHERE {_OPEN})
) AS numbered
GROUP BY edition_id, number, started_at
"""


def upgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "slices",
        sa.Column("edition_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_id", Key, nullable=False),
        sa.Column("last_id", Key, nullable=False),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("wire", sa.LargeBinary(), nullable=False),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("moved_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name=op.f("fk_slices_edition_id")),
        sa.PrimaryKeyConstraint("edition_id", "number", name=op.f("pk_slices")),
    )
    _doubt_what_is_on_the_wire()
    op.drop_table("senders")
    op.drop_index("ix_deliveries_due", table_name="deliveries")
    if on_postgresql:
        op.drop_constraint(op.f("fk_deliveries_edition_id"), "deliveries", type_="foreignkey")
        op.execute("ALTER TABLE deliveries SET (fillfactor = 50)")
        op.execute("ALTER TABLE slices SET (fillfactor = 20)")
    else:
        _make_anew()
    op.execute(sa.text(_CUT).bindparams(nothing=b""))
    op.drop_column("editions", "at_once")


def _doubt_what_is_on_the_wire() -> None:
    """No sender of the earlier version may go on, so what it had on the wire is uncertain."""
    connection = op.get_bind()
    doubted = sa.text(
        f"UPDATE deliveries SET state = 'uncertain', due_at = NULL, owner = :owner, reply = :reply,"
        f" tries = tries + 1 WHERE edition_id = :edition AND subscriber_id = :reader AND {_OPEN}"
    )
    for edition, owner, wire in connection.execute(sa.text("SELECT edition_id, owner, wire FROM senders")):
        for (reader,) in struct.iter_unpack("<q", wire):
            these = {"edition": edition, "owner": owner, "reader": reader, "reply": _NO_ANSWER}
            connection.execute(doubted, these)


def _make_anew() -> None:
    """SQLite drops no foreign key: a new table takes the place of the old one."""
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
        sa.PrimaryKeyConstraint("edition_id", "subscriber_id", name=op.f("pk_deliveries")),
        sqlite_with_rowid=False,
    )
    columns = "edition_id, subscriber_id, variant, state, due_at, owner, tries, code, reply, changed_at"
    op.execute(f"INSERT INTO deliveries ({columns}) SELECT {columns} FROM old_deliveries")
    op.drop_table("old_deliveries")
