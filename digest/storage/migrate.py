"""Check whether a database has the tables of this version, and migrate it if not.

Alembic is imported only where it is used, because it takes 9 MB and most runs find nothing to change.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, func, inspect, select, table

from digest.model.errors import DatabaseError
from digest.storage.database import Database, shown
from digest.storage.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS = Path(__file__).parent / "migrations"
_STAMP = table("alembic_version", column("version_num"))
_LOCK = 20_261_122  # an arbitrary number, so that processes that start together migrate one after the other


def migrate(database: Database) -> None:
    """Create or change the tables so that they fit this version; a second call does nothing.

    Raises DatabaseError if the database was made by a newer version of the program.
    """
    if _stamp(database) != newest():
        upgrade(database)


def newest() -> str:
    """Return the number of the newest migration, from the name of its file: "0001_first_tables.py"."""
    steps = (SCRIPTS / "versions").glob("[0-9]*.py")
    return max(step.name.partition("_")[0] for step in steps)


def _stamp(database: Database) -> str | None:
    with database.read() as connection:
        if not inspect(connection).has_table(_STAMP.name):
            return None
        return connection.execute(select(_STAMP.c.version_num)).scalar()


def upgrade(database: Database, to: str = "head") -> None:
    """Run the missing migrations up to `to`. Raises DatabaseError if a newer version made the database."""
    from alembic import command

    config = _config()
    with database.write() as connection:
        if connection.dialect.name == "postgresql":  # SQLite has taken its only write lock already
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        _refuse_newer(connection, config, shown(database.engine.url))
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def differences(connection: Connection) -> list[object]:
    """Return the differences between the tables in the database and in the code; empty if they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    return config


def _refuse_newer(connection: Connection, config: Config, name: str) -> None:
    """Raise DatabaseError if this program does not know the version of the database."""
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        return
    try:
        ScriptDirectory.from_config(config).get_revision(current)
    except CommandError as error:
        raise DatabaseError(
            f"{name} was made by a newer version of this program ({current}); install that version or newer"
        ) from error
