"""Count again only when it is worth it: counting takes at most a twentieth of the time, whoever looks.

Pages about an edition that is being sent ask every two seconds, and there may be many of them. Counting a
million deliveries takes a second, so all of them get the last count until it is twenty times as old as it
took to make. An edition of ten thousand deliveries is counted in ten milliseconds, each time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")
_TIMES = 20
_KEPT = 64  # counts; the oldest are forgotten


@dataclass(frozen=True, slots=True)
class _Counted:
    value: Any
    at: float  # when it was made
    took: float  # seconds


@dataclass(slots=True)
class Recount:
    """The last counts of this process, by what was counted. Threads share it."""

    clock: Callable[[], float] = monotonic
    _found: dict[Hashable, _Counted] = field(default_factory=dict)
    _counting: dict[Hashable, Lock] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def of(self, what: Hashable, count: Callable[[], T]) -> T:
        """Return the last count of something if it is young enough, and count it otherwise.

        While one thread counts, the others get the last count, or wait if there is none.
        """
        with self._lock:
            last = self._found.get(what)
            counting = self._counting.setdefault(what, Lock())
        if last and (self._is_young(last) or counting.locked()):
            return last.value  # type: ignore[no-any-return]  # it was made for the same key
        with counting:
            again = self._found.get(what)
            if again and again is not last and self._is_young(again):
                return again.value  # type: ignore[no-any-return]
            began = self.clock()
            value = count()
            self._keep(what, _Counted(value, self.clock(), self.clock() - began))
            return value

    def _is_young(self, counted: _Counted) -> bool:
        return self.clock() - counted.at < _TIMES * counted.took

    def _keep(self, what: Hashable, counted: _Counted) -> None:
        with self._lock:
            self._found.pop(what, None)
            self._found[what] = counted
            while len(self._found) > _KEPT:
                oldest = next(iter(self._found))
                del self._found[oldest]
                self._counting.pop(oldest, None)
