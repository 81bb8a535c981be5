"""Decide who of an edition goes next, within limits that all who send share through the database.

Where nothing is limited and nobody complains, all pass by it, and it costs one small query a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from digest.model import Outcome, Receipt
from digest.send.complaints import asks_for_less, complaint
from digest.send.lanes import HOLD, Lanes
from digest.send.lately import Lately
from digest.send.limits import Limits, domain_of, slow, slowed_since
from digest.send.message import Addressee
from digest.storage import deliveries as ledger
from digest.storage.database import Connection
from digest.storage.limits import lock_meters, read_meters, save_meters
from digest.storage.senders import Sender

_LOOK_AGAIN = timedelta(seconds=1)  # for others to send to, while those in limited domains wait


class Gate:
    """One run's waiting readers, and what it knows of the limits. `now` is the run's clock."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._server = limits, limits.server
        self._lately = Lately()
        self._scopes = [rules.scope for rules in limits.scopes]
        self._lanes = Lanes(limits)
        self._complaints: dict[str, str] = {}  # scopes that asked for less, and how; not yet kept
        self._looked_at: datetime | None = None
        self._found_none_at: datetime | None = None
        self._rested_at: datetime | None = None

    def look(self, connection: Connection, now: datetime) -> None:
        """See what has been used by now, and which domains are slowed."""
        self._looked_at = now
        self._lanes.see(read_meters(connection, self._scopes, slowed_since=slowed_since(now)))

    @property
    def is_open(self) -> bool:
        """Tell whether nobody need wait: nothing is limited and nobody complains, as far as is known."""
        return self._lanes.unlimited and self._lanes.empty and not self._complaints

    def pass_by(self, connection: Connection, group: Sequence[Addressee], now: datetime) -> None:
        """Count those who go while it is open, and look now and then whether it still is."""
        self._count(group, now)
        if self._looked_at is None or now - self._looked_at >= _LOOK_AGAIN:
            self.look(connection, now)

    # ── in ──────────────────────────────────────────────────────────────────────────────────

    def wanted(self, page: int, now: datetime) -> int:
        """Return how many readers to claim, at most a page: none while enough wait or none may go."""
        lanes, looked_at = self._lanes, self._found_none_at
        if not lanes.open_lane_is_empty:
            return 0
        if looked_at and not lanes.empty and now - looked_at < _LOOK_AGAIN:
            return 0
        return lanes.reach(page, now)

    def let_wait(self, page: Sequence[Addressee] | None, now: datetime) -> None:
        """Take in a page that was claimed; None when there was none to claim."""
        self._found_none_at = now if page is None else None
        self._lanes.add(page or ())

    def give_back(self, connection: Connection, sender: Sender, now: datetime) -> None:
        """Queue those again whose turn will not come before long, for the time when it does."""
        late = [(reader.subscriber_id, due_at) for reader, due_at in self._lanes.late(now)]
        ledger.postpone(connection, sender, late, now=now)

    # ── out ─────────────────────────────────────────────────────────────────────────────────

    def next_group(self, most: int, now: datetime) -> list[Addressee]:
        """Return readers who may go now, as far as is known without asking the database."""
        return self._lanes.next_group(most, now)

    def rests(self, now: datetime) -> bool:
        """Tell whether to ask again in a moment: somebody who waits may go before long.

        Not with a clock that stands still, as with `--now`: that would be for ever.
        """
        next_at = self._lanes.next_at(now)
        moves, self._rested_at = now != self._rested_at, now
        return next_at is not None and next_at <= now + HOLD and moves

    def admit(self, connection: Connection, group: Sequence[Addressee], now: datetime) -> list[Addressee]:
        """Return those of a group who may go, by meters that are locked from here on; the others wait on.

        What servers complained of is kept first.
        """
        scopes = sorted({*self._lanes.scopes(group), *self._complaints})
        if not scopes:
            return list(group)
        meters = lock_meters(connection, scopes, now)
        slowed = {
            scope: slow(meters[scope], reply, now, pace=self._pace(scope, now))
            for scope, reply in self._complaints.items()
        }
        save_meters(connection, slowed, now)
        self._complaints = {}
        self._lanes.see(meters | slowed)
        return self._lanes.admit(group, now)

    def spend(self, connection: Connection, group: Sequence[Addressee], now: datetime) -> None:
        """Count those who go; in the transaction in which they were admitted."""
        save_meters(connection, self._lanes.spend(group, now), now)
        self._count(group, now)

    def _count(self, group: Sequence[Addressee], now: datetime) -> None:
        self._lately.count([domain_of(reader.address) for reader in group], now)

    def _pace(self, scope: str, now: datetime) -> int | None:
        return self._lately.pace(self._limits.names(scope), now)

    def hear(self, receipt: Receipt, address: str) -> None:
        """Remember a receipt that asks for less: of the domain, or of us when no letter was taken at all."""
        if not asks_for_less(receipt):
            return
        if receipt.outcome is Outcome.DEFERRED:
            self._complaints[self._lanes.scope_of(address)] = complaint(receipt)
        elif self._server.paces:
            self._complaints[self._server.scope] = complaint(receipt)

    @property
    def has_complaints(self) -> bool:
        """Tell whether there is a complaint to keep."""
        return bool(self._complaints)

    def closed_until(self, now: datetime) -> datetime | None:
        """Return when those who wait, or anybody at all, may go; None when that is now."""
        next_at = self._lanes.next_at(now) or self._lanes.server_at(now)
        return next_at if next_at > now else None
