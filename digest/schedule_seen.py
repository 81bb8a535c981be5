"""Say by which schedule a digest goes at an instant, and since when, from what was seen of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

OUT = ""  # the rule of what has been taken out of the configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A schedule and its zone as one text, and when they were first seen to be so."""

    rule: str | None  # None: of a database older than this was kept in, which goes on as it is
    seen_at: datetime


def standing(seen: Sequence[Seen], now: datetime) -> Seen | None:
    """Return what was seen last at an instant; None: it was not seen by then.

    `seen` is oldest first. Who replays an earlier day finds what was known then.
    """
    return next((each for each in reversed(seen) if each.seen_at <= now), None)


def offered_since(seen: Sequence[Seen], now: datetime) -> datetime | None:
    """Return since when it has been in the configuration, by whatever schedule; None: it is not."""
    since: datetime | None = None
    for each in seen:
        if each.seen_at <= now:
            since = None if each.rule == OUT else since or each.seen_at
    return since
