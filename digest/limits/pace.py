"""Recognise replies that ask for less, and measure the recent pace to each limited domain. Pure.

The measurement has two windows of ten seconds, the last and the current one. So a pace is that of the last
ten to twenty seconds, for one sender.

Only domains with limits are measured here. `digest.smtp.throttle` finds the rate of the mail server itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from digest.model.messages import Outcome, Receipt
from subscribers.rules.answers import Cause
from subscribers.text import without_addresses

_TOO_FAST = frozenset({Cause.RATE, Cause.DOMAIN, Cause.UNSURE})
_LONGEST = 200  # characters of a reply
_WINDOW = timedelta(seconds=10)
_SHORTEST = timedelta(seconds=2)  # a shorter time is too short to measure a pace


def asks_for_less(receipt: Receipt) -> bool:
    """Tell whether a message was deferred because its reader's domain gets too many, or too fast."""
    return receipt.outcome is Outcome.DEFERRED and receipt.cause in _TOO_FAST


def complaint(receipt: Receipt) -> str:
    """Return a reply as it is kept and shown: in one line, with its status once, without addresses."""
    status = "" if receipt.reply.startswith(receipt.enhanced or "") else receipt.enhanced
    parts = (receipt.code, status, receipt.reply)
    return without_addresses(" ".join(str(part) for part in parts if part))[:_LONGEST]


class SlidingWindow:
    """Counts messages by scope; see the module."""

    def __init__(self) -> None:
        self._before: Counter[str] = Counter()
        self._current: Counter[str] = Counter()
        self._since: datetime | None = None  # when the earlier window began
        self._turned_at: datetime | None = None  # when the current one began

    def count(self, scopes: Iterable[str], now: datetime) -> None:
        """Count one message for each of `scopes`."""
        if self._turned_at is None or now - self._turned_at >= _WINDOW:
            fresh = self._turned_at is not None and now - self._turned_at < 2 * _WINDOW
            self._before, self._current = self._current if fresh else Counter(), Counter()
            self._since, self._turned_at = self._turned_at if fresh else now, now
        self._current.update(scopes)

    def pace(self, scope: str, now: datetime) -> int | None:
        """Return how many messages a minute went to `scope`; None if the time is too short to tell."""
        if self._since is None or self._turned_at is None or now - self._turned_at >= 2 * _WINDOW:
            return None
        if now - self._since < _SHORTEST:
            return None
        messages = self._before[scope] + self._current[scope]
        return messages * timedelta(minutes=1) // (now - self._since)
