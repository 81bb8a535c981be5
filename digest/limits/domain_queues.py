"""Queue readers until they may be sent to: a queue for each limited domain, one for all others. Pure.

A queue that has to wait delays no other queue. Readers go by the allowances of their scopes. What the queues
know of the meters besides can be old: it is what they were when `see` was last called.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from digest.limits.allowances import Allowance, first_wish, quotas_are_used_up
from digest.limits.limits import Limits, Meter, Rules, domain_of, free_at, room, span
from digest.model.deliveries import Recipient

HOLD = timedelta(seconds=30)  # readers who must wait longer are given back
_OPEN = ""  # the queue of readers whose domains have no limits


class DomainQueues:
    """The queues of one run: add readers, take groups, give back readers who wait too long."""

    def __init__(self, limits: Limits) -> None:
        self._server = limits.server
        self._rules = {rules.scope: rules for rules in limits.domains}
        self._scopes = {name: rules.scope for rules in limits.domains for name in rules.names}
        domains = [rules.scope for rules in limits.domains]
        self._limited = [self._server.scope, *domains] if self._server_is_limited else domains
        self._meters: dict[str, Meter] = {}
        self._allowances: dict[str, Allowance] = {}
        self._waiting: dict[str, deque[Recipient]] = {_OPEN: deque()}
        self._horizon: dict[str, datetime] = {}  # the end of the turns that were given out

    def see(self, meters: Mapping[str, Meter]) -> None:
        """Update the meters; a scope with an allowance goes by what it has seen itself."""
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
        return min(most, room(self._server, self.meter(self._server.scope), now, ahead=HOLD))

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
        """Return how many tokens may be used; 0 while there are too few to be worth a transaction."""
        if scope == _OPEN or (scope == self._server.scope and not self._server_is_limited):
            return wanted
        allowance = self._allowances.get(scope)
        if allowance is None:
            return 0
        free = allowance.free(now)
        enough = min(wanted, allowance.step, allowance.held(now))
        return free if free >= enough else 0

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

    def spend(self, group: Sequence[Recipient], now: datetime) -> None:
        """Count a group that goes; it is all or a part of what `next_group` returned for this `now`."""
        counts = Counter(self._queue(reader) for reader in group)
        counts[self._server.scope] = len(group)
        for scope in self.scopes(group):
            allowance = self._allowances[scope]
            self._allowances[scope] = allowance.use(self.rules(scope), counts[scope], now)

    @property
    def allowances(self) -> Mapping[str, Allowance]:
        """Return the allowances of this run, by scope."""
        return self._allowances

    def meter(self, scope: str) -> Meter:
        """Return the meter of a scope as far as this run knows it."""
        allowance = self._allowances.get(scope)
        return allowance.mine if allowance else self._meters.get(scope) or Meter()

    # ── allowances ──────────────────────────────────────────────────────────────────────────

    def wishes(self, now: datetime) -> dict[str, int]:
        """Return how many tokens to ask for, by scope, the server first; 0 means only to give some back.

        A scope is returned about once a second, while readers wait for it.
        """
        return {scope: self.wish(scope, now) for scope in self._limited if self._is_due(scope, now)}

    def wish(self, scope: str, now: datetime) -> int:
        """Return how many tokens to ask for; 0 if nobody could use them now."""
        waiting = self._count(scope)
        if not waiting or quotas_are_used_up(self.rules(scope), self.meter(scope), now):
            return 0
        if scope != self._server.scope and self._server_lets_nobody_go(now):
            return 0
        allowance = self._allowances.get(scope)
        return allowance.next_wish(now) if allowance else first_wish(self.rules(scope), waiting)

    def _is_due(self, scope: str, now: datetime) -> bool:
        allowance = self._allowances.get(scope)
        if allowance and not allowance.is_over(now):
            return False
        return bool(allowance and allowance.unused) or self.wish(scope, now) > 0

    def _server_lets_nobody_go(self, now: datetime) -> bool:
        """Tell whether this run has no tokens of the server, so that others would be of no use to it."""
        if not self._server_is_limited:
            return False
        allowance = self._allowances.get(self._server.scope)
        if allowance and not allowance.is_over(now):
            return not allowance.held(now)
        return quotas_are_used_up(self._server, self.meter(self._server.scope), now)

    def _count(self, scope: str) -> int:
        if scope == self._server.scope:
            return sum(map(len, self._waiting.values()))
        return len(self._waiting.get(scope, ()))

    def hold(self, allowances: Mapping[str, Allowance]) -> None:
        """Add allowances; their taking must be committed."""
        self._allowances |= allowances

    def let_go(self, scopes: Iterable[str]) -> dict[str, Allowance]:
        """Take out the allowances of some scopes."""
        return {scope: self._allowances.pop(scope) for scope in scopes if scope in self._allowances}

    # ── waiting ─────────────────────────────────────────────────────────────────────────────

    def next_at(self, now: datetime) -> datetime | None:
        """Return when the first waiting reader may go; None if nobody waits."""
        times = [self._free_at(queue, 1, now) for queue, waiting in self._waiting.items() if waiting]
        return max(min(times), self.server_at(now)) if times else None

    def server_at(self, now: datetime) -> datetime:
        """Return when the server's own limits let another message go."""
        return free_at(self._server, self.meter(self._server.scope), 1, now)

    def _free_at(self, queue: str, messages: int, now: datetime) -> datetime:
        return free_at(self.rules(queue), self.meter(queue), messages, now) if queue else now

    def late(self, now: datetime) -> Iterator[tuple[Recipient, datetime]]:
        """Take out the readers whose turn comes later than `HOLD`, each with the time to look at it again."""
        for queue in self._scopes_of_queues():
            rules, meter, waiting = self.rules(queue), self.meter(queue), self._waiting[queue]
            keep = room(rules, meter, now, ahead=HOLD)
            late = [waiting.pop() for _ in range(len(waiting) - keep)]  # from the end, where turns come last
            if late:
                # The turns before the horizon belong to readers that were given back earlier.
                first = max(self._horizon.get(queue, now), free_at(rules, meter, keep + 1, now))
                self._horizon[queue] = first + span(rules, meter, len(late), now)
                # In an even flow, readers come before their turn, so that the queue does not run dry.
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
