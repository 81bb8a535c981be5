from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path
from select import select as readable
from threading import Timer

import pytest
from sqlalchemy import create_engine, insert, select

from digest.model.errors import DatabaseError, OutageError
from digest.storage.database import Database, open_database
from digest.storage.tables.schedules import occurrences


def test_changes_on_a_connection_for_reading_are_not_kept(database: Database) -> None:
    row = _row()
    with database.read() as connection:
        connection.execute(insert(occurrences).values(row))
    with database.read() as connection:
        assert connection.execute(select(occurrences)).all() == []


def test_times_come_back_as_aware_utc(database: Database) -> None:
    row = _row()
    with database.write() as connection:
        connection.execute(insert(occurrences).values(row))
    with database.read() as connection:
        kept = connection.execute(select(occurrences)).one()
    assert kept._asdict() == row
    assert kept.due_at.utcoffset().total_seconds() == 0


def test_an_error_in_the_block_undoes_the_writing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as connection:
        connection.execute(insert(occurrences).values(_row()))
        raise RuntimeError
    with database.read() as connection:
        assert connection.execute(select(occurrences)).all() == []


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/digest", "postgresql://a,b:1,2/digest"])
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(DatabaseError):
        open_database(url)


def test_a_file_that_is_not_a_database_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "digest.db").write_text("This is the text of something else altogether. " * 50)
    database = open_database(f"sqlite:///{tmp_path / 'digest.db'}")
    with pytest.raises(DatabaseError, match=r"^sqlite:.*not a database$"), database.read():
        pass


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(DatabaseError, match="folder cannot be made"):
        open_database(f"sqlite:///{tmp_path / 'data' / 'digest.db'}")


def test_a_new_file_is_opened_after_another_process_has_written_it(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")  # SQLite then refuses to change the journal, without waiting
    other.execute("CREATE TABLE there (x)")
    database = open_database(f"sqlite:///{path}")
    release = Timer(0.2, other.commit)
    release.start()
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("SELECT count(*) FROM there").scalar_one() == 0
    release.join()
    other.close()
    database.close()


def test_a_server_that_has_become_read_only_is_an_outage_until_it_can_be_written_to(
    postgresql_url: str,
) -> None:
    database = open_database(postgresql_url)
    with database.write() as connection:  # as in a failover, after which this server is the standby
        connection.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    with pytest.raises(OutageError, match="read-only"), database.write() as connection:
        connection.execute(insert(occurrences).values(_row()))
    with database.write() as connection:  # over another connection
        connection.execute(insert(occurrences).values(_row()))
    database.close()


def test_it_is_an_outage_if_no_connection_becomes_free(postgresql_url: str) -> None:
    """A commit can wait for a standby for minutes. A sender that needs its connection keeps its answers."""
    database = Database(create_engine(postgresql_url, pool_size=1, max_overflow=0, pool_timeout=0.1))
    free = "no connection has become free in time"
    with database.read(), pytest.raises(OutageError, match=free), database.read():
        pass
    with database.read():
        pass
    database.close()


def test_a_session_that_the_server_has_ended_is_an_outage(postgresql_url: str) -> None:
    database = open_database(postgresql_url)
    with pytest.raises(OutageError, match="idle-in-transaction"), database.write() as connection:
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 1")
        driver = connection.connection.driver_connection
        assert driver is not None
        readable([driver.fileno()], [], [], 10)  # the server says that it has ended the session
        connection.execute(select(occurrences))
    database.close()


def test_postgresql_ends_the_session_of_a_process_that_is_frozen_in_a_transaction(
    postgresql_url: str,
) -> None:
    database = open_database(postgresql_url)
    for _ in range(2):  # the setting is not undone with the first transaction
        with database.read() as connection:
            shown = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one()
            assert shown == "30s"
    database.close()


def _row() -> dict[str, object]:
    moment = datetime.fromisoformat("2026-11-22T07:00:00.123456+00:00")
    return {
        "schedule": "compose:daily",
        "local_date": moment.date(),
        "due_at": moment,
        "done_at": moment,
        "outcome": "composed",
    }
