"""Decide when one reader's copy of an edition is due: at the reader's own hour, in the reader's zone.

Three rules apply:

- A copy is due at the first time, from the edition's send time on, at which the reader's clock shows the
chosen
  hour, or at the send time if the reader chose no hour. The time is fixed when sending starts. A change of
  hour or zone applies from the next edition, so no reader gets two copies or none.
- This time is at most a day after the send time (or about an hour more, where the clocks change). So the
copies
  of a daily digest arrive in order, and a change of zone never gives a reader two copies or none.
- An edition goes to the readers who are on the list when sending starts, whatever their hour. A reader who
  signs up later gets the next edition, and can read this one on the web.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# The instant of a wall time in a zone; the function decides about gaps and folds. It is
# `digest.schedule.schedule.instant_of`.
InstantOf = Callable[[date, time, str], datetime]

_DAY = timedelta(days=1)


def copy_due_at(send_at: datetime, hour: str | None, zone: str, *, instant_of: InstantOf) -> datetime:
    """Return the time when the copy of an edition that is sent from `send_at` on is due.

    `hour` is "07:30" or None, as in a subscription. `zone` is the reader's, or the digest's if the reader
    chose none. `instant_of` decides about hours that a clock change skips or repeats.
    """
    if hour is None:
        return send_at
    at = time.fromisoformat(hour)
    today = send_at.astimezone(ZoneInfo(zone)).date()
    # Three dates are needed: where the clocks go back just after midnight, an hour of the next date can be
    # over when today begins a second time.
    candidates = (instant_of(today + days * _DAY, at, zone) for days in range(3))
    return next(instant for instant in candidates if instant >= send_at)


def next_copy_at(
    sends: Iterable[datetime], hour: str | None, zone: str, after: datetime, *, instant_of: InstantOf
) -> datetime | None:
    """Return the time of the next copy strictly after `after` (now, or the end of a pause), or None.

    `sends` are send times in order. Begin with a send time at least a day ago, because its copy may still be
    due.
    """
    dues = (copy_due_at(send_at, hour, zone, instant_of=instant_of) for send_at in sends)
    return next((due for due in dues if due > after), None)
