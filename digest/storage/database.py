"""Open the database: one writer at a time on SQLite, the same calls on PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy import Connection as Connection  # re-exported, because only storage imports SQLAlchemy
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import StaticPool

from digest.model.errors import DatabaseError

_PATIENCE = 30.0  # seconds that a connection to SQLite waits while another connection writes


@dataclass(frozen=True, slots=True)
class Database:
    """An open database. Use connections briefly, and never hold one during network I/O."""

    engine: Engine
    # Leases go by the clock of PostgreSQL, because the clocks of the nodes may differ. SQLite serves one
    # machine, so its leases go by the caller's `now`. Tests set this on PostgreSQL too, to move the time.
    leases_by_caller: bool = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection for reading; changes made on it are rolled back."""
        with self._connection() as connection:
            yield connection
            connection.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection in one write transaction, which is committed if the block ends without error."""
        with self._connection(write=True) as connection:
            yield connection
            connection.commit()

    @contextmanager
    def _connection(self, *, write: bool = False) -> Iterator[Connection]:
        driver: Any = self.engine.dialect.loaded_dbapi
        try:
            with self.engine.connect() as connection:
                connection.execution_options(digest_leases_by_caller=self.leases_by_caller)
                if write:
                    connection.execution_options(digest_write=True)
                # SQLAlchemy would begin with its first statement, but `Prepared` statements bypass it.
                connection.begin()
                yield connection
        except (DBAPIError, driver.Error) as error:
            raised = error.orig if isinstance(error, DBAPIError) else error
            # A plain DatabaseError means "not a database" or "malformed". Its other subclasses are our bugs.
            if not isinstance(raised, driver.OperationalError) and type(raised) is not driver.DatabaseError:
                raise
            reason = str(raised).partition("\n")[0]
            raise DatabaseError(f"{shown(self.engine.url)}: {reason}") from error

    def close(self) -> None:
        """Close every connection; SQLite then merges its write-ahead log into the file."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Open the database at `url`: "sqlite:///path", "sqlite://" (in memory) or "postgresql://…".

    Creates only the folder of an SQLite file; `migrate` creates the tables. Raises DatabaseError for a URL
    that cannot be used.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseError("the database url must be sqlite:///path or postgresql://…") from error
    if parsed.get_backend_name() == "sqlite":
        return Database(_open_sqlite(parsed), leases_by_caller=True)
    if parsed.get_backend_name() == "postgresql":
        return Database(_open_postgresql(parsed))
    raise DatabaseError(f"{shown(parsed)}: only sqlite and postgresql are supported")


def shown(url: URL) -> str:
    """Return `url` without its password, to be printed."""
    return url.render_as_string(hide_password=True)


def _open_postgresql(url: URL) -> Engine:
    try:
        return create_engine(url, pool_pre_ping=True)
    except ImportError as error:
        raise DatabaseError(
            "postgresql needs psycopg: pip install 'newsletter-digest[postgresql]'"
        ) from error


def _open_sqlite(url: URL) -> Engine:
    in_memory = url.database in (None, "", ":memory:")
    options: dict[str, Any] = {"connect_args": {"timeout": _PATIENCE, "check_same_thread": False}}
    if in_memory:
        options["poolclass"] = StaticPool
    else:
        try:
            Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(f"{shown(url)}: its folder cannot be made: {error.strerror}") from error
    engine = create_engine(url, **options)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    """Set up a connection to SQLite: commits survive a power cut, and foreign keys are enforced."""
    connection.isolation_level = None
    _log_ahead(connection)
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA cache_size=-1000")  # KB; lists are read in order, so a larger cache would not help
    cursor.close()


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Switch the file to write-ahead logging, which is permanent."""
    # If several connections switch a new file at once, SQLite lets one do it and refuses the others at once,
    # without its time-out. So we wait here.
    deadline = monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > deadline:
                raise
        sleep(0.01)


def _begin(connection: Connection) -> None:
    """Take the write lock at the beginning of a write transaction.

    A transaction that reads first and takes the lock later can be refused in the middle.
    """
    write = connection.get_execution_options().get("digest_write", False)
    connection.connection.cursor().execute("BEGIN IMMEDIATE" if write else "BEGIN DEFERRED")
