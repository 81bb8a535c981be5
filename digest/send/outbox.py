"""What sending is done with: the way out, the stationery, the rules and the sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from digest.model import Transport
from digest.send.letters import Stationery
from digest.send.limits import Limits
from digest.send.retries import RetryRules
from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """All that sending needs besides the database. Sizes are numbers of letters.

    A group is marked, and so in doubt after a crash, at once: small is true, large is fast. It is as large
    as the transport has `room` for just now, where it tells, and never larger than `group`.
    """

    transport: Transport
    stationery: Stationery
    rules: RetryRules = field(default_factory=RetryRules)
    limits: Limits = field(default_factory=Limits)
    # by digest: the frequencies it offers besides each edition
    offers: Mapping[str, frozenset[Frequency]] = field(default_factory=dict)
    lease: timedelta = timedelta(minutes=2)  # renewed while the sender is at work
    drain: timedelta = timedelta(seconds=30)  # after a stop, for the answers to what is on the wire
    page: int = 1000
    group: int = 50
    room: Callable[[], int] | None = None

    def next_group(self) -> int:
        """Return how many letters to hand over next."""
        return min(self.group, self.room()) if self.room else self.group
