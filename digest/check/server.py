"""Check a PostgreSQL server: a mark must last before bytes go out, and all nodes must find connections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from digest.check.findings import Finding
from digest.editions.outlook.words import counted
from digest.model.errors import DatabaseError
from digest.model.nodes import KnownNode
from digest.monitoring.nodes import node_statuses, summary
from digest.storage.database import CONNECTIONS, Database
from digest.storage.nodes import known_nodes
from digest.storage.server import Durability, durability, room, shares_sessions

_TWICE = "and readers can get an edition twice"
_MIXED = (
    "a pooler in transaction mode mixes the sessions, so that one has the settings of another, or lacks a"
    " statement that was prepared; connect to PostgreSQL directly, or set the pooler to session mode"
)
_MARKS, _ROOM = "durability", "connections"


def server_findings(database: Database) -> Iterator[Finding]:
    """Yield what the server promises, and what could be lost; nothing for SQLite."""
    if database.engine.dialect.name != "postgresql":
        return
    with database.read() as connection:
        marks, available, nodes = durability(connection), room(connection), known_nodes(connection)
    yield from marks_findings(marks)
    yield room_finding(available, nodes)
    if shares_sessions(database):
        yield _warning(_ROOM, _MIXED)


def node_findings(database: Database) -> Iterator[Finding]:
    """Yield whether any node does the jobs, and each node that needs somebody."""
    found = node_statuses(database)
    is_idle = all(each.known.is_silent for each in found)
    detail = summary(found, has_engine=True)
    yield Finding(subject="nodes", ok=True, warning=is_idle, detail=detail)
    yield from (_warning("nodes", f"{each.name} {each.trouble}") for each in found if each.trouble)


def require_own_sessions(database: Database) -> None:
    """Raise DatabaseError if a pooler mixes sessions: those of the engine do not wait for the disk."""
    if database.engine.dialect.name == "postgresql" and shares_sessions(database):
        raise DatabaseError(_MIXED)


# ── decisions ───────────────────────────────────────────────────────────────────────────────


def marks_findings(found: Durability) -> Iterator[Finding]:
    """Yield whether a commit survives a crash of the server, and whether it survives a failover."""
    if not found.flushes:
        yield _warning(_MARKS, f"fsync is off, so a power cut can damage the database, {_TWICE}; turn it on")
    if weak := _weakness(found):
        yield _warning(_MARKS, weak)
    elif found.standby_names and not found.synchronous:
        detail = (
            "no synchronous standby is connected, so no commit ends and nothing is sent; start one of"
            f" those in synchronous_standby_names ({found.standby_names})"
        )
        yield Finding(subject=_MARKS, ok=False, detail=detail)
    elif found.standby_names:
        detail = "each commit waits for a synchronous standby, so a failover forgets none"
        yield Finding(subject=_MARKS, ok=True, detail=detail)
    elif found.flushes:
        detail = "each commit is on the disk of the server before a message goes out; no standby is connected"
        yield Finding(subject=_MARKS, ok=True, detail=detail)


def _weakness(found: Durability) -> str:
    """Return what may be forgotten, and what to do about it; empty if nothing is."""
    forgets, remedy = (
        f"forgets the last moments, {_TWICE}",
        f"ALTER ROLE {found.role} SET synchronous_commit = on",
    )
    if found.commit == "off":
        return f"synchronous_commit is off, so a crash of the server {forgets}; run {remedy}"
    if found.commit == "local" and found.standby_names:
        return f"synchronous_commit is local, so a failover {forgets}; run {remedy}"
    if found.standbys and not found.standby_names:
        remedy = "name the standby in synchronous_standby_names"
        return f"no commit waits for a standby, so a failover {forgets}; {remedy}"
    return ""


def room_finding(available: int, nodes: Sequence[KnownNode]) -> Finding:
    """Say whether the living nodes and one `digest serve` find so many connections as they may open."""
    living = [each.node for each in nodes if not each.is_silent]
    by_nodes = sum(each.connections for each in living)
    parts = [f"each `digest serve` opens up to {CONNECTIONS} connections"]
    if living:
        lines = counted(sum(each.lines for each in living), "line")
        parts.append(f"{counted(len(living), 'node')} with {lines} up to {by_nodes}")
    detail = f"{' and '.join(parts)}; PostgreSQL allows {available:,}"
    if CONNECTIONS + by_nodes <= available:
        return Finding(subject=_ROOM, ok=True, detail=detail)
    remedy = "raise max_connections or the limit of the role or database, or run fewer lines"
    return _warning(_ROOM, f"{detail}, so some work has to wait; {remedy}")


def _warning(subject: str, detail: str) -> Finding:
    return Finding(subject=subject, ok=True, warning=True, detail=detail)
