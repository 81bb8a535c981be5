"""Find the time of the next copy of a digest for one reader."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

from digest.model.publication import Digest
from digest.schedule.cadence import cadence_of
from digest.schedule.local_hours import next_copy_at
from digest.schedule.schedule import instant_of
from subscribers.model import Frequency, Preferences

_EARLIER = timedelta(days=2)  # the copy of an edition that was sent before now may be due at a later hour
_LOOKED_AT = 8  # send times

Settled = frozenset[tuple[str, Frequency, datetime]]  # digest, frequency, send time


def next_copy(
    digest: Digest,
    preferences: Preferences,
    after: datetime,
    *,
    since: datetime | None = None,
    settled: Settled = frozenset(),
) -> datetime | None:
    """Return the time of the first copy after an instant (now, or the end of a pause).

    `since` is the time when the reader made this choice. An edition that was sent before it does not count:
    it has already arrived, or it was not for this reader. `settled` are occurrences that are done.
    """
    begin = max(since or after, after - _EARLIER)
    offered = preferences.frequency in digest.frequencies
    frequency = preferences.frequency if offered else Frequency.EACH
    coming = cadence_of(digest, frequency).coming(begin)
    to_come = (due.send_at for due in coming if (digest.slug, frequency, due.send_at) not in settled)
    sends = islice(to_come, _LOOKED_AT)
    zone = preferences.zone or digest.zone
    return next_copy_at(sends, preferences.hour, zone, after, instant_of=instant_of)
