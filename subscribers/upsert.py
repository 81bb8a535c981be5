"""An INSERT that can say ON CONFLICT, as the engine at hand spells it."""

from __future__ import annotations

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def upsert(connection: Connection, table: Table) -> sqlite.Insert:
    """Return such an INSERT; the dialect of PostgreSQL, 2 MB, is loaded only where it is spoken."""
    if connection.dialect.name != "postgresql":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    insert: sqlite.Insert = postgresql.insert(table)  # type: ignore[assignment]  # both have the same methods
    return insert
