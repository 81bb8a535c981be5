"""How many letters went to each domain lately, as one sender knows it. Pure: time is an argument.

Two windows of ten seconds are kept, the one before and the one that runs; so a pace is that of the last
ten to twenty seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

_WINDOW = timedelta(seconds=10)
_SHORTEST = timedelta(seconds=2)  # from less than this no pace can be told
_MOST, _KEPT = 10_000, 1_000  # domains in a window; of more, those with most letters are kept


class Lately:
    """Counts letters by domain; see the module."""

    def __init__(self) -> None:
        self._before: Counter[str] = Counter()
        self._current: Counter[str] = Counter()
        self._since: datetime | None = None  # when the earlier window began
        self._turned_at: datetime | None = None  # when the current one began

    def count(self, domains: Iterable[str], now: datetime) -> None:
        """Count a letter for each of `domains`."""
        if self._turned_at is None or now - self._turned_at >= _WINDOW:
            fresh = self._turned_at is not None and now - self._turned_at < 2 * _WINDOW
            self._before, self._current = self._current if fresh else Counter(), Counter()
            self._since, self._turned_at = self._turned_at if fresh else now, now
        self._current.update(domains)
        if len(self._current) > _MOST:
            self._current = Counter(dict(self._current.most_common(_KEPT)))

    def pace(self, domains: Iterable[str], now: datetime) -> int | None:
        """Return how many letters a minute went to `domains` together; None when it cannot be told."""
        if self._since is None or self._turned_at is None or now - self._turned_at >= 2 * _WINDOW:
            return None
        if now - self._since < _SHORTEST:
            return None
        letters = sum(self._before[domain] + self._current[domain] for domain in domains)
        return letters * timedelta(minutes=1) // (now - self._since)
