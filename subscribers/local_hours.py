"""Say when one reader's copy of an edition is due: at the reader's own hour, on the reader's own clock.

Three rules hold it together:

- A copy is due at the first moment, from the edition's send time on, at which the reader's clock shows the
  chosen hour; without a chosen hour, at the send time. It is set when the edition starts to go out: a change
  of hour or zone holds from the next edition, so nobody has two copies or none.
- That moment is within a day of the send time (and an hour or so, where clocks change), so the copies of a
  daily digest never overtake each other and no change of zone makes two or none of one.
- An edition is for whoever is on the list when it starts to go out, whatever their hour. Who joins later has
  the next one, and can read this one on the web.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# The instant of a wall time in a zone, gaps and folds decided: `digest.schedule.instant_of`.
InstantOf = Callable[[date, time, str], datetime]

_DAY = timedelta(days=1)


def copy_due_at(send_at: datetime, hour: str | None, zone: str, *, instant_of: InstantOf) -> datetime:
    """Return when the copy of an edition sent from `send_at` is due.

    `hour` is "07:30" or None, as a subscription has it; `zone` is the reader's, or the digest's where the
    reader chose none. `instant_of` settles hours that a clock change leaves out or has twice.
    """
    if hour is None:
        return send_at
    at = time.fromisoformat(hour)
    today = send_at.astimezone(ZoneInfo(zone)).date()
    # Where clocks go back just after midnight, an hour of the next date may be over when today begins anew.
    candidates = (instant_of(today + days * _DAY, at, zone) for days in range(3))
    return next(instant for instant in candidates if instant >= send_at)


def next_copy_at(
    sends: Iterable[datetime], hour: str | None, zone: str, after: datetime, *, instant_of: InstantOf
) -> datetime | None:
    """Return when the next copy is due strictly after `after` (now, or the end of a pause).

    `sends` are send times in order; begin with one that is a day past, for its copy may still be to come.
    None when there is no more.
    """
    dues = (copy_due_at(send_at, hour, zone, instant_of=instant_of) for send_at in sends)
    return next((due for due in dues if due > after), None)
