"""Find the schedule that was last seen for a digest, and the time since when the digest is offered.

Only dates that are due after a schedule was first seen are composed or counted as missed. Otherwise, a change
of the configuration would invent dates in the past, such as six missed days when weekly becomes daily.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

OUT = ""  # the rule of a schedule that was removed from the configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSchedule:
    """A schedule and its zone as one text, and the time when this text was first seen."""

    rule: str | None  # None: the row was made before rules were stored, and the schedule counts as unchanged
    seen_at: datetime


def last_seen(seen: Sequence[SeenSchedule], now: datetime) -> SeenSchedule | None:
    """Return the last row at or before `now`, or None; `seen` is oldest first.

    A replay of an earlier day finds what was known on that day.
    """
    return next((each for each in reversed(seen) if each.seen_at <= now), None)


def offered_since(seen: Sequence[SeenSchedule], now: datetime) -> datetime | None:
    """Return the time since when the digest is in the configuration, with any schedule; None: it is not."""
    since: datetime | None = None
    for each in seen:
        if each.seen_at <= now:
            since = None if each.rule == OUT else since or each.seen_at
    return since
