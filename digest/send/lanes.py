"""Readers who are claimed and wait their turn: a lane for each limited domain, one for all others. Pure.

A lane that may not go now delays no other. What it knows of the limits is as of when it last saw the
meters, so it may be too hopeful; `admit` decides, with the meters as they are.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from digest.send.limits import (
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
from digest.send.message import Addressee

HOLD = timedelta(seconds=30)  # who must wait longer is given back
_OPEN = ""  # the lane of all who are in no other


class Lanes:
    """Add readers, take groups, give back who waits too long; see the module."""

    def __init__(self, limits: Limits) -> None:
        self._server = limits.server
        self._rules = {rules.scope: rules for rules in limits.domains}
        self._scopes = {name: rules.scope for rules in limits.domains for name in rules.names}
        self._meters: dict[str, Meter] = {}
        self._waiting: dict[str, deque[Addressee]] = {_OPEN: deque()}
        self._horizon: dict[str, datetime] = {}  # how far ahead turns have been given out

    def see(self, meters: Mapping[str, Meter]) -> None:
        """Take in meters as they are now."""
        self._meters |= meters

    def rules(self, scope: str) -> Rules:
        """Return the rules of a scope."""
        return self._server if scope == self._server.scope else self._rules[scope]

    def scope_of(self, address: str) -> str | None:
        """Return the scope of the domain of an address; None when that domain has no limits."""
        return self._scopes.get(domain_of(address)) if self._scopes else None

    def add(self, readers: Sequence[Addressee]) -> None:
        """Let readers wait, each in the lane of its domain."""
        if not self._scopes:
            self._waiting[_OPEN].extend(readers)
            return
        for reader in readers:
            self._waiting.setdefault(self._lane(reader), deque()).append(reader)

    def _lane(self, reader: Addressee) -> str:
        return self.scope_of(reader.address) or _OPEN

    @property
    def open_lane_is_empty(self) -> bool:
        """Tell whether all who wait are in limited domains, or nobody waits."""
        return not self._waiting[_OPEN]

    @property
    def empty(self) -> bool:
        """Tell whether nobody waits."""
        return not any(self._waiting.values())

    def reach(self, most: int, now: datetime) -> int:
        """Return how many readers, up to `most`, the server's own limits would let go before long."""
        return min(most, room(self._server, self._meter(self._server.scope), now, ahead=HOLD))

    # ── groups ──────────────────────────────────────────────────────────────────────────────

    def next_group(self, most: int, now: datetime) -> list[Addressee]:
        """Take up to `most` readers who may go now, as far as is known; the lanes share what there is."""
        wants = {
            lane: min(len(queue), self._worth(lane, len(queue), now))
            for lane, queue in self._waiting.items()
            if queue
        }
        total = min(most, sum(wants.values()))
        total = min(total, self._worth(self._server.scope, total, now)) if total else 0
        shares = share_out(wants, total)
        return [self._waiting[lane].popleft() for lane, count in shares.items() for _ in range(count)]

    def _worth(self, scope: str, wanted: int, now: datetime) -> int:
        """Return the room of a scope, and 0 while it is too little to be worth a transaction."""
        if scope == _OPEN:
            return wanted
        rules, meter = self.rules(scope), self._meter(scope)
        free = room(rules, meter, now)
        return free if free >= min(wanted, step(rules, meter, now)) else 0

    def scopes(self, group: Sequence[Addressee]) -> list[str]:
        """Return the scopes whose meters decide about a group; none where nothing is limited."""
        found = {self._lane(reader) for reader in group} - {_OPEN} if self._scopes else set()
        return sorted(found | {self._server.scope} if self._server_is_limited else found)

    @property
    def unlimited(self) -> bool:
        """Tell whether nothing is limited."""
        return not (self._scopes or self._server_is_limited)

    @property
    def _server_is_limited(self) -> bool:
        return bool(self._server.limits or self._server.warm_up)

    def admit(self, group: Sequence[Addressee], now: datetime) -> list[Addressee]:
        """Return those of a group who may go, by meters just seen; the others wait on, at the front."""
        server = self._server
        left = {scope: room(self.rules(scope), self._meter(scope), now) for scope in self.scopes(group)}
        going: list[Addressee] = []
        back: list[tuple[str, Addressee]] = []
        for reader in group:
            mine = {self._lane(reader), server.scope} & left.keys()
            if all(left[scope] > 0 for scope in mine):
                going.append(reader)
                for scope in mine:
                    left[scope] -= 1
            else:
                back.append((self._lane(reader), reader))
        for lane, reader in reversed(back):
            self._waiting[lane].appendleft(reader)
        return going

    def spend(self, group: Sequence[Addressee], now: datetime) -> dict[str, Meter]:
        """Count a group that goes, and return the meters that have changed."""
        counts = Counter(self._lane(reader) for reader in group)
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
        """Return when somebody who waits may go, at the soonest; None when nobody waits."""
        times = [self._free_at(lane, 1, now) for lane, queue in self._waiting.items() if queue]
        return max(min(times), self.server_at(now)) if times else None

    def server_at(self, now: datetime) -> datetime:
        """Return when the server's own limits let another letter go."""
        return free_at(self._server, self._meter(self._server.scope), 1, now)

    def _free_at(self, lane: str, letters: int, now: datetime) -> datetime:
        return free_at(self.rules(lane), self._meter(lane), letters, now) if lane else now

    def late(self, now: datetime) -> Iterator[tuple[Addressee, datetime]]:
        """Take out those whose turn will not come before long, each with the time to claim it again.

        In a lane that flows that is before its turn, so that the lane does not run dry.
        """
        for lane in self._scopes_of_lanes():
            rules, meter, queue = self.rules(lane), self._meter(lane), self._waiting[lane]
            keep = room(rules, meter, now, ahead=HOLD)
            late = [queue.pop() for _ in range(len(queue) - keep)]
            if late:
                first = max(self._horizon.get(lane, now), free_at(rules, meter, keep + 1, now))
                self._horizon[lane] = first + span(rules, meter, len(late), now)
                early = HOLD / 2 if span(rules, meter, 1, now) else timedelta()
                for place, reader in enumerate(reversed(late)):
                    yield reader, first + span(rules, meter, place, now) - early

    def _scopes_of_lanes(self) -> list[str]:
        return [lane for lane, queue in self._waiting.items() if queue and lane != _OPEN]


def share_out(wants: Mapping[str, int], total: int) -> dict[str, int]:
    """Share `total` among those who want some, evenly, and nobody gets more than it wants."""
    shares: dict[str, int] = {}
    for place, (name, want) in enumerate(sorted(wants.items(), key=lambda item: item[1])):
        shares[name] = min(want, -(-total // (len(wants) - place)))
        total -= shares[name]
    return shares
