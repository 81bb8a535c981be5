"""Queue claimed readers until they may be sent to: a queue for each limited domain, one for all others. Pure.

A queue that has to wait delays no other queue. The queues know the meters only as they were when `see` was
last called, so `next_group` can return too many readers. `admit` decides, with the current meters.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from digest.limits.limits import (
    Limits,
    Meter,
    Rules,
    domain_of,
    free_at,
    room,
    span,
    step,
    take,
)
from digest.model.deliveries import Recipient

HOLD = timedelta(seconds=30)  # readers who must wait longer are given back
_OPEN = ""  # the queue of readers whose domains have no limits


class DomainQueues:
    """The queues of one run: add readers, take groups, give back readers who wait too long."""

    def __init__(self, limits: Limits) -> None:
        self._server = limits.server
        self._rules = {rules.scope: rules for rules in limits.domains}
        self._scopes = {name: rules.scope for rules in limits.domains for name in rules.names}
        self._meters: dict[str, Meter] = {}
        self._waiting: dict[str, deque[Recipient]] = {_OPEN: deque()}
        self._horizon: dict[str, datetime] = {}  # the end of the turns that were given out

    def see(self, meters: Mapping[str, Meter]) -> None:
        """Update the meters."""
        self._meters |= meters

    def rules(self, scope: str) -> Rules:
        """Return the rules of a scope."""
        return self._server if scope == self._server.scope else self._rules[scope]

    def scope_of(self, address: str) -> str | None:
        """Return the scope of an address's domain; None if the domain has no limits."""
        return self._scopes.get(domain_of(address)) if self._scopes else None

    def add(self, readers: Sequence[Recipient]) -> None:
        """Add readers, each to the queue of its domain."""
        if not self._scopes:
            self._waiting[_OPEN].extend(readers)
            return
        for reader in readers:
            self._waiting.setdefault(self._queue(reader), deque()).append(reader)

    def _queue(self, reader: Recipient) -> str:
        return self.scope_of(reader.address) or _OPEN

    @property
    def open_queue_is_empty(self) -> bool:
        """Tell whether no reader without a limited domain waits."""
        return not self._waiting[_OPEN]

    @property
    def empty(self) -> bool:
        """Tell whether nobody waits."""
        return not any(self._waiting.values())

    def reach(self, most: int, now: datetime) -> int:
        """Return how many readers, up to `most`, the server's own limits would let go within `HOLD`."""
        return min(most, room(self._server, self._meter(self._server.scope), now, ahead=HOLD))

    # ── groups ──────────────────────────────────────────────────────────────────────────────

    def next_group(self, most: int, now: datetime) -> list[Recipient]:
        """Take up to `most` readers who may go now, as far as is known, evenly from all queues."""
        wants = {
            queue: min(len(waiting), self._worth(queue, len(waiting), now))
            for queue, waiting in self._waiting.items()
            if waiting
        }
        total = min(most, sum(wants.values()))
        total = min(total, self._worth(self._server.scope, total, now)) if total else 0
        shares = share_out(wants, total)
        return [self._waiting[queue].popleft() for queue, count in shares.items() for _ in range(count)]

    def _worth(self, scope: str, wanted: int, now: datetime) -> int:
        """Return the room of a scope; 0 while the room is too small to be worth a transaction."""
        if scope == _OPEN:
            return wanted
        rules, meter = self.rules(scope), self._meter(scope)
        free = room(rules, meter, now)
        return free if free >= min(wanted, step(rules, meter, now)) else 0

    def scopes(self, group: Sequence[Recipient]) -> list[str]:
        """Return the scopes whose meters decide about a group; none if nothing is limited."""
        found = {self._queue(reader) for reader in group} - {_OPEN} if self._scopes else set()
        return sorted(found | {self._server.scope} if self._server_is_limited else found)

    @property
    def unlimited(self) -> bool:
        """Tell whether nothing is limited."""
        return not (self._scopes or self._server_is_limited)

    @property
    def _server_is_limited(self) -> bool:
        return bool(self._server.limits or self._server.warm_up)

    def admit(self, group: Sequence[Recipient], now: datetime) -> list[Recipient]:
        """Return the readers of a group who may go by the current meters; the others wait at the front."""
        server = self._server
        left = {scope: room(self.rules(scope), self._meter(scope), now) for scope in self.scopes(group)}
        going: list[Recipient] = []
        back: list[tuple[str, Recipient]] = []
        for reader in group:
            mine = {self._queue(reader), server.scope} & left.keys()
            if all(left[scope] > 0 for scope in mine):
                going.append(reader)
                for scope in mine:
                    left[scope] -= 1
            else:
                back.append((self._queue(reader), reader))
        for queue, reader in reversed(back):
            self._waiting[queue].appendleft(reader)
        return going

    def spend(self, group: Sequence[Recipient], now: datetime) -> dict[str, Meter]:
        """Count a group that goes, and return the changed meters."""
        counts = Counter(self._queue(reader) for reader in group)
        counts[self._server.scope] = len(group)
        changed = {
            scope: take(self.rules(scope), self._meter(scope), counts[scope], now)
            for scope in self.scopes(group)
        }
        self._meters |= changed
        return changed

    def _meter(self, scope: str) -> Meter:
        return self._meters.get(scope) or Meter()

    # ── waiting ─────────────────────────────────────────────────────────────────────────────

    def next_at(self, now: datetime) -> datetime | None:
        """Return when the first waiting reader may go; None if nobody waits."""
        times = [self._free_at(queue, 1, now) for queue, waiting in self._waiting.items() if waiting]
        return max(min(times), self.server_at(now)) if times else None

    def server_at(self, now: datetime) -> datetime:
        """Return when the server's own limits let another message go."""
        return free_at(self._server, self._meter(self._server.scope), 1, now)

    def _free_at(self, queue: str, messages: int, now: datetime) -> datetime:
        return free_at(self.rules(queue), self._meter(queue), messages, now) if queue else now

    def late(self, now: datetime) -> Iterator[tuple[Recipient, datetime]]:
        """Take out the readers whose turn comes later than `HOLD`, each with the time to claim it again."""
        for queue in self._scopes_of_queues():
            rules, meter, waiting = self.rules(queue), self._meter(queue), self._waiting[queue]
            keep = room(rules, meter, now, ahead=HOLD)
            late = [waiting.pop() for _ in range(len(waiting) - keep)]  # from the end, where turns come last
            if late:
                # The turns before the horizon belong to readers that were given back earlier.
                first = max(self._horizon.get(queue, now), free_at(rules, meter, keep + 1, now))
                self._horizon[queue] = first + span(rules, meter, len(late), now)
                # In an even flow, readers are claimed before their turn, so that the queue does not run dry.
                early = HOLD / 2 if span(rules, meter, 1, now) else timedelta()
                for place, reader in enumerate(reversed(late)):
                    yield reader, first + span(rules, meter, place, now) - early

    def _scopes_of_queues(self) -> list[str]:
        return [queue for queue, waiting in self._waiting.items() if waiting and queue != _OPEN]


def share_out(wants: Mapping[str, int], total: int) -> dict[str, int]:
    """Share `total` evenly, so that no name gets more than it wants."""
    shares: dict[str, int] = {}
    for place, (name, want) in enumerate(sorted(wants.items(), key=lambda item: item[1])):
        shares[name] = min(want, -(-total // (len(wants) - place)))
        total -= shares[name]
    return shares
