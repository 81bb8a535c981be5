"""Create the engine's tables, or change them, so that they fit the version of the engine that is installed.

Procrastinate does not record the version of its tables. The comment on its table of jobs does: it names the
last of Procrastinate's migrations that was run.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from digest.model.errors import DatabaseError
from digest.storage.database import Connection, Database, shown

if TYPE_CHECKING:
    from procrastinate.schema import SchemaManager

log = logging.getLogger(__name__)

_LOCK = 20_261_130  # an arbitrary number, so that nodes that start together do this one after the other
_BEGIN = "newsletter-digest: "
_TABLE = "procrastinate_jobs"
_OTHERS = ("procrastinate_workers", "procrastinate_events", "procrastinate_periodic_defers")
_COMMENT = (
    f"SELECT obj_description(to_regclass('{_TABLE}'), 'pg_class'), to_regclass('{_TABLE}') IS NOT NULL, "
    + " AND ".join(f"to_regclass('{name}') IS NOT NULL" for name in _OTHERS)
)


_REMAINS = f"""
DROP TABLE IF EXISTS {_TABLE}, {", ".join(_OTHERS)} CASCADE;
DO $$
DECLARE name regprocedure;
BEGIN
    FOR name IN SELECT oid FROM pg_proc
        WHERE starts_with(proname, 'procrastinate_') AND pronamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('DROP FUNCTION IF EXISTS %s CASCADE', name);
    END LOOP;
END $$;
DROP TYPE IF EXISTS
    procrastinate_job_to_defer_v1, procrastinate_job_event_type, procrastinate_job_status CASCADE;
"""
NOT_INSTALLED = "nodes need PostgreSQL and Procrastinate: pip install 'newsletter-digest[postgresql]'"


class EngineError(DatabaseError):
    """The tables of the engine cannot be used."""


def ensure_tables(database: Database) -> None:
    """Create the tables, or run the migrations that they lack; a second call does nothing.

    Raises EngineError if they are of a newer version, or were not made by this program.
    """
    if not fault_of(database):
        return
    with database.write() as connection:
        _execute(connection, f"SELECT pg_advisory_xact_lock({_LOCK})")
        stamp, exists = _stamp(connection)
        if not exists:
            _execute(connection, _REMAINS)  # the jobs that are lost were only hints
            _execute(connection, _engine().get_schema())
            log.info("made the tables of the engine")
        elif reason := _refusal(stamp, newest_migration()):
            raise EngineError(f"{shown(database.engine.url)}: {reason}")
        else:
            for path in missing_migrations(stamp, _migrations()):
                _execute(connection, path.read_text(encoding="utf-8"))
        _execute(connection, f"COMMENT ON TABLE {_TABLE} IS '{_BEGIN}{newest_migration()}'")


def fault_of(database: Database) -> str:
    """Return what is wrong with the engine's tables, as a clause; empty if they fit."""
    with database.read() as connection:
        stamp, exists = _stamp(connection)
    newest = newest_migration()
    if not exists:
        return "the tables of the engine are missing; `digest work` and `digest serve` make them"
    if reason := _refusal(stamp, newest):
        return reason
    return "" if stamp == newest else f"the tables of the engine are of an earlier version, {stamp}"


def _refusal(stamp: str, newest: str) -> str:
    if not stamp:
        return (
            f"the database has a table {_TABLE} that another program made: "
            "give this program a database of its own"
        )
    if stamp > newest:
        return (
            f"the tables of the engine are of a newer version ({stamp}) than this program knows ({newest}): "
            "update this node"
        )
    return ""


def newest_migration() -> str:
    """Return the name of the newest migration of the engine that is installed."""
    return max(path.stem for path in _migrations())


def missing_migrations(stamp: str, paths: Sequence[Path]) -> list[Path]:
    """Return the migrations after the last one that was run, in their order."""
    return sorted((path for path in paths if path.stem > stamp), key=lambda path: path.stem)


def _engine() -> type[SchemaManager]:
    """Import Procrastinate where it is used, because most installations do not need it."""
    try:
        from procrastinate.schema import SchemaManager
    except ImportError as error:
        raise EngineError(NOT_INSTALLED) from error
    return SchemaManager


def _migrations() -> list[Path]:
    return list(Path(_engine().get_migrations_path()).glob("*.sql"))


def _stamp(connection: Connection) -> tuple[str, bool]:
    """Return which migration the tables have, empty if they are not ours, and whether they exist."""
    comment, exists, is_whole = connection.connection.cursor().execute(_COMMENT).fetchone()
    is_ours = (comment or "").startswith(_BEGIN)
    # Ours are as good as none if one of them was dropped.
    return comment.removeprefix(_BEGIN) if is_ours else "", exists and (is_whole or not is_ours)


def _execute(connection: Connection, statements: str) -> None:
    connection.connection.cursor().execute(statements)
