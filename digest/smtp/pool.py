"""Hold all connections to all mail servers, and give them messages; the event loop runs a turn at a time."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from digest.model.errors import TransportError
from digest.model.messages import Message, Outcome, Receipt, SmtpServer
from digest.smtp.conversation import Closed, Event, Ready, State
from digest.smtp.line import Connection, terms_for, tls_context
from digest.smtp.pipeline import Returned, Verdict
from digest.smtp.relay import ConnectionRecord, Relay, Timeouts

log = logging.getLogger(__name__)

_MAX_RETURNS = 5  # if so many connections ended at one message, the message goes back to the sender
_SHARE_CHECK = 0.005  # seconds before a server that is ahead of its share may be given messages again
_QUIT_SECONDS = 2.0  # for the replies to QUIT


class Pool:
    """All connections: `add` takes messages, `take` returns receipts, and `turn` lets the loop run.

    Must be closed. `failure` is set when no server is left; every message has a receipt then.
    """

    def __init__(self, relays: Sequence[Relay], ehlo_name: str | None, patience: Timeouts) -> None:
        self.unanswered = 0  # messages added, minus receipts made
        self.failure: TransportError | None = None
        self._relays = tuple(relays)
        self._ehlo_name = ehlo_name
        self._patience = patience
        self._contexts = {id(relay): _context(relay.server) for relay in relays}
        self._waiting: deque[Message] = deque()
        self._receipts: list[Receipt] = []
        self._returns: Counter[int] = Counter()  # by the message's key
        self._connections: dict[Connection, tuple[Relay, ConnectionRecord]] = {}
        self._floor = 0
        self._again: asyncio.TimerHandle | None = None
        self._bug: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._note_bug)
        self._period = min([1.0, *(relay.server.timeout / 8 for relay in relays)])
        self._tick_timer = self._loop.call_later(self._period, self._tick)

    def time(self) -> float:
        """Return the seconds on the loop's clock."""
        return self._loop.time()

    def add(self, messages: Sequence[Message]) -> None:
        """Take messages; they are sent as soon as a connection has room."""
        self.unanswered += len(messages)
        self._waiting.extend(messages)
        self._balance()

    def turn(self, seconds: float, floor: int) -> None:
        """Run the loop until at most `floor` messages are unanswered, and no longer than `seconds`."""
        self._floor = floor
        alarm = self._loop.call_later(seconds, self._loop.stop)
        self._loop.run_forever()
        alarm.cancel()
        if self._bug:
            raise self._bug

    def take(self) -> list[Receipt]:
        """Return the receipts that were made since the last call."""
        receipts, self._receipts = self._receipts, []
        return receipts

    def quit(self) -> None:
        """Send QUIT to every server that is waiting for messages."""
        for connection in self._connections:
            if connection.conversation.state is State.READY:
                connection.conversation.quit()
                connection.fill()
        deadline = self._loop.time() + _QUIT_SECONDS
        while any(connection.conversation.state is State.QUIT for connection in self._connections):
            if self._loop.time() > deadline:
                break
            self.turn(self._period / 10, floor=-1)

    def close(self) -> None:
        """Close every socket at once, and the loop."""
        self._tick_timer.cancel()
        if self._again:
            self._again.cancel()
        self._floor, self._relays = -1, ()  # nothing stops the loop any more, and no connection is opened
        self._loop.stop()  # a stop may be pending or not; after this turn none is
        self._loop.run_forever()
        connections = tuple(self._connections)
        for connection in connections:
            connection.hang_up()
        self._loop.run_until_complete(_all_gone(connections))
        self._loop.close()  # does not wait for a name that is still being looked up

    # ── called by the connections ───────────────────────────────────────────────────────────

    def _report(self, connection: Connection, events: Sequence[Event]) -> None:
        relay, record = self._connections[connection]
        receipts = len(self._receipts)
        for event in events:
            if isinstance(event, Receipt):
                self._receipts.append(event)
                if event.outcome is Outcome.UNCERTAIN:
                    record.uncertain += 1
                else:
                    record.answered += 1
            elif isinstance(event, Returned):
                record.returned += 1
                self._take_back(event)
            elif isinstance(event, Ready):
                if not relay.usable:
                    relay.rejoin(self._relays)
                relay.ready(record, event.pace)
            elif isinstance(event, Closed):
                self._ended(connection, event.verdict)
        self.unanswered -= len(self._receipts) - receipts
        if self.unanswered <= self._floor:
            self._loop.stop()

    def _take_back(self, event: Returned) -> None:
        # Only the message at which the connection ended is counted, because it may be the cause.
        self._returns[event.message.key] += event.blamed
        if self._returns[event.message.key] < _MAX_RETURNS:
            self._waiting.appendleft(event.message)
        else:
            self._receipts.append(_unsent(event.message, event.reason, event.code))

    def _ended(self, connection: Connection, verdict: Verdict | None) -> None:
        relay, record = self._connections[connection]
        known = relay.verdict.reason if relay.verdict else None
        if relay.ended(record, verdict, self._loop.time()) and verdict:
            if verdict.reason != known:  # the same reason is logged only once
                log.warning("%s:%d: %s", relay.server.host, relay.server.port, verdict.reason)
            self._loop.call_at(relay.not_before, self._balance)
        self._loop.call_soon(self._balance)

    # ── keeping the connections busy ────────────────────────────────────────────────────────

    def _balance(self) -> None:
        """Give waiting messages to connections that have room, and open connections for the rest."""
        for connection in tuple(self._connections):
            connection.fill()
        opened = True
        # A connection that is being opened will take at least one waiting message.
        while opened and len(self._waiting) > sum(relay.opening for relay in self._relays):
            opened = False
            for relay in self._relays:
                if relay.may_open(self._loop.time()):
                    self._open(relay)
                    opened = True
        if self._relays and all(relay.down for relay in self._relays):
            self._fail()

    def _open(self, relay: Relay) -> None:
        terms = terms_for(relay.server, self._ehlo_name, pace=relay.pace, in_flight=relay.in_flight)
        connection = Connection(
            relay.server,
            terms,
            patience=self._patience,
            context=self._contexts[id(relay)],
            waiting=self._waiting,
            report=self._report,
            loop=self._loop,
            turn=partial(self._turn_of, relay) if relay.server.weight else None,
        )
        self._connections[connection] = relay, relay.opened(self._loop.time())
        connection.gone.add_done_callback(lambda _: self._connections.pop(connection))
        connection.open()

    def _turn_of(self, relay: Relay) -> bool:
        """Tell whether a server may take a message by its weight; if not, check again a little later."""
        taken = relay.may_take(self._relays)
        if not taken and self._again is None:
            self._again = self._loop.call_later(_SHARE_CHECK, self._balance_again)
        return taken

    def _balance_again(self) -> None:
        self._again = None
        self._balance()

    def _tick(self) -> None:
        """Check what no event reports: silent servers, and pauses that are over."""
        for connection in tuple(self._connections):
            connection.check(self._loop.time())
        self._balance()
        self._tick_timer = self._loop.call_later(self._period, self._tick)

    def _fail(self) -> None:
        relay = next(relay for relay in self._relays if relay.verdict)
        reason = relay.verdict.reason if relay.verdict else ""
        self.failure = TransportError(f"{relay.server.host}:{relay.server.port}", reason)
        self.unanswered -= len(self._waiting)
        self._receipts += [_unsent(message, reason) for message in self._waiting]
        self._waiting.clear()
        self._loop.stop()

    def _note_bug(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keep an exception that asyncio would only log, so that `turn` can raise it."""
        self._bug = self._bug or context.get("exception") or RuntimeError(context["message"])
        loop.stop()


def _context(server: SmtpServer) -> ssl.SSLContext | None:
    try:
        return tls_context(server)
    except OSError as error:
        raise TransportError(
            f"{server.host}:{server.port}", f"cannot read {server.ca_file}: {error}"
        ) from error


def _unsent(message: Message, reason: str, code: int | None = None) -> Receipt:
    return Receipt(message.key, Outcome.UNSENT, code, reply=reason)


async def _all_gone(connections: Sequence[Connection]) -> None:
    for connection in connections:
        await connection.closed()


_WEIGHT = 0.2  # of the last turn, against all turns before it
# Shares of waiting. Below the first we count as busy, because some waiting is for the last replies to each
# group; from the second on we count as waiting all the time.
_LITTLE, _MUCH = 0.15, 0.35


@dataclass(frozen=True, slots=True)
class Waiting:
    """The share of time that we spend waiting for servers; recent turns count most."""

    share: float = 0.0

    def after(self, waited: float, passed: float) -> Waiting:
        """Return the new share after a turn of `passed` seconds, of which `waited` were spent waiting."""
        last = min(1.0, max(0.0, waited) / passed) if passed > 0 else 0.0
        return Waiting(self.share + _WEIGHT * (last - self.share))

    def part_of(self, most: int) -> int:
        """Return the part of `most` that fits the share: nothing if it is small, all if it is large."""
        return round(most * min(1.0, max(0.0, (self.share - _LITTLE) / (_MUCH - _LITTLE))))
