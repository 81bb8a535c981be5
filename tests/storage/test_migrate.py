from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from digest.model.errors import DatabaseError
from digest.storage.database import Database, open_database
from digest.storage.migrate import differences, migrate, newest


def test_an_empty_database_gets_exactly_the_tables_of_the_code(empty_url: str) -> None:
    database = _migrated(empty_url)
    with database.read() as connection:
        assert differences(connection) == []
    database.close()


def test_migrating_again_changes_nothing(empty_url: str) -> None:
    database = _migrated(empty_url)
    migrate(database)
    with database.read() as connection:
        assert differences(connection) == []
    database.close()


def test_a_current_database_has_the_number_of_the_newest_migration(empty_url: str) -> None:
    database = _migrated(empty_url)
    with database.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == newest()
    database.close()


def test_an_up_to_date_database_does_not_need_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/digest.db"
    _migrated(url).close()
    code = f"""
import sys
from digest.storage.database import open_database
from digest.storage.migrate import migrate
database = open_database({url!r})
migrate(database)
database.close()
sys.exit("alembic" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_database_of_a_newer_version_is_refused_and_left_alone(empty_url: str) -> None:
    database = _migrated(empty_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="newer version"):
        migrate(database)
    with database.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    database.close()


def test_processes_that_start_at_once_migrate_in_turn(empty_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        for database in pool.map(_migrated, [empty_url] * 4):
            database.close()


def _migrated(url: str) -> Database:
    database = open_database(url)
    migrate(database)
    return database
