"""Decide which readers are sent to next, within the limits that all senders share through the database.

Without limits, the gate is not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from digest.limits.domain_queues import HOLD, DomainQueues
from digest.limits.limits import Limits, slow
from digest.limits.pace import SlidingWindow, asks_for_less, complaint
from digest.model.deliveries import Recipient
from digest.model.messages import Receipt
from digest.storage.database import Connection
from digest.storage.ledger import deliveries as ledger
from digest.storage.ledger.senders import Sender
from digest.storage.limits import lock_meters, read_meters, save_meters

# While readers in limited domains wait, we look this often for readers in other domains.
_LOOK_AGAIN = timedelta(seconds=1)


class Gate:
    """The readers that wait in one run, and what the run knows about the limits. `now` is the run's clock."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._window = SlidingWindow()
        self._scopes = [rules.scope for rules in limits.scopes]
        self._queues = DomainQueues(limits)
        self._complaints: dict[str, str] = {}  # scope → reply that asked for less; not yet in the database
        self._found_none_at: datetime | None = None
        self._rested_at: datetime | None = None

    def look(self, connection: Connection) -> None:
        """Read from the database what has been used of the limits, and which scopes are slowed."""
        self._queues.see(read_meters(connection, self._scopes))

    def begin_again(self, connection: Connection) -> None:
        """Forget the readers that wait, because they are claimed anew; complaints are kept."""
        self._queues, self._found_none_at = DomainQueues(self._limits), None
        self.look(connection)

    @property
    def is_open(self) -> bool:
        """Tell whether there are no limits, so that nobody has to wait."""
        return self._queues.unlimited

    # ── in ──────────────────────────────────────────────────────────────────────────────────

    def wanted(self, page: int, now: datetime) -> int:
        """Return how many readers to claim, at most `page`; 0 while enough readers wait or none may go."""
        queues, looked_at = self._queues, self._found_none_at
        if not queues.open_queue_is_empty:
            return 0
        # The last search found nobody, so a search in each turn would only cost transactions.
        if looked_at and not queues.empty and now - looked_at < _LOOK_AGAIN:
            return 0
        return queues.reach(page, now)

    def let_wait(self, page: Sequence[Recipient] | None, now: datetime) -> None:
        """Add a page of claimed readers to those that wait; None means that nobody was due."""
        self._found_none_at = now if page is None else None
        self._queues.add(page or ())

    def give_back(self, connection: Connection, sender: Sender, now: datetime) -> None:
        """Give back the claimed readers whose turn comes later than `HOLD`; they are due at their turn."""
        late = [(reader.subscriber_id, due_at) for reader, due_at in self._queues.late(now)]
        ledger.postpone(connection, sender, late, now=now)

    # ── out ─────────────────────────────────────────────────────────────────────────────────

    def next_group(self, most: int, now: datetime) -> list[Recipient]:
        """Return up to `most` readers who may go now, as far as is known without asking the database."""
        return self._queues.next_group(most, now)

    def rests(self, now: datetime) -> bool:
        """Tell whether to ask again in a moment, because a reader that waits may go within `HOLD`."""
        next_at = self._queues.next_at(now)
        # With `--now` the clock stands still: the turn would never come, and we would ask forever.
        moves, self._rested_at = now != self._rested_at, now
        return next_at is not None and next_at <= now + HOLD and moves

    def admit(self, connection: Connection, group: Sequence[Recipient], now: datetime) -> list[Recipient]:
        """Return the readers of a group who may go; the others wait again.

        Locks the meters until the transaction ends. Slowdowns that servers have asked for are saved first.
        """
        scopes = sorted({*self._queues.scopes(group), *self._complaints})
        if not scopes:
            return list(group)
        meters = lock_meters(connection, scopes, now)
        slowed = {
            scope: slow(meters[scope], reply, now, pace=self._window.pace(scope, now))
            for scope, reply in self._complaints.items()
        }
        save_meters(connection, slowed, now)
        self._complaints = {}
        self._queues.see(meters | slowed)
        return self._queues.admit(group, now)

    def spend(self, connection: Connection, group: Sequence[Recipient], now: datetime) -> None:
        """Count a group against the limits; must be called in the transaction that admitted the group."""
        save_meters(connection, self._queues.spend(group, now), now)
        scopes = (self._queues.scope_of(reader.address) for reader in group)
        self._window.count([scope for scope in scopes if scope], now)

    def hear(self, receipt: Receipt, address: str) -> None:
        """Remember a deferred message whose reader's domain wants less. The transport paces the server."""
        if asks_for_less(receipt) and (scope := self._queues.scope_of(address)):
            self._complaints[scope] = complaint(receipt)

    @property
    def has_complaints(self) -> bool:
        """Tell whether there is a complaint that is not in the database yet."""
        return bool(self._complaints)

    def closed_until(self, now: datetime) -> datetime | None:
        """Return when the limits next let a message go; None if that is now."""
        next_at = self._queues.next_at(now) or self._queues.server_at(now)
        return next_at if next_at > now else None
