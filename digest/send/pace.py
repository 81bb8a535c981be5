"""Answers that ask for less, and how many letters went to each limited domain lately. Pure.

Two windows of ten seconds are kept, the one before and the one that runs; so a pace is that of the last
ten to twenty seconds, as one sender knows it. Time is an argument.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from digest.model import Outcome, Receipt

_GREYLISTED = re.compile(r"gr[ae]y-?\s?list", re.IGNORECASE)
_ADDRESS = re.compile(r"\S*@\S*")
_LONGEST = 200  # characters of a reply
_WINDOW = timedelta(seconds=10)
_SHORTEST = timedelta(seconds=2)  # from less than this no pace can be told


def asks_for_less(receipt: Receipt) -> bool:
    """Tell whether a server said, not of the letter but of us, that there is too much.

    Greylisting (RFC 6647) has the same codes and means something else: come again later.
    """
    if receipt.outcome not in (Outcome.DEFERRED, Outcome.UNSENT) or _GREYLISTED.search(receipt.reply):
        return False
    return receipt.code == 421 or (receipt.enhanced or "").startswith("4.7.")


def complaint(receipt: Receipt) -> str:
    """Return a reply as it is kept and shown: in one line, without the addresses in it."""
    parts = (receipt.code, receipt.enhanced, receipt.reply)
    return _ADDRESS.sub("…", " ".join(str(part) for part in parts if part))[:_LONGEST]


class Lately:
    """Counts letters by scope; see the module."""

    def __init__(self) -> None:
        self._before: Counter[str] = Counter()
        self._current: Counter[str] = Counter()
        self._since: datetime | None = None  # when the earlier window began
        self._turned_at: datetime | None = None  # when the current one began

    def count(self, scopes: Iterable[str], now: datetime) -> None:
        """Count a letter for each of `scopes`."""
        if self._turned_at is None or now - self._turned_at >= _WINDOW:
            fresh = self._turned_at is not None and now - self._turned_at < 2 * _WINDOW
            self._before, self._current = self._current if fresh else Counter(), Counter()
            self._since, self._turned_at = self._turned_at if fresh else now, now
        self._current.update(scopes)

    def pace(self, scope: str, now: datetime) -> int | None:
        """Return how many letters a minute went to `scope`; None when it cannot be told."""
        if self._since is None or self._turned_at is None or now - self._turned_at >= 2 * _WINDOW:
            return None
        if now - self._since < _SHORTEST:
            return None
        letters = self._before[scope] + self._current[scope]
        return letters * timedelta(minutes=1) // (now - self._since)
