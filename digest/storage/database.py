"""Open the database: one writer at a time on SQLite, the same calls on PostgreSQL."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy import Connection as Connection  # re-exported, because only storage imports SQLAlchemy
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import StaticPool

from digest.model.errors import DatabaseError, OutageError

log = logging.getLogger(__name__)

# To PostgreSQL, of a process that does not say how many it needs. So many stay open when nothing is done.
CONNECTIONS, _KEPT = 15, 5
_SHAPE = (
    "the database url must be sqlite:///path or postgresql://user@host:port/name; several servers are written"
    " as postgresql://user@/name?host=a.example.org:5432&host=b.example.org:5432"
)
_PATIENCE = 30.0  # seconds that a connection to SQLite waits while another connection writes
# SQLite uses one class of errors for these and for mistakes in our statements.
_OUTAGES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PROTOCOL,
    }
)
# psycopg calls these internal errors. A server is read only while it is a standby, which may be promoted
# soon, or because its provider has found its disk full. The others are time-outs that end a session.
_READ_ONLY = "25006"
_SESSION_ENDED = frozenset({"25P03", "25P04"})
# `target_session_attrs` leaves out standbys, of one host or of several. A full disk can still be read.
# Without the other options, a statement waits a quarter of an hour for a server whose machine has lost its
# power. Times are in seconds, but in milliseconds for `tcp_user_timeout`.
_OPTIONS = {
    "target_session_attrs": "primary",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
# A machine that is frozen, or cut off, in the middle of a transaction keeps its locks until the server ends
# its session. Our transactions wait for nothing but the database, so the limit can be short. These are
# statements, because poolers do not pass options on. Without TCP, the last four change nothing.
SESSION = "; ".join(
    (
        "SET idle_in_transaction_session_timeout = '30s'",
        "SET tcp_keepalives_idle = 10",
        "SET tcp_keepalives_interval = 5",
        "SET tcp_keepalives_count = 3",
        "SET tcp_user_timeout = '25s'",
    )
)


@dataclass(slots=True)
class _Outage:
    """Whether the database is away, as all threads of a process have found, and whether that was logged."""

    _away: bool = False
    _for_writing: bool = False  # a full disk can be read: only a change proves that the outage is over
    _logged: bool = False
    _lock: Lock = field(default_factory=Lock)

    def begin(self, *, write: bool) -> None:
        with self._lock:
            self._away, self._for_writing = True, self._for_writing or write

    def end(self, *, write: bool) -> None:
        if not self._away or (self._for_writing and not write):
            return
        with self._lock:
            was_logged, self._logged = self._logged, False
            self._away = self._for_writing = False
        if was_logged:
            log.info("the database answers again")

    def note(self, error: OutageError) -> None:
        with self._lock:
            first, self._logged = not self._logged, True
        if first:
            log.error("%s; it is tried again until it answers", error)


@dataclass(frozen=True, slots=True)
class Database:
    """An open database. Use connections briefly, and never hold one during network I/O."""

    engine: Engine
    # Leases go by the clock of PostgreSQL, because the clocks of the nodes may differ. SQLite serves one
    # machine, so its leases go by the caller's `now`. Tests set this on PostgreSQL too, to move the time.
    leases_by_caller: bool = False
    _outage: _Outage = field(default_factory=_Outage, compare=False, repr=False)

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
        except PoolTimeoutError as error:
            # All connections are in use by threads whose commits wait for a standby or a disk.
            self._outage.begin(write=write)
            raise OutageError(f"{shown(self.engine.url)}: no connection has become free in time") from error
        except (DBAPIError, driver.Error) as error:
            raised = error.orig if isinstance(error, DBAPIError) else error
            is_away = is_outage(raised, driver)
            # A plain DatabaseError means "not a database" or "malformed". Its other subclasses are our bugs.
            unusable = isinstance(raised, driver.OperationalError) or type(raised) is driver.DatabaseError
            if not is_away and not unusable:
                raise
            reason = str(raised).partition("\n")[0]
            text = f"{shown(self.engine.url)}: {reason}"
            if not is_away:
                raise DatabaseError(text) from error
            if getattr(raised, "sqlstate", None) == _READ_ONLY:
                self.engine.dispose()  # its connections may lead to a server that another has replaced
            self._outage.begin(write=write)
            raise OutageError(text) from error
        self._outage.end(write=write)

    def clock_difference(self, now: datetime) -> timedelta:
        """Return how far `now` is ahead of the clock of the database; nothing if that is this machine's."""
        if self.leases_by_caller:
            return timedelta()
        with self.read() as connection:
            there: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return now - there

    def connect_args(self) -> dict[str, Any]:
        """Return the arguments by which psycopg connects to the same database; only for PostgreSQL."""
        _, found = self.engine.dialect.create_connect_args(self.engine.url)
        return {**_OPTIONS, **found}

    def note_outage(self, error: OutageError) -> None:
        """Log that the database is away, for a caller that will try again; once until it answers again."""
        self._outage.note(error)

    def close(self) -> None:
        """Close every connection; SQLite then merges its write-ahead log into the file."""
        self.engine.dispose()


def open_database(url: str, *, connections: int | None = None) -> Database:
    """Open the database at `url`: "sqlite:///path", "sqlite://" (in memory) or "postgresql://…".

    So many `connections` to PostgreSQL are open at the same time at most; None: CONNECTIONS. A thread that
    waits for a free one in vain, for half a minute, has an outage.
    Creates only the folder of an SQLite file; `migrate` creates the tables. Raises DatabaseError for a URL
    that cannot be used.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # the latter, if the port is no number
        raise DatabaseError(_SHAPE) from error
    if parsed.get_backend_name() == "sqlite":
        return Database(_open_sqlite(parsed), leases_by_caller=True)
    if parsed.get_backend_name() == "postgresql":
        return Database(_open_postgresql(parsed, connections))
    raise DatabaseError(f"{shown(parsed)}: only sqlite and postgresql are supported")


def is_outage(raised: object, driver: Any) -> bool:
    """Tell whether the same statement may succeed later."""
    if isinstance(raised, sqlite3.Error):
        return getattr(raised, "sqlite_errorcode", 0) & 0xFF in _OUTAGES
    state = getattr(raised, "sqlstate", None)
    return isinstance(raised, driver.OperationalError) or state == _READ_ONLY or state in _SESSION_ENDED


def shown(url: URL) -> str:
    """Return `url` without its password, to be printed."""
    return url.render_as_string(hide_password=True)


def _open_postgresql(url: URL, connections: int | None) -> Engine:
    try:
        options = {name: value for name, value in _OPTIONS.items() if name not in url.query}
        most = connections or CONNECTIONS
        kept = connections or _KEPT
        engine = create_engine(
            url,
            pool_pre_ping=True,
            connect_args=options,
            pool_size=kept,
            max_overflow=most - kept,
            hide_parameters=True,  # they have addresses, and errors are logged
        )
    except ImportError as error:
        raise DatabaseError(
            "postgresql needs psycopg: pip install 'newsletter-digest[postgresql]'"
        ) from error
    event.listen(engine, "connect", _limit_session)
    return engine


def _limit_session(connection: Any, _record: object) -> None:
    connection.autocommit = True
    connection.execute(SESSION)
    connection.autocommit = False


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
    engine = create_engine(url, hide_parameters=True, **options)
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
