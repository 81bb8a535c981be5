"""Remember by which schedule each digest goes: one row each time it was seen to be another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import Connection, select, update

from digest.schedule_seen import Seen
from digest.storage.tables import schedules
from subscribers.upsert import upsert


def seen_schedules(connection: Connection) -> Mapping[str, tuple[Seen, ...]]:
    """Return by its name what was seen of each schedule, oldest first."""
    rows = connection.execute(
        select(schedules.c.schedule, schedules.c.rule, schedules.c.seen_at).order_by(
            schedules.c.schedule, schedules.c.seen_at, schedules.c.number
        )
    )
    found: dict[str, tuple[Seen, ...]] = defaultdict(tuple)
    for schedule, rule, seen_at in rows:
        found[schedule] += (Seen(rule=rule, seen_at=seen_at),)
    return found


def note_schedule(connection: Connection, schedule: str, seen: Seen, *, number: int) -> bool:
    """Keep what was seen of a schedule as the row of this number; False: another process was faster."""
    row = {"schedule": schedule, "number": number, "rule": seen.rule, "seen_at": seen.seen_at}
    fresh = upsert(connection, schedules).values(row).on_conflict_do_nothing().returning(schedules.c.number)
    return connection.execute(fresh).one_or_none() is not None


def learn_rule(connection: Connection, schedule: str, rule: str) -> None:
    """Write down the rule of a schedule that was kept without one."""
    unknown = (schedules.c.schedule == schedule) & schedules.c.rule.is_(None)
    connection.execute(update(schedules).where(unknown).values(rule=rule))
