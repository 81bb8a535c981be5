"""How much of its time a sender waits for its servers, lately. Pure: seconds come as arguments."""

from __future__ import annotations

from dataclasses import dataclass

_WEIGHT = 0.2  # of the last turn, against all before it
_LITTLE, _MUCH = 0.15, 0.35  # some is for the last answers to each group


@dataclass(frozen=True, slots=True)
class Waiting:
    """The share of the time that was spent waiting, the last turns counting most."""

    share: float = 0.0

    def after(self, waited: float, passed: float) -> Waiting:
        """Return it after a turn of `passed` seconds, of which `waited` were spent waiting."""
        last = min(1.0, max(0.0, waited) / passed) if passed > 0 else 0.0
        return Waiting(self.share + _WEIGHT * (last - self.share))

    def part_of(self, most: int) -> int:
        """Return how much of `most` it calls for: nothing while it is little, all when it is much."""
        return round(most * min(1.0, max(0.0, (self.share - _LITTLE) / (_MUCH - _LITTLE))))
