"""Decide who of an edition goes next, within limits that all who send share through the database.

Where nothing is limited, all pass by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from digest.model import Outcome, Receipt
from digest.send.lanes import HOLD, Lanes
from digest.send.limits import Limits, slow
from digest.send.message import Addressee
from digest.send.pace import Lately, asks_for_less, complaint
from digest.storage import deliveries as ledger
from digest.storage.database import Connection
from digest.storage.limits import lock_meters, read_meters, save_meters
from digest.storage.senders import Sender

_LOOK_AGAIN = timedelta(seconds=1)  # for others to send to, while those in limited domains wait


class Gate:
    """One run's waiting readers, and what it knows of the limits. `now` is the run's clock."""

    def __init__(self, limits: Limits) -> None:
        self._server = limits.server
        self._lately = Lately()
        self._scopes = [rules.scope for rules in limits.scopes]
        self._lanes = Lanes(limits)
        self._complaints: dict[str, str] = {}  # scopes that asked for less, and how; not yet kept
        self._found_none_at: datetime | None = None
        self._rested_at: datetime | None = None

    def look(self, connection: Connection) -> None:
        """See what has been used by now, and who is slowed."""
        self._lanes.see(read_meters(connection, self._scopes))

    @property
    def is_open(self) -> bool:
        """Tell whether nobody need wait, because nothing is limited."""
        return self._lanes.unlimited

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
            scope: slow(meters[scope], reply, now, pace=self._lately.pace(scope, now))
            for scope, reply in self._complaints.items()
        }
        save_meters(connection, slowed, now)
        self._complaints = {}
        self._lanes.see(meters | slowed)
        return self._lanes.admit(group, now)

    def spend(self, connection: Connection, group: Sequence[Addressee], now: datetime) -> None:
        """Count those who go; in the transaction in which they were admitted."""
        save_meters(connection, self._lanes.spend(group, now), now)
        scopes = (self._lanes.scope_of(reader.address) for reader in group)
        self._lately.count([scope for scope in scopes if scope], now)

    def hear(self, receipt: Receipt, address: str) -> None:
        """Remember a receipt that asks for less: of the domain, or of us when no letter was taken at all."""
        if not asks_for_less(receipt):
            return
        if receipt.outcome is Outcome.DEFERRED:
            # A relay slows down for a domain by itself. So one without limits is not slowed here as well.
            if scope := self._lanes.scope_of(address):
                self._complaints[scope] = complaint(receipt)
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
