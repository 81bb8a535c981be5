from __future__ import annotations

import asyncio

import psycopg
from sqlalchemy import text

from digest.engine.connector import prepare_session
from digest.engine.jobs import defer
from digest.schedule.jobs import QUEUES, Job, JobKind
from digest.storage.database import Database

SLICES = [Job(kind=JobKind.SEND, subject="daily-1", part=str(number)) for number in range(2_000)]
READ = """
SELECT seq_tup_read + coalesce(idx_tup_fetch, 0)
FROM pg_stat_xact_user_tables WHERE relname = 'procrastinate_jobs'
"""


def rows_read_by_a_fetch(database: Database) -> int:
    async def read() -> int:
        async with await psycopg.AsyncConnection.connect(**database.connect_args()) as connection:
            await prepare_session(connection)
            async with connection.transaction(force_rollback=True):
                new = await connection.execute(
                    "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id"
                )
                worker = await new.fetchone()
                assert worker is not None
                query = "SELECT id FROM procrastinate_fetch_job_v2(%s, %s)"
                job = await (await connection.execute(query, [list(QUEUES), *worker])).fetchone()
                assert job is not None
                assert job[0] is not None
                count = await (await connection.execute(READ)).fetchone()
                assert count is not None
                return int(count[0])

    return asyncio.run(read())


def test_a_fetch_reads_a_few_rows_however_many_jobs_were_just_stored(jobs_database: Database) -> None:
    with jobs_database.write() as connection:
        connection.execute(text("ANALYZE procrastinate_jobs"))  # the statistics know of no job
        defer(connection, SLICES)
    assert rows_read_by_a_fetch(jobs_database) < 10
