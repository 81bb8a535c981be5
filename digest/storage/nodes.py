"""Store what the nodes say with each beat, and tell which of them are silent, by the database's clock.

The clocks of the nodes differ, so the time of a beat, and every comparison with it, is the database's. Two
times are a node's own: when it started, and when each of its lines began. They are corrected when they are
read.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Interval, Row, delete, exists, func, literal, not_, or_, select

from digest.model.nodes import KnownNode, Node, Work, version_order
from digest.storage.tables.nodes import nodes
from digest.storage.tables.schedules import WATCH, WATCH_RESUMED, reports
from subscribers.store.tables import Moment, upsert

_WATCHED = timedelta(seconds=2)
_GAP = timedelta(seconds=30)  # far shorter than a lease: a sender comes back within the rest of its own
# A node that is frozen in this transaction loses its connection, so that others have the watch.
_LONGEST = "5s"
_KEPT = timedelta(days=1)
_SECONDS_FORM = "%Y-%m-%d %H:%M:%f000"  # as SQLAlchemy stores a time in SQLite


def beat(connection: Connection, node: Node) -> timedelta:
    """Save what a node says about itself; return how far its clock is ahead of the database's.

    `node.beat_at` is the time by the node's clock. Its `ahead` is not read, because this measures it.
    """
    row = {
        "id": node.id,
        "host": node.host,
        "pid": node.pid,
        "version": node.version,
        "queues": list(node.queues),
        "lines": node.lines,
        "started_at": node.started_at,
        "beat_at": _clock(connection),
        "ahead": _ahead(connection, node.beat_at),
        "work": [[each.kind, each.subject, each.since_at.isoformat()] for each in node.work],
        "sent": node.sent,
        "rate": node.rate,
        "note": node.note,
    }
    saved = upsert(connection, nodes).values(row)
    changed = {name: saved.excluded[name] for name in row if name != "id"}
    saved = saved.on_conflict_do_update(index_elements=["id"], set_=changed)
    return timedelta(seconds=connection.execute(saved.returning(nodes.c.ahead)).scalar_one())


def leave(connection: Connection, node_id: str) -> None:
    """Forget a node that has ended in order."""
    connection.execute(delete(nodes).where(nodes.c.id == node_id))


def known_nodes(connection: Connection) -> tuple[KnownNode, ...]:
    """Return all nodes, those of one machine together, each with the time since its last beat."""
    query = select(nodes, _clock(connection).label("now")).order_by(nodes.c.host, nodes.c.pid, nodes.c.id)
    return tuple(_known(row) for row in connection.execute(query))


def newest_version(connection: Connection) -> str:
    """Return the newest version among the nodes that are not silent; empty if there is none."""
    found = (each.node.version for each in known_nodes(connection) if not each.is_silent)
    return max(found, key=version_order, default="")


def take_watch(connection: Connection, node_id: str) -> bool:
    """Tell whether this node is the one that looks after the ledger now: at most one is, every two seconds.

    Ask more often than that, because a node that asks a moment too early has to ask again. After the commit,
    ask `is_watched`, because the commit may have waited for a standby for minutes.
    """
    clock = _clock(connection)
    is_over = _is_longer_ago(connection, _WATCHED)
    if _has_own_clock(connection):
        connection.execute(select(func.set_config("idle_in_transaction_session_timeout", _LONGEST, True)))
        # The lock waits for a node that is taking the watch, so the row is as that node has left it.
        over = select(reports.c.subject).where(reports.c.subject == WATCH, is_over).with_for_update()
        if connection.scalar(over):
            _note_gap(connection)
    had = exists().where(reports.c.subject == WATCH, not_(is_over))
    row = select(literal(WATCH), clock, literal(node_id)).where(not_(had))  # asking alone writes nothing
    taken = upsert(connection, reports).from_select(["subject", "at", "detail"], row)
    changed = {"at": clock, "detail": node_id}
    taken = taken.on_conflict_do_update(index_elements=["subject"], set_=changed, where=is_over)
    return connection.scalar(taken.returning(reports.c.subject)) is not None


def is_watched(connection: Connection) -> bool:
    """Tell whether a node looked after the ledger a moment ago, so that there is no gap."""
    query = exists().where(reports.c.subject == WATCH, not_(_is_longer_ago(connection, _GAP)))
    return bool(connection.scalar(select(query)))


def _note_gap(connection: Connection) -> None:
    """Save that the watch goes on after a gap, in which the database was away from all nodes."""
    gap = exists().where(reports.c.subject == WATCH, _is_longer_ago(connection, _GAP))
    row = select(literal(WATCH_RESUMED), _clock(connection), literal("")).where(gap)
    saved = upsert(connection, reports).from_select(["subject", "at", "detail"], row)
    changed = {"at": saved.excluded.at}
    connection.execute(saved.on_conflict_do_update(index_elements=["subject"], set_=changed))


def _is_longer_ago(connection: Connection, span: timedelta) -> Any:
    # A time that is later than now was saved before the database's clock was put back. No such time can be
    # compared with now, so it is as good as long ago.
    return or_(reports.c.at <= _before(connection, span), reports.c.at > _clock(connection))


def forget_silent(connection: Connection) -> int:
    """Forget the nodes that have been silent for a day; return how many."""
    return connection.execute(delete(nodes).where(nodes.c.beat_at <= _before(connection, _KEPT))).rowcount


def _known(row: Row[Any]) -> KnownNode:
    ahead = timedelta(seconds=row.ahead)
    node = Node(
        id=row.id,
        host=row.host,
        pid=row.pid,
        version=row.version,
        queues=tuple(row.queues),
        lines=row.lines,
        started_at=row.started_at - ahead,
        beat_at=row.beat_at,
        work=tuple(
            Work(kind=kind, subject=subject, since_at=datetime.fromisoformat(since) - ahead)
            for kind, subject, since in row.work
        ),
        sent=row.sent,
        rate=row.rate,
        ahead=ahead,
        note=row.note,
    )
    # A beat that is later than now is of a node that ended before the database's clock was put back.
    return KnownNode(node=node, silent=abs(row.now - row.beat_at))


# ── the database's clock; SQLite serves one machine, so its clock is the machine's ───────────


def _clock(connection: Connection) -> Any:
    if _has_own_clock(connection):
        return func.clock_timestamp(type_=Moment())
    return func.strftime(_SECONDS_FORM, "now", type_=Moment())


def _before(connection: Connection, span: timedelta) -> Any:
    if _has_own_clock(connection):
        return _clock(connection) - literal(span, Interval)
    return func.strftime(_SECONDS_FORM, "now", f"-{span.total_seconds()} seconds", type_=Moment())


def _ahead(connection: Connection, now: datetime) -> Any:
    if not _has_own_clock(connection):
        return 0.0
    return func.extract("epoch", literal(now, Moment()) - _clock(connection))


def _has_own_clock(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
