"""Hold all connections to all mail servers, and give them messages; the event loop runs a turn at a time."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from digest.model.errors import TransportError
from digest.model.messages import Message, Outcome, Receipt, SmtpServer
from digest.smtp.conversation import Closed, Event, Ready, State
from digest.smtp.line import Connection, tls_context
from digest.smtp.pipeline import Returned, Verdict
from digest.smtp.relay import ConnectionRecord, Relay, Timeouts
from digest.smtp.terms import terms_for
from subscribers.rules.answers import PASSING, Cause

log = logging.getLogger(__name__)

_MAX_RETURNS = 5  # if so many connections ended at one message, the message goes back to the sender
# A message that is told to wait so often, although others are accepted, is not sent again at once. The second
# number is for answers that are clearly about the rate, the connections or the session.
_MAX_WAITS, _MAX_CLEAR_WAITS = 12, 100
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
        for relay in relays:
            relay.standing.elsewhere = partial(self._has_another, relay)
        self._contexts = {id(relay): _context(relay.server) for relay in relays}
        self._waiting: deque[Message] = deque()
        self._receipts: list[Receipt] = []
        self._returns: Counter[int] = Counter()  # by the message's key
        self._waits: Counter[int] = Counter()  # by the message's key: returned because of the rate
        self._connections: dict[Connection, tuple[Relay, ConnectionRecord]] = {}
        self._floor = 0
        self._again: asyncio.TimerHandle | None = None
        self._bug: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._note_bug)
        self._period = min([1.0, *(relay.server.timeout / 8 for relay in relays)])
        self._tick_timer: asyncio.Handle = self._loop.call_later(self._period, self._tick)

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
        receipts, accepted = len(self._receipts), 0
        for event in events:
            if isinstance(event, Receipt):
                self._receipts.append(event)
                if event.outcome is Outcome.UNCERTAIN:
                    record.uncertain += 1
                else:
                    record.answered += 1
                    accepted += event.outcome is Outcome.ACCEPTED
            elif isinstance(event, Returned):
                record.returned += 1
                self._hear(relay, event)
                self._take_back(relay, event)
            elif isinstance(event, Ready):
                if not relay.usable:
                    relay.rejoin(self._relays)
                relay.mechanism = connection.conversation.mechanism
                relay.ready(record, event.pace)
            elif isinstance(event, Closed):
                record.accepted += accepted
                self._took(relay, accepted)
                accepted = 0
                self._ended(connection, event.verdict)
        if accepted:
            record.accepted += accepted
            self._took(relay, accepted)
        self.unanswered -= len(self._receipts) - receipts
        if self.unanswered <= self._floor:
            self._loop.stop()

    def _took(self, relay: Relay, accepted: int) -> None:
        relay.took(accepted)
        if relay.throttle.rate is not None:
            relay.settle(self._loop.time())

    def _hear(self, relay: Relay, event: Returned) -> None:
        """Note an answer that is about more than its message: the server is slowed down, or set aside."""
        if event.cause is None:
            return
        mine, free, there = self._connections_of(relay), relay.throttle.rate is None, relay.aside is None
        on_wire = sum(each.conversation.on_wire for each in mine)
        answer = Verdict(reason=event.reason, cause=event.cause, code=event.code)
        relay.hear(answer, self._loop.time(), on_wire=on_wire)
        if free and relay.throttle.rate is not None:
            self._warn(relay, f"slowed down, because it asks for less: {event.reason}")
        if there and relay.aside:
            self._warn(relay, f"set aside, because it refuses us: {event.reason}")
        if relay.throttle.rate is not None or relay.aside:
            for each in mine:
                each.turn = partial(self._turn_of, relay)

    def _warn(self, relay: Relay, what: str) -> None:
        log.warning("%s:%d: %s", relay.server.host, relay.server.port, what)

    def _connections_of(self, relay: Relay) -> list[Connection]:
        return [each for each, (its, _) in self._connections.items() if its is relay]

    def _has_another(self, relay: Relay) -> bool:
        return any(not (each is relay or each.down or each.aside) for each in self._relays)

    def _take_back(self, relay: Relay, event: Returned) -> None:
        key, receipt = event.message.key, event.receipt
        refused_us = event.cause in (Cause.QUOTA, Cause.US)
        # Only the message at which the connection ended is counted, because it may be the cause.
        self._returns[key] += event.blamed
        # If the answer is not quite clear, it may be about this message or its domain after all.
        unsure = receipt is not None and receipt.cause is Cause.UNSURE
        most = _MAX_WAITS if unsure or (event.code or 0) >= 500 else _MAX_CLEAR_WAITS
        self._waits[key] += event.cause in PASSING and relay.standing.ever
        tried_enough = self._returns[key] >= _MAX_RETURNS or self._waits[key] >= most
        if tried_enough or (refused_us and not self._has_another(relay)):
            self._receipts.append(receipt or _unsent(event.message, event.reason, event.code))
        elif unsure:
            self._waiting.append(event.message)  # the answers to others show what it was about
        else:
            self._waiting.appendleft(event.message)

    def _ended(self, connection: Connection, verdict: Verdict | None) -> None:
        relay, record = self._connections[connection]
        known = relay.verdict.reason if relay.verdict else None
        if relay.ended(record, verdict, self._loop.time()) and verdict:
            if verdict.reason != known:  # the same reason is logged only once
                self._warn(relay, verdict.reason)
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
        terms = replace(
            terms_for(relay.server, self._ehlo_name, pace=relay.pace, in_flight=relay.in_flight),
            mechanism=relay.mechanism,
            most=relay.most,
            standing=relay.standing,
        )
        paced = relay.server.weight or relay.throttle.rate is not None
        connection = Connection(
            relay.server,
            terms,
            patience=self._patience,
            context=self._contexts[id(relay)],
            waiting=self._waiting,
            report=self._report,
            loop=self._loop,
            turn=partial(self._turn_of, relay) if paced else None,
        )
        self._connections[connection] = relay, relay.opened(self._loop.time())
        connection.gone.add_done_callback(lambda _: self._connections.pop(connection))
        connection.open()

    def _turn_of(self, relay: Relay) -> bool:
        """Tell whether a server may take a message now; if not, check again when it may."""
        now = self._loop.time()
        wait = 0.0 if relay.aside else relay.throttle.wait(now)
        if relay.aside or wait:
            self._check_again(now + wait)
            return False
        if not relay.may_take(self._relays):
            self._check_again(now + _SHARE_CHECK)
            return False
        relay.throttle = relay.throttle.sent(now)
        return True

    def _check_again(self, at: float) -> None:
        if self._again and self._again.when() <= at:
            return
        if self._again:
            self._again.cancel()
        self._again = self._loop.call_at(at, self._balance_again)

    def _balance_again(self) -> None:
        self._again = None
        self._balance()

    def _tick(self) -> None:
        """Read what has come by now; then check what no event reports."""
        # A process that was stopped wakes up with answers that it has not read. The loop runs its timers
        # first then, so the check waits for another round of reading.
        now = self._loop.time()
        self._tick_timer = self._loop.call_soon(self._tick_after_a_round, now)

    def _tick_after_a_round(self, now: float) -> None:
        self._tick_timer = self._loop.call_soon(
            self._check, now
        )  # after the answers that this round has read

    def _check(self, now: float) -> None:
        """Check what no event reports: servers that were silent until `now`, and pauses that are over."""
        for connection in tuple(self._connections):
            connection.check(now)
        for relay in self._relays:
            relay.settle(now)
            if relay.gives_up(now):
                self._warn(relay, "left for this run, because it takes no messages at present")
            if relay.aside:
                self._leave(relay)
        self._balance()
        self._tick_timer = self._loop.call_later(self._period, self._tick)

    def _leave(self, relay: Relay) -> None:
        """Say QUIT to a server that is set aside, on the connections that have nothing on the wire."""
        for connection in self._connections_of(relay):
            if connection.conversation.state is State.READY and not connection.conversation.on_wire:
                connection.conversation.quit()
                connection.fill()

    def _fail(self) -> None:
        relay, verdict = next(
            (relay, found) for relay in self._relays if (found := relay.aside or relay.verdict)
        )
        reason, code = verdict.reason, verdict.code
        self.failure = TransportError(f"{relay.server.host}:{relay.server.port}", reason)
        self.unanswered -= len(self._waiting)
        self._receipts += [_unsent(message, reason, code) for message in self._waiting]
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
