"""Databases with all tables: copies of one that is made once, because making tables takes half a second."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection

from digest.storage.database import open_database
from digest.storage.migrate import migrate
from digest.storage.tables import metadata


def create_tables(connection: Connection) -> None:
    """Create all tables that are missing."""
    if connection.dialect.name == "sqlite" and not connection.dialect.get_table_names(connection):
        for statement in _statements():
            connection.exec_driver_sql(statement)
    else:
        metadata.create_all(connection)


def copy_sqlite(path: Path) -> str:
    """Write an SQLite database as a first run of the program leaves it, and return its URL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_migrated())
    return f"sqlite:///{path}"


@cache
def _migrated() -> bytes:
    with TemporaryDirectory(prefix="tables-") as folder:
        path = Path(folder, "digest.db")
        database = open_database(f"sqlite:///{path}")
        migrate(database)
        database.close()
        return path.read_bytes()


@cache
def _statements() -> tuple[str, ...]:
    """Return the statements that create the tables in SQLite."""
    database = open_database("sqlite://")
    with database.write() as connection:
        metadata.create_all(connection)
        found = connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY rowid"
        )
        statements = tuple(str(row[0]) for row in found)
    database.close()
    return statements
