"""Forget what nobody confirmed in time, and counts that are over."""

from __future__ import annotations

from datetime import datetime

from digest.app.signing_up import LIMITS
from digest.app.wiring import App
from digest.storage.limits import forget_meters
from subscribers.pending import BATCH, expire


def tidy(app: App, now: datetime) -> int:
    """Erase sign-ups whose time is over, with their links, and return how many there were.

    What was counted for sending limits is forgotten when it counts no longer.
    """
    with app.database.write() as connection:
        forget_meters(connection, now)
    erased = 0
    while True:
        with app.database.write() as connection:
            found = expire(connection, LIMITS, now)
        erased += found
        if found < BATCH:
            return erased
