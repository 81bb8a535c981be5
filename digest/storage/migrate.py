"""See whether a database has the tables of this version, and bring it there if not."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import column, inspect, select, table

from digest.storage.database import Database

_STAMP = table("alembic_version", column("version_num"))


def migrate(database: Database) -> None:
    """Make or change the tables so that they fit this version; a second call does nothing.

    Raises DatabaseError when the database was made by a newer version of the program.
    """
    if _stamp(database) != newest():
        from digest.storage.upgrade import upgrade  # alembic: 9 MB that a database as it should be spares

        upgrade(database)


def newest() -> str:
    """Return the name of the last step, which its file begins with: "0001_first_tables.py"."""
    steps = (Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py")
    return max(step.name.partition("_")[0] for step in steps)


def _stamp(database: Database) -> str | None:
    with database.read() as connection:
        if not inspect(connection).has_table(_STAMP.name):
            return None
        return connection.execute(select(_STAMP.c.version_num)).scalar()
