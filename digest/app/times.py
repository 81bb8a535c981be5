"""Say when the next copy of a digest reaches one reader, on that reader's own clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

from digest.publication import Digest
from digest.schedule import dues, instant_of
from digest.schedule_text import parse_schedule
from subscribers.local_hours import next_copy_at
from subscribers.model import Preferences

_EARLIER = timedelta(days=2)  # an edition sent before now may still be on its way to a later hour
_LOOKED_AT = 8


def next_copy(
    digest: Digest, preferences: Preferences, after: datetime, *, since: datetime | None = None
) -> datetime | None:
    """Return when the first copy after an instant (now, or the end of a pause) is due.

    `since` is when the reader chose so: an edition sent before has come already, or never will.
    """
    begin = max(since or after, after - _EARLIER)
    coming = dues(digest, parse_schedule(digest.schedule_of(preferences.frequency)), after=begin)
    sends = (due.send_at for due in islice(coming, _LOOKED_AT))
    zone = preferences.zone or digest.zone
    return next_copy_at(sends, preferences.hour, zone, after, instant_of=instant_of)
