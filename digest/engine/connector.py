"""The engine's connections: a query waits for a database that is away, and listening begins again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from digest.engine.schema import NOT_INSTALLED, EngineError
from digest.storage.database import SESSION
from digest.storage.database import is_outage as is_outage_of_database

try:
    import psycopg
    from procrastinate import PsycopgConnector
    from procrastinate.connector import Notify
    from procrastinate.exceptions import ConnectorException, UniqueViolation
    from psycopg.errors import RaiseException
    from psycopg_pool import AsyncConnectionPool
except ImportError as missing:
    raise EngineError(NOT_INSTALLED) from missing

log = logging.getLogger(__name__)
# We log each failure in one sentence. Procrastinate would add a traceback, and the pool would repeat the
# failure with each try.
for _logger in ("procrastinate", "psycopg.pool"):
    logging.getLogger(_logger).setLevel(logging.CRITICAL)

_FIRST_PAUSE = 0.25  # seconds before a query is tried again; then twice as many
_LONGEST_PAUSE = 2.0
# Jobs are hints: what a crash forgets of them is found again in the ledger, so no commit waits for the disk
# or a standby. The statistics know nothing of jobs that were just stored, and PostgreSQL would then read and
# sort all of them for each that is fetched. Without sorting, it takes the first of an index.
_CHEAP = "SET synchronous_commit = off; SET enable_sort = off"
Value = TypeVar("Value")


class PatientConnector(PsycopgConnector):
    """Connections for a worker. Procrastinate's own end the worker's tasks when the database is away.

    A query that was committed before its answer was lost runs twice: a job may then be `doing` although no
    line does it, and its node removes it.
    """

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        """Run a statement. Nothing is changed about a job that is gone, or that another one replaces."""
        try:
            await _patiently(lambda: super(PatientConnector, self).execute_query_async(query, **arguments))
        except ConnectorException as error:
            if not isinstance(error, UniqueViolation) and not isinstance(error.__cause__, RaiseException):
                raise
            log.debug("the engine: %s", error.__cause__ or error)

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        """Run a query and return one row."""
        return await _patiently(
            lambda: super(PatientConnector, self).execute_query_one_async(query, **arguments)
        )

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        """Run a query and return all rows."""
        return await _patiently(
            lambda: super(PatientConnector, self).execute_query_all_async(query, **arguments)
        )

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """Listen until the task is cancelled."""
        names = tuple(channels)
        await _patiently(lambda: super(PatientConnector, self).listen_notify(on_notification, names))


async def prepare_session(connection: psycopg.AsyncConnection[Any]) -> None:
    """Let the server end the session of a process that is frozen or cut off, and make its queries cheap."""
    # Each of its queries is one statement, and BEGIN and COMMIT would be two more ways to the database.
    await connection.set_autocommit(True)
    await connection.execute(f"{SESSION}; {_CHEAP}")


def unchecked_pool(**arguments: Any) -> AsyncConnectionPool:
    """Return a pool that does not try each connection first, because a query that fails is tried again."""
    return AsyncConnectionPool(**{**arguments, "check": None})


async def _patiently(query: Callable[[], Awaitable[Value]]) -> Value:
    pause = _FIRST_PAUSE
    while True:
        try:
            return await query()
        except ConnectorException as error:
            if not is_outage(error):
                raise
            log.debug("the engine waits for the database: %s", error.__cause__)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def is_outage(error: ConnectorException) -> bool:
    """Tell whether an error of the engine means that the database is away."""
    return is_outage_of_database(error.__cause__, psycopg)
