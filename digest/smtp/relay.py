"""Track the health of one mail server, and decide when another connection to it may be opened. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from digest.model.messages import SmtpServer
from digest.smtp.pipeline import Pace, Verdict

_LONGEST_PAUSE = 30.0  # seconds
_IN_TURN = 2  # messages on a connection without CHUNKING: one at the server, one on its way


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a server may take, and how often it may fail in a row.

    `ready`, `data`, `text`, `quit` and `hope` are multiples of the server's `timeout`, which is the time for
    every other reply. With a timeout of a minute, the times from DATA on are the minima of RFC 5321
    §4.5.3.2. The times before DATA are shorter, because a message whose text was not sent loses nothing by
    another try.
    """

    ready: float = 0.5  # from connecting to logged in
    data: float = 2.0
    text: float = 10.0  # long, because giving up here leaves a message uncertain
    quit: float = 0.1
    hope: float = 0.75  # a server that keeps failing for so long, more than once, is down
    tries: int = 6  # a server that fails so often in a row is down too
    pause: float = 0.5  # seconds after the first failure; then doubled each time


@dataclass(slots=True, kw_only=True)
class ConnectionRecord:
    """The record of one connection."""

    round: int  # the server's failures in a row when this connection was opened
    opened_at: float
    ready: bool = False
    answered: int = 0  # messages
    uncertain: int = 0
    returned: int = 0


class Relay:
    """The record of one server. Times are seconds on any clock that only goes forward.

    A connection ends badly if it never got ready, if it returned messages and answered none, or if it left
    messages uncertain and had answered no more than can be in flight at once. After a bad end, connections
    are opened one at a time, after a pause that doubles, so that we never reconnect in a burst. Connections
    that were opened together count as one failure. A server that fails `tries` times in a row, or keeps
    failing for as long as `hope` says, is down once no connection to it is left.
    """

    def __init__(self, server: SmtpServer, patience: Timeouts, *, pace: Pace, in_flight: int) -> None:
        self.server = server
        self.pace = pace  # the fastest pace to use, as far as the server supports what it offers
        self.in_flight = in_flight
        self.spoken = min(pace, Pace.PIPELINING)  # the pace in use; a guess until a connection is ready
        self.open = 0  # connections, ready or not
        self.opening = 0  # connections that are not ready yet
        self.verdict: Verdict | None = None  # why the last connection ended badly
        self.not_before = 0.0  # when the pause after the failure is over
        self.share = 0.0  # messages taken, divided by the weight
        self._patience = patience
        self._failures = 0
        self._failing_since = 0.0  # when the first connection that failed was opened
        self._hopeless = False

    @property
    def down(self) -> bool:
        """Tell whether the server is down, and not to be tried again in this run."""
        if self.open or self.verdict is None:
            return False
        return self.verdict.lasting or self._hopeless or self._failures >= self._patience.tries

    def may_open(self, now: float) -> bool:
        """Tell whether another connection may be opened now."""
        if self.down or self.open >= self.server.connections or (self.verdict and self.verdict.lasting):
            return False
        return self._failures == 0 or (self.opening == 0 and now >= self.not_before)

    @property
    def room(self) -> int:
        """Return how many messages all connections together can have on the wire, as far as is known."""
        each = self.in_flight if self.spoken is Pace.CHUNKING else min(_IN_TURN, self.in_flight)
        return each * self.server.connections

    @property
    def usable(self) -> bool:
        """Tell whether a connection is ready."""
        return self.open > self.opening

    def may_take(self, others: Sequence[Relay]) -> bool:
        """Tell whether this server may take one more message by its weight, and if so, count the message.

        A server may be ahead of its share by as many messages as it can have in flight. A server that is not
        usable holds no other server back.
        """
        weight = self.server.weight
        if not weight:
            return True
        lowest = min((other.share for other in others if other.usable), default=self.share)
        if self.share - lowest > self.server.connections * self.in_flight / weight:
            return False
        self.share += 1 / weight
        return True

    def rejoin(self, others: Sequence[Relay]) -> None:
        """Start level with the other servers again, so that this server does not catch up what it missed."""
        shares = [other.share for other in others if other.usable and other is not self]
        self.share = max([self.share, min(shares, default=0.0)])

    def opened(self, now: float) -> ConnectionRecord:
        """Record that a connection is being opened; return its own record, to be kept with it."""
        self.open += 1
        self.opening += 1
        return ConnectionRecord(round=self._failures, opened_at=now)

    def ready(self, record: ConnectionRecord, pace: Pace) -> None:
        """Record that a connection is ready for messages at a pace."""
        self.spoken = pace
        if not record.ready:
            record.ready = True
            self.opening -= 1

    def ended(self, record: ConnectionRecord, verdict: Verdict | None, now: float) -> bool:
        """Record the end of a connection; return whether it counts as a failure of the server."""
        self.open -= 1
        self.opening -= not record.ready
        if verdict and verdict.slower:
            self.pace = min(self.pace, verdict.slower)
        if verdict is None or not self._is_bad(record, verdict):
            self._failures = 0
            self.verdict = None
            self._hopeless = False
            return False
        self.verdict = verdict
        # Connections that were opened together fail as one, and that failure is counted already.
        if record.round < self._failures:
            return False
        if self._failures == 0:
            self._failing_since = record.opened_at
        elif now - self._failing_since >= self._patience.hope * self.server.timeout:
            self._hopeless = True
        pause = min(self._patience.pause * 2**self._failures, _LONGEST_PAUSE)
        self._failures += 1
        self.not_before = now + pause
        return True

    def _is_bad(self, record: ConnectionRecord, verdict: Verdict) -> bool:
        if not record.ready or verdict.lasting:
            return True
        if record.answered == 0:
            return record.returned + record.uncertain > 0
        return record.uncertain > 0 and record.answered <= self.in_flight
