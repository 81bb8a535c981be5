"""How well one mail server has been doing, and so when another line to it may be opened. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from digest.model import SmtpServer
from digest.send.pipeline import Pace, Verdict

_LONGEST_PAUSE = 30.0  # seconds
_IN_TURN = 2  # letters on a line without CHUNKING: one at the server, one on its way there


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a server may take, and how often it may fail in a row.

    `ready`, `data`, `text`, `quit` and `hope` are multiples of its `timeout`, which is the time for every
    other answer. With a minute they are the minima of RFC 5321 §4.5.3.2 from DATA on; before that they are
    shorter, because a letter of which no text was sent goes on elsewhere.
    """

    ready: float = 0.5  # from connecting to logged in, all in all
    data: float = 2.0
    text: float = 10.0  # giving up there leaves a letter in doubt
    quit: float = 0.1
    hope: float = 0.75  # a server that has failed for so long, and not once only, is down
    tries: int = 6  # and so is one that failed so often
    pause: float = 0.5  # seconds after the first failure; then doubling


@dataclass(slots=True, kw_only=True)
class LineRecord:
    """What one line has done so far."""

    round: int  # how often the server had failed when this line was opened
    opened_at: float
    ready: bool = False
    answered: int = 0  # letters
    uncertain: int = 0
    returned: int = 0


class Relay:
    """One server's record. Times are seconds on any clock that only goes forward.

    A line ends badly if it never got ready, if it gave back letters and answered none, or if it left
    letters in doubt and had not answered more than can be in doubt at once. After a bad end lines are
    opened one at a time, after a pause that doubles: there is never a storm of reconnections. Lines that
    were opened together fail as one. A server that fails `tries` times in a row, or for as long as there
    is `hope`, is down, once no line to it is left.
    """

    def __init__(self, server: SmtpServer, patience: Patience, *, pace: Pace, in_flight: int) -> None:
        self.server = server
        self.pace = pace  # the fastest at which it keeps what it offers
        self.in_flight = in_flight
        self.spoken = min(pace, Pace.PIPELINING)  # the pace of its lines; of the next, until one is ready
        self.open = 0  # lines, ready or not
        self.opening = 0  # lines that are not ready yet
        self.verdict: Verdict | None = None  # why the last line ended badly
        self.not_before = 0.0  # when the pause after that is over
        self.share = 0.0  # letters taken, divided by the weight
        self._patience = patience
        self._failures = 0
        self._failing_since = 0.0  # when the first line of those failures was opened
        self._hopeless = False

    @property
    def down(self) -> bool:
        """Tell whether there is nothing more to hope for."""
        if self.open or self.verdict is None:
            return False
        return self.verdict.lasting or self._hopeless or self._failures >= self._patience.tries

    def may_open(self, now: float) -> bool:
        """Tell whether another line may be opened now."""
        if self.down or self.open >= self.server.connections or (self.verdict and self.verdict.lasting):
            return False
        return self._failures == 0 or (self.opening == 0 and now >= self.not_before)

    @property
    def room(self) -> int:
        """Tell how many letters its lines keep on the wire, all together, as far as it is known."""
        each = self.in_flight if self.spoken is Pace.CHUNKING else min(_IN_TURN, self.in_flight)
        return each * self.server.connections

    @property
    def usable(self) -> bool:
        """Tell whether a line to it is ready."""
        return self.open > self.opening

    def may_take(self, others: Sequence[Relay]) -> bool:
        """Tell whether one more letter may go to it, beside the other servers with a weight, and count it.

        It may be ahead of its share by as many letters as it can have in flight; a server that is not
        usable holds nobody back.
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
        """Begin level with the other servers: what went to them while it was away is not made up for."""
        shares = [other.share for other in others if other.usable and other is not self]
        self.share = max([self.share, min(shares, default=0.0)])

    def opened(self, now: float) -> LineRecord:
        """Record that a line is being opened; return its own record, to be kept with it."""
        self.open += 1
        self.opening += 1
        return LineRecord(round=self._failures, opened_at=now)

    def ready(self, line: LineRecord, pace: Pace) -> None:
        """Record that a line is ready for letters at a pace."""
        self.spoken = pace
        if not line.ready:
            line.ready = True
            self.opening -= 1

    def ended(self, line: LineRecord, verdict: Verdict | None, now: float) -> bool:
        """Record the end of a line; return whether it counts as a failure of the server."""
        self.open -= 1
        self.opening -= not line.ready
        if verdict and verdict.slower:
            self.pace = min(self.pace, verdict.slower)
        if verdict is None or not self._is_bad(line, verdict):
            self._failures = 0
            self.verdict = None
            self._hopeless = False
            return False
        self.verdict = verdict
        if line.round < self._failures:
            return False
        if self._failures == 0:
            self._failing_since = line.opened_at
        elif now - self._failing_since >= self._patience.hope * self.server.timeout:
            self._hopeless = True
        pause = min(self._patience.pause * 2**self._failures, _LONGEST_PAUSE)
        self._failures += 1
        self.not_before = now + pause
        return True

    def _is_bad(self, line: LineRecord, verdict: Verdict) -> bool:
        if not line.ready or verdict.lasting:
            return True
        if line.answered == 0:
            return line.returned + line.uncertain > 0
        return line.uncertain > 0 and line.answered <= self.in_flight
