"""Read what a PostgreSQL server promises: whether its commits last, on how many machines, and for how many.

A role without rights of its own may read all of this, but of the standbys it sees only that they are there.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from digest.storage.database import Database

_DURABILITY = text(
    """
    SELECT current_user, current_setting('fsync')::boolean, current_setting('synchronous_commit'),
        current_setting('synchronous_standby_names'),
        count(standby.pid), count(standby.pid) FILTER (WHERE coalesce(sync_state IN ('sync', 'quorum'), true))
    FROM (SELECT * FROM pg_stat_replication WHERE application_name <> 'pg_basebackup') AS standby
    """
)
# A limit of -1 is none. A setting that a version of PostgreSQL does not have reserves nothing.
_ROOM = text(
    """
    WITH known AS (
        SELECT count(*) FILTER (WHERE datid IS NOT NULL) AS all_of_them,
            count(*) FILTER (WHERE datname = current_database()) AS of_database,
            count(*) FILTER (WHERE datid IS NOT NULL AND usename = current_user) AS of_role,
            count(*) FILTER (WHERE datname = current_database() AND usename = current_user) AS ours
        FROM pg_stat_activity
    ), limits AS (
        SELECT current_setting('max_connections')::integer
                - current_setting('superuser_reserved_connections')::integer
                - coalesce(current_setting('reserved_connections', true)::integer, 0) AS of_server,
            (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
                AS of_database,
            (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user) AS of_role
    )
    SELECT known.ours + greatest(0, least(
        limits.of_server - known.all_of_them,
        limits.of_database - known.of_database,
        limits.of_role - known.of_role
    )) FROM known, limits
    """
)


_PID = text("SELECT pg_backend_pid()")
_ROUNDS = 2  # in more, psycopg would prepare the statement, and another session would not have it


@dataclass(frozen=True, slots=True, kw_only=True)
class Durability:
    """How long a commit waits: for the disk of its server, and for which standbys."""

    role: str
    flushes: bool  # fsync
    commit: str  # synchronous_commit: off, local, remote_write, on or remote_apply
    standby_names: str  # synchronous_standby_names; empty: no commit waits for a standby
    standbys: int  # that are connected now
    synchronous: int  # those of them for which commits wait; where the role may not see this, all


def durability(connection: Connection) -> Durability:
    """Return how long a commit of this role waits."""
    role, flushes, commit, names, standbys, synchronous = connection.execute(_DURABILITY).one()
    return Durability(
        role=role,
        flushes=flushes,
        commit=commit,
        standby_names=names,
        standbys=standbys,
        synchronous=synchronous,
    )


def room(connection: Connection) -> int:
    """Return how many connections this role may have to this database: those it has, and those still free."""
    return int(connection.execute(_ROOM).scalar_one())


def shares_sessions(database: Database) -> bool:
    """Tell whether a pooler gives each transaction another session, so that settings reach others."""
    # A pooler prefers the session that was free last, or uses all in turn. So each connection asks twice in a
    # row: the two connections meet in a session, or one of them has several.
    with database.read() as one, database.read() as other:
        asked = [(each, _session(each)) for _ in range(_ROUNDS) for each in (one, one, other, other)]
    return len({session for _, session in asked}) != 2 or len(set(asked)) != 2


def _session(connection: Connection) -> int:
    number = int(connection.execute(_PID).scalar_one())
    connection.commit()  # gives the session back to the pooler, if there is one
    return number
