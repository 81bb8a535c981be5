"""Change a database's tables step by step to those of this version; alembic is known here alone."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, func, select

from digest.errors import DatabaseError
from digest.storage.database import Database, shown
from digest.storage.tables import metadata

SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 20_261_122  # any number of our own: two processes that start at once migrate in turn


def upgrade(database: Database, to: str = "head") -> None:
    """Run every step that is missing, or up to `to`; DatabaseError when a newer version has been there."""
    config = _config()
    with database.write() as connection:
        if connection.dialect.name == "postgresql":  # SQLite has taken its only write lock already
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        _refuse_newer(connection, config, shown(database.engine.url))
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def differences(connection: Connection) -> list[object]:
    """Return how the tables in the database differ from those in the code; empty when they agree."""
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    return config


def _refuse_newer(connection: Connection, config: Config, name: str) -> None:
    """Refuse a database whose version this program has never heard of."""
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        return
    try:
        ScriptDirectory.from_config(config).get_revision(current)
    except CommandError as error:
        raise DatabaseError(
            f"{name}: made by a newer version of this program ({current}); install that version or newer"
        ) from error
