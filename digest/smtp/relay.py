"""Track the health of one mail server, and decide when it may get a connection or a message. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from digest.model.messages import SmtpServer
from digest.smtp.pipeline import Verdict
from digest.smtp.standing import Standing
from digest.smtp.terms import Pace
from digest.smtp.throttle import Throttle
from subscribers.rules.answers import PASSING, Cause

_LONGEST_PAUSE = 30.0  # seconds
_ONE_MORE = 300.0  # seconds after the connections became fewer, until one more is tried
_SHORTEST = 5  # messages in a session, to learn its length
_ASIDE = 3  # messages in a row that a server refuses because of us, before it is set aside
_IN_TURN = 2  # messages on a connection without CHUNKING: one at the server, one on its way


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a server may take, and how often it may fail in a row.

    `ready`, `data`, `text`, `quit`, `hope` and `idle` are multiples of the server's `timeout`, which is the
    time for every other reply. With a timeout of a minute, the times from DATA on are the minima of RFC 5321
    §4.5.3.2. The times before DATA are shorter, because a message whose text was not sent loses nothing by
    another try.
    """

    ready: float = 0.5  # from connecting to logged in
    data: float = 2.0
    text: float = 10.0  # long, because giving up here leaves a message uncertain
    quit: float = 0.1
    hope: float = 0.75  # a server that keeps failing for so long, more than once, is down
    idle: float = 2.0  # a server that asks for less and accepts nothing for so long is not used any more
    tries: int = 6  # a server that fails so often in a row is down too
    pause: float = 0.5  # seconds after the first failure; then doubled each time


@dataclass(slots=True, kw_only=True)
class ConnectionRecord:
    """The record of one connection."""

    round: int  # the server's failures in a row when this connection was opened
    opened_at: float
    ready: bool = False
    answered: int = 0  # messages
    accepted: int = 0
    uncertain: int = 0
    returned: int = 0


class Relay:
    """The record of one server. Times are seconds on any clock that only goes forward.

    A connection ends badly if it never got ready, if it returned messages and answered none, or if it left
    messages uncertain and had answered no more than can be in flight at once. After a bad end, connections
    are opened one at a time, after a pause that doubles, so that we never reconnect in a burst. Connections
    that were opened together count as one failure. A server that fails `tries` times in a row, or keeps
    failing for as long as `hope` says, is down once no connection to it is left.

    A server that asks for fewer connections gets one less, and after some minutes one more again. A server
    that takes only so many messages on one connection gets no more on the next. A server that refuses
    messages because of us is set aside while another server is there.
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
        self.throttle = Throttle()
        self.standing = Standing()
        self.standing.alone = server.connections == 1
        self.mechanism = ""  # the login that worked
        self.most: int | None = None  # messages that the server takes on one connection
        self.aside: Verdict | None = None  # why the server is not used any more in this run
        self._asked: Verdict | None = None  # the last answer that asked for less
        self._allowed = server.connections
        self._lowered_at = 0.0
        self._session_of = 0  # messages accepted on the last connection whose session was over
        self._refusing_us = 0  # messages refused because of us, since the last one that was accepted
        self._accepted = 0  # messages that the throttle does not know yet
        self._patience = patience
        self._failures = 0
        self._failing_since = 0.0  # when the first connection that failed was opened
        self._hopeless = False

    @property
    def down(self) -> bool:
        """Tell whether the server is down, and not to be tried again in this run."""
        if self.open:
            return False
        if self.aside:
            return True
        if self.verdict is None:
            return False
        return self.verdict.lasting or self._hopeless or self._failures >= self._patience.tries

    def may_open(self, now: float) -> bool:
        """Tell whether another connection may be opened now."""
        if self.aside or self.down or self.open >= self.allowed(now):
            return False
        if self.verdict and self.verdict.lasting:
            return False
        # A wrong password is tried once, because many tries would lock the account.
        if self.server.user and not self.mechanism and self.open:
            return False
        if self.throttle.rate is not None and self.usable and self.throttle.wait(now):
            return False
        return self._failures == 0 or (self.opening == 0 and now >= self.not_before)

    def allowed(self, now: float) -> int:
        """Return how many connections the server takes at once, as far as is known."""
        more = max(0.0, now - self._lowered_at) // _ONE_MORE
        return min(self.server.connections, self._allowed + int(more))

    @property
    def room(self) -> int:
        """Return how many messages all connections together can have on the wire, as far as is known."""
        if self.aside:
            return 0
        each = self.in_flight if self.spoken is Pace.CHUNKING else min(_IN_TURN, self.in_flight)
        room = each * self._allowed
        return room if self.throttle.rate is None else min(room, ceil(self.throttle.rate))

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

    # ── what its answers say about the server ───────────────────────────────────────────────

    def took(self, count: int) -> None:
        """Note accepted messages; this must be cheap, so the throttle is told later."""
        self._accepted += count
        self._refusing_us = 0
        self.standing.ever = True

    def settle(self, now: float) -> None:
        """Tell the throttle about the messages that were accepted since the last call."""
        if self._accepted:
            self.throttle = self.throttle.accepted(self._accepted, now)
            self._accepted = 0

    def hear(self, answer: Verdict, now: float, *, on_wire: int) -> None:
        """Note an answer that returned a message; `on_wire` messages have no answer yet."""
        self.settle(now)
        if answer.cause is Cause.RATE:
            self.throttle = self.throttle.refused(answer.reason, now, on_wire=on_wire)
            self._asked, self._session_of = answer, 0
        elif answer.cause not in PASSING and self.standing.elsewhere():
            self._refusing_us += 1
            if self._refusing_us >= _ASIDE:
                self.aside = self.aside or answer

    def gives_up(self, now: float) -> bool:
        """Set the server aside if it has asked for less, and accepted nothing, for too long; tell whether."""
        since, patience = self.throttle.silent_since, self._patience
        if self.aside or since is None or self.throttle.asked < patience.tries:
            return False
        if now - since <= patience.idle * self.server.timeout:
            return False
        self.aside = self._asked
        return True

    def _learn(self, record: ConnectionRecord, verdict: Verdict, now: float) -> None:
        """Learn from the end of a connection how many connections and messages the server takes."""
        if verdict.cause is Cause.SESSION and record.accepted:
            # Twice the same number is no accident, unless it is very small.
            if record.accepted == self._session_of >= _SHORTEST:
                self.most = min(self.most or self._session_of, self._session_of)
            self._session_of = record.accepted
        too_many = verdict.cause is Cause.CONNECTIONS or not (record.ready or verdict.lasting)
        if too_many and self.usable:
            self._allowed, self._lowered_at = max(1, min(self.open, self.allowed(now) - 1)), now
            self.standing.alone = self._allowed == 1

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
        if verdict:
            self._learn(record, verdict, now)
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
        is_one_too_many = not record.ready or (verdict.cause is Cause.CONNECTIONS and not record.uncertain)
        if self.usable and is_one_too_many and not verdict.lasting:
            return False  # the other connections go on, and there is one connection less
        if not record.ready or verdict.lasting:
            return True
        if record.answered == 0:
            return record.returned + record.uncertain > 0
        return record.uncertain > 0 and record.answered <= self.in_flight
