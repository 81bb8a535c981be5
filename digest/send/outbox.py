"""Hold everything that sending needs: the transport, the message settings, the rules and the sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from digest.limits.limits import Limits
from digest.message.build import MessageSettings, Render
from digest.model.messages import Transport
from digest.send.answers.retries import RetryRules
from digest.storage.ledger.leases import LEASE
from digest.storage.ledger.looks import KeptLook
from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Everything that sending needs besides the database. Sizes are numbers of messages.

    A group is marked in one transaction, so a crash can leave a whole group uncertain: a small group leaves
    fewer uncertain deliveries, a large group is faster. A group is as large as `room()` says, if `room` is
    given, and never larger than `group`.
    """

    transport: Transport
    message_settings: MessageSettings
    # makes the emails of an edition from the look that was approved; None: they are made as the settings say
    renderer: Callable[[KeptLook], Render] | None = None
    rules: RetryRules = field(default_factory=RetryRules)
    limits: Limits = field(default_factory=Limits)
    # by digest: the frequencies it offers besides each edition
    offers: Mapping[str, frozenset[Frequency]] = field(default_factory=dict)
    lease: timedelta = LEASE  # renewed while the sender is at work
    drain: timedelta = timedelta(seconds=30)  # time after a stop for answers to what is on the wire
    retry_database: float = 0.5  # seconds before a database that is away is tried again; then twice as many
    page: int = 1000  # readers who may wait for a limit; results that are recorded at the latest
    group: int = 50
    room: Callable[[], int] | None = None

    def next_group(self) -> int:
        """Return how many messages to hand over next."""
        return min(self.group, self.room()) if self.room else self.group
