"""Provide a PostgreSQL database with the tables of the engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from digest.engine.schema import ensure_tables
from digest.storage.database import Database, open_database


@pytest.fixture
def jobs_database(postgresql_url: str) -> Iterator[Database]:
    """Yield a database on PostgreSQL with all tables, also the engine's."""
    database = open_database(postgresql_url)
    ensure_tables(database)
    yield database
    database.close()
