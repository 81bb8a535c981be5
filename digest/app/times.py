"""Say when the next copy of a digest reaches one reader, on that reader's own clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

from digest.app.wiring import App
from digest.publication import Digest
from digest.schedule import dues, instant_of
from digest.schedule_text import parse_schedule
from digest.storage.editions import settled_after
from subscribers.local_hours import next_copy_at
from subscribers.model import Frequency, Preferences

_EARLIER = timedelta(days=2)  # an edition sent before now may still be on its way to a later hour
_LOOKED_AT = 8


Settled = frozenset[tuple[str, Frequency, datetime]]  # digest, frequency, send time


def settled_ahead(app: App, now: datetime) -> Settled:
    """Return which send times to come are over: the edition went early, or was skipped or cancelled."""
    with app.database.read() as connection:
        return settled_after(connection, now)


def next_copy(
    digest: Digest,
    preferences: Preferences,
    after: datetime,
    *,
    since: datetime | None = None,
    settled: Settled = frozenset(),
) -> datetime | None:
    """Return when the first copy after an instant (now, or the end of a pause) is due.

    `since` is when the reader chose so: an edition sent before has come already, or never will.
    """
    begin = max(since or after, after - _EARLIER)
    offered = preferences.frequency in digest.frequencies
    frequency = preferences.frequency if offered else Frequency.EACH
    coming = dues(digest, parse_schedule(digest.schedule_of(frequency)), after=begin)
    to_come = (due.send_at for due in coming if (digest.slug, frequency, due.send_at) not in settled)
    sends = islice(to_come, _LOOKED_AT)
    zone = preferences.zone or digest.zone
    return next_copy_at(sends, preferences.hour, zone, after, instant_of=instant_of)
