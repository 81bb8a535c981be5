"""Decide which readers are sent to next, within the limits that all senders share through the database.

A run takes tokens for a second ahead, and its groups use them up in memory. Without limits, it asks no gate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from digest.limits.allowances import Allowance, give_back, take_ahead
from digest.limits.domain_queues import HOLD, DomainQueues
from digest.limits.limits import Limits, slow
from digest.limits.pace import SlidingWindow, asks_for_less, complaint
from digest.model.deliveries import Recipient
from digest.model.messages import Receipt
from digest.storage.database import Connection, Database
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

    def begin_again(self, connection: Connection, now: datetime) -> None:
        """Forget the readers that wait, because they will be looked at again; tokens are given back."""
        held = self._queues.allowances
        self._queues, self._found_none_at = DomainQueues(self._limits), None
        self._exchange(connection, dict.fromkeys(held, 0), held, now)
        self.look(connection)

    @property
    def is_open(self) -> bool:
        """Tell whether there are no limits, so that nobody has to wait."""
        return self._queues.unlimited

    # ── in ──────────────────────────────────────────────────────────────────────────────────

    def wanted(self, page: int, now: datetime) -> int:
        """Return how many more readers should wait, at most `page`; 0 while enough wait or none may go."""
        queues, looked_at = self._queues, self._found_none_at
        if not queues.open_queue_is_empty:
            return 0
        # The last search found nobody, so a search in each turn would only cost transactions.
        if looked_at and not queues.empty and now - looked_at < _LOOK_AGAIN:
            return 0
        return queues.reach(page, now)

    def let_wait(self, page: Sequence[Recipient] | None, now: datetime) -> None:
        """Add readers to those that wait; None means that nobody was due."""
        self._found_none_at = now if page is None else None
        self._queues.add(page or ())

    def late(self, now: datetime) -> Iterator[tuple[Recipient, datetime]]:
        """Take out the readers whose turn comes later than `HOLD`, each with a time to be due again."""
        return self._queues.late(now)

    # ── out ─────────────────────────────────────────────────────────────────────────────────

    def next_group(self, most: int, now: datetime) -> list[Recipient]:
        """Return up to `most` readers who may go now, by the tokens that this run has taken."""
        return self._queues.next_group(most, now)

    def rests(self, now: datetime) -> bool:
        """Tell whether to ask again in a moment, because a reader that waits may go within `HOLD`."""
        next_at = self._queues.next_at(now)
        # With `--now` the clock stands still: the turn would never come, and we would ask forever.
        moves, self._rested_at = now != self._rested_at, now
        return next_at is not None and next_at <= now + HOLD and moves

    def spend(self, group: Sequence[Recipient], now: datetime) -> None:
        """Count the readers of a group that were marked; `now` must be the time given to `next_group`."""
        self._queues.spend(group, now)
        scopes = (self._queues.scope_of(reader.address) for reader in group)
        self._window.count([scope for scope in scopes if scope], now)

    # ── tokens ──────────────────────────────────────────────────────────────────────────────

    def replenish(self, database: Database, now: datetime) -> None:
        """Take tokens for the next second, if readers wait and the second before is over.

        Locks the meters in a short transaction of its own. Slowdowns that servers have asked for are saved in
        it, at once. Tokens of the second before that were not used are given back.
        """
        self._renew(database, self._wishes_after_complaints(now) | self._queues.wishes(now), now)

    def close(self, database: Database, now: datetime) -> None:
        """Give back all tokens and save slowdowns, at the end of a run."""
        scopes = {*self._wishes_after_complaints(now), *self._queues.allowances}
        self._renew(database, dict.fromkeys(scopes, 0), now)

    def _wishes_after_complaints(self, now: datetime) -> dict[str, int]:
        """Return the scopes that have to be slowed further, with the tokens to ask for then."""
        meters = {scope: self._queues.meter(scope) for scope in self._complaints}
        # Most complaints are about messages that were on their way already, and change nothing.
        self._complaints = {
            scope: reply
            for scope, reply in self._complaints.items()
            if slow(meters[scope], reply, now) is not meters[scope]
        }
        return {scope: self._queues.wish(scope, now) for scope in self._complaints}

    def _renew(self, database: Database, wishes: Mapping[str, int], now: datetime) -> None:
        if not wishes:
            return
        # If the commit fails, nobody knows what was taken and given back. All of it counts as used then.
        held = self._queues.let_go(wishes)
        with database.write() as connection:
            taken = self._exchange(connection, wishes, held, now)
        self._queues.hold(taken)
        self._complaints = {}

    def _exchange(
        self, connection: Connection, wishes: Mapping[str, int], held: Mapping[str, Allowance], now: datetime
    ) -> dict[str, Allowance]:
        """Give back what is held, slow scopes down, and take tokens; return these."""
        meters = dict(before := lock_meters(connection, sorted(wishes), now))
        taken: dict[str, Allowance] = {}
        for scope, wish in wishes.items():
            rules = self._queues.rules(scope)
            if scope in held:
                meters[scope] = give_back(rules, meters[scope], held[scope], now)
            if scope in self._complaints:
                pace = self._window.pace(scope, now)
                meters[scope] = slow(meters[scope], self._complaints[scope], now, pace=pace)
            # Tokens of a domain are of no use without those of the server, which come first.
            server = taken.get(self._limits.server.scope)
            if wish and (server is None or server.taken):
                taken[scope], meters[scope] = take_ahead(rules, meters[scope], wish, now)
        save_meters(connection, {scope: each for scope, each in meters.items() if each != before[scope]}, now)
        self._queues.see(meters)
        return taken

    def hear(self, receipt: Receipt, address: str) -> None:
        """Remember a deferred message whose reader's domain wants less. The transport paces the server."""
        if asks_for_less(receipt) and (scope := self._queues.scope_of(address)):
            self._complaints[scope] = complaint(receipt)

    def closed_until(self, now: datetime) -> datetime | None:
        """Return when the limits next let a message go; None if that is now."""
        next_at = self._queues.next_at(now) or self._queues.server_at(now)
        return next_at if next_at > now else None
