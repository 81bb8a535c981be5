from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from digest.engine.schema import EngineError, ensure_tables, fault_of, missing_migrations, newest_migration
from digest.storage.database import Database


def run(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.execute(text(statement))


def test_the_tables_are_made_once(jobs_database: Database) -> None:
    run(jobs_database, "INSERT INTO procrastinate_workers DEFAULT VALUES")
    ensure_tables(jobs_database)
    with jobs_database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM procrastinate_workers")) == 1
    assert fault_of(jobs_database) == ""


@pytest.mark.parametrize("table", ["procrastinate_jobs", "procrastinate_workers", "procrastinate_events"])
def test_tables_that_are_missing_are_made_again_because_jobs_are_only_hints(
    jobs_database: Database, table: str
) -> None:
    run(jobs_database, f"DROP TABLE {table} CASCADE")
    assert "are missing" in fault_of(jobs_database)
    ensure_tables(jobs_database)
    assert fault_of(jobs_database) == ""


def test_tables_of_a_newer_version_are_refused(jobs_database: Database) -> None:
    run(jobs_database, "COMMENT ON TABLE procrastinate_jobs IS 'newsletter-digest: 99.00.00_01_later'")
    with pytest.raises(EngineError, match=r"newer version .99.00.00_01_later.*update this node"):
        ensure_tables(jobs_database)


def test_tables_of_another_program_are_refused(jobs_database: Database) -> None:
    run(jobs_database, "COMMENT ON TABLE procrastinate_jobs IS NULL")
    with pytest.raises(EngineError, match="another program made: give this program a database of its own"):
        ensure_tables(jobs_database)


def test_tables_of_an_earlier_version_get_the_migrations_that_they_lack() -> None:
    paths = [
        Path(f"{name}.sql") for name in ("03.02.00_50_b", "03.04.00_01_d", "03.02.00_01_a", "03.03.00_01_c")
    ]
    found = missing_migrations("03.02.00_50_b", paths)
    assert [path.stem for path in found] == ["03.03.00_01_c", "03.04.00_01_d"]


def test_a_last_migration_that_was_not_recorded_runs_again_and_is_then_recorded(
    jobs_database: Database,
) -> None:
    # The newest migration replaces functions, so it can run twice.
    before = sorted(path.stem for path in Path(_migrations()).glob("*.sql") if path.stem < newest_migration())
    run(jobs_database, f"COMMENT ON TABLE procrastinate_jobs IS 'newsletter-digest: {before[-1]}'")
    assert before[-1] in fault_of(jobs_database)
    ensure_tables(jobs_database)
    assert fault_of(jobs_database) == ""


def _migrations() -> str:
    from procrastinate.schema import SchemaManager

    return SchemaManager.get_migrations_path()
