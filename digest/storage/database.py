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
from sqlalchemy import Connection as Connection  # for the verbs: only storage imports SQLAlchemy
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import StaticPool

from digest.errors import DatabaseError

_PATIENCE = 30.0  # seconds that a connection to SQLite waits for another that writes


@dataclass(frozen=True, slots=True)
class Database:
    """An open database. Connections are for short use: never hold one while the network is touched."""

    engine: Engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for reading; nothing done on it is kept."""
        with self._connection() as connection:
            yield connection
            connection.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in one write transaction, committed when the block ends without error."""
        with self._connection(write=True) as connection:
            yield connection
            connection.commit()

    @contextmanager
    def _connection(self, *, write: bool = False) -> Iterator[Connection]:
        driver: Any = self.engine.dialect.loaded_dbapi
        try:
            with self.engine.connect() as connection:
                if write:
                    connection = connection.execution_options(digest_write=True)
                connection.begin()  # now, for statements that are handed to the driver past SQLAlchemy
                yield connection
        except (DBAPIError, driver.Error) as error:
            raised = error.orig if isinstance(error, DBAPIError) else error
            # Plain DatabaseError is "not a database" or "is malformed"; its other kinds are our own bugs.
            if not isinstance(raised, driver.OperationalError) and type(raised) is not driver.DatabaseError:
                raise
            reason = str(raised).partition("\n")[0]
            raise DatabaseError(f"{shown(self.engine.url)}: {reason}") from error

    def close(self) -> None:
        """Close every connection; SQLite folds its log into the file."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Open the database at `url`: "sqlite:///path", "sqlite://" (in memory) or "postgresql://…".

    Nothing is created but the folder of an SQLite file; `migrate` makes the tables.
    Raises DatabaseError for a URL that cannot be used.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseError("the database url is not of the form sqlite:///path or postgresql://…") from error
    if parsed.get_backend_name() == "sqlite":
        return Database(_open_sqlite(parsed))
    if parsed.get_backend_name() == "postgresql":
        return Database(create_engine(parsed, pool_pre_ping=True))
    raise DatabaseError(f"{shown(parsed)}: only sqlite and postgresql are supported")


def shown(url: URL) -> str:
    """Return `url` fit to be printed: without its password."""
    return url.render_as_string(hide_password=True)


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
    """Set what SQLite needs to be a ledger: a log that survives a power cut, and foreign keys."""
    connection.isolation_level = None
    _log_ahead(connection)
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA cache_size=-1000")  # KB; lists are read in order, so more is of no use
    cursor.close()


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Have the file written through a log, as it stays from then on.

    Of connections that change a new file to that at once, SQLite lets one do it and turns the others away
    without its time-out.
    """
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
    """Take the write lock at once where we will write, so that no transaction is turned away later."""
    write = connection.get_execution_options().get("digest_write", False)
    connection.connection.cursor().execute("BEGIN IMMEDIATE" if write else "BEGIN DEFERRED")
