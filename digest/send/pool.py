"""All lines to all mail servers, and the letters between them; runs an event loop a turn at a time."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter, deque
from collections.abc import Sequence
from functools import partial
from typing import Any

from digest.errors import TransportError
from digest.model import Letter, Outcome, Receipt, SmtpServer
from digest.send.line import Line, terms_for, tls_context
from digest.send.pipeline import Returned, Verdict
from digest.send.relay import LineRecord, Patience, Relay
from digest.send.smtp import Closed, Event, Ready, State

log = logging.getLogger(__name__)

_MAX_RETURNS = 5  # a letter at which so many lines ended goes back to the sender
_A_LITTLE = 0.005  # seconds before a server that is ahead of its share is asked again
_FAREWELL = 2.0  # seconds for the answers to QUIT


class Pool:
    """Letters go in by `add`, receipts come out by `take`, and in between `turn` lets time pass.

    Must be closed. `failure` is set when no server is left; then every letter has its receipt.
    """

    def __init__(self, relays: Sequence[Relay], ehlo_name: str | None, patience: Patience) -> None:
        self.unanswered = 0  # letters added, less receipts made
        self.failure: TransportError | None = None
        self._relays = tuple(relays)
        self._ehlo_name = ehlo_name
        self._patience = patience
        self._contexts = {id(relay): _context(relay.server) for relay in relays}
        self._waiting: deque[Letter] = deque()
        self._receipts: list[Receipt] = []
        self._returns: Counter[int] = Counter()  # by the key of the letter
        self._lines: dict[Line, tuple[Relay, LineRecord]] = {}
        self._floor = 0
        self._again: asyncio.TimerHandle | None = None
        self._bug: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._note_bug)
        self._period = min([1.0, *(relay.server.timeout / 8 for relay in relays)])
        self._tick_timer = self._loop.call_later(self._period, self._tick)

    def time(self) -> float:
        """Tell the seconds on the loop's clock."""
        return self._loop.time()

    def add(self, letters: Sequence[Letter]) -> None:
        """Take letters over; they go out as soon as a line has room."""
        self.unanswered += len(letters)
        self._waiting.extend(letters)
        self._balance()

    def turn(self, seconds: float, floor: int) -> None:
        """Let time pass: until at most `floor` letters are unanswered, or no longer than `seconds`."""
        self._floor = floor
        alarm = self._loop.call_later(seconds, self._loop.stop)
        self._loop.run_forever()
        alarm.cancel()
        if self._bug:
            raise self._bug

    def take(self) -> list[Receipt]:
        """Hand over the receipts made since the last time."""
        receipts, self._receipts = self._receipts, []
        return receipts

    def quit(self) -> None:
        """Say good-bye to every server that is waiting for letters."""
        for line in self._lines:
            if line.conversation.state is State.READY:
                line.conversation.quit()
                line.fill()
        deadline = self._loop.time() + _FAREWELL
        while any(line.conversation.state is State.QUIT for line in self._lines):
            if self._loop.time() > deadline:
                break
            self.turn(self._period / 10, floor=-1)

    def close(self) -> None:
        """Close every socket at once, and the loop."""
        self._tick_timer.cancel()
        if self._again:
            self._again.cancel()
        self._floor, self._relays = -1, ()  # nothing stops the loop any more, and no line is opened
        self._loop.stop()  # asked for already or not, this is where it ends
        self._loop.run_forever()
        lines = tuple(self._lines)
        for line in lines:
            line.hang_up()
        self._loop.run_until_complete(_all_gone(lines))
        self._loop.close()  # and does not wait for a name that is still being looked up

    # ── called by the lines ─────────────────────────────────────────────────────────────────

    def _report(self, line: Line, events: Sequence[Event]) -> None:
        relay, record = self._lines[line]
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
                self._ended(line, event.verdict)
        self.unanswered -= len(self._receipts) - receipts
        if self.unanswered <= self._floor:
            self._loop.stop()

    def _take_back(self, event: Returned) -> None:
        self._returns[event.letter.key] += event.blamed
        if self._returns[event.letter.key] < _MAX_RETURNS:
            self._waiting.appendleft(event.letter)
        else:
            self._receipts.append(_unsent(event.letter, event.reason, event.code))

    def _ended(self, line: Line, verdict: Verdict | None) -> None:
        relay, record = self._lines[line]
        known = relay.verdict.reason if relay.verdict else None
        if relay.ended(record, verdict, self._loop.time()) and verdict:
            if verdict.reason != known:  # a server that is away is said to be so once
                log.warning("%s:%d: %s", relay.server.host, relay.server.port, verdict.reason)
            self._loop.call_at(relay.not_before, self._balance)
        self._loop.call_soon(self._balance)

    # ── keeping the lines busy ──────────────────────────────────────────────────────────────

    def _balance(self) -> None:
        """Give waiting letters to lines that have room, and open lines for those that are left."""
        for line in tuple(self._lines):
            line.fill()
        opened = True
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
        line = Line(
            relay.server,
            terms,
            patience=self._patience,
            context=self._contexts[id(relay)],
            waiting=self._waiting,
            report=self._report,
            loop=self._loop,
            turn=partial(self._turn_of, relay) if relay.server.weight else None,
        )
        self._lines[line] = relay, relay.opened(self._loop.time())
        line.gone.add_done_callback(lambda _: self._lines.pop(line))
        line.open()

    def _turn_of(self, relay: Relay) -> bool:
        """Tell whether it is a server's turn, by its weight; if not, look again when others have gone on."""
        taken = relay.may_take(self._relays)
        if not taken and self._again is None:
            self._again = self._loop.call_later(_A_LITTLE, self._balance_again)
        return taken

    def _balance_again(self) -> None:
        self._again = None
        self._balance()

    def _tick(self) -> None:
        """Look now and then for what no event tells: silence, and pauses that are over."""
        for line in tuple(self._lines):
            line.check(self._loop.time())
        self._balance()
        self._tick_timer = self._loop.call_later(self._period, self._tick)

    def _fail(self) -> None:
        relay = next(relay for relay in self._relays if relay.verdict)
        reason = relay.verdict.reason if relay.verdict else ""
        self.failure = TransportError(f"{relay.server.host}:{relay.server.port}", reason)
        self.unanswered -= len(self._waiting)
        self._receipts += [_unsent(letter, reason) for letter in self._waiting]
        self._waiting.clear()
        self._loop.stop()

    def _note_bug(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keep an exception that asyncio would only log, so that `turn` raises it."""
        self._bug = self._bug or context.get("exception") or RuntimeError(context["message"])
        loop.stop()


def _context(server: SmtpServer) -> ssl.SSLContext | None:
    try:
        return tls_context(server)
    except OSError as error:
        raise TransportError(
            f"{server.host}:{server.port}", f"cannot read {server.ca_file}: {error}"
        ) from error


def _unsent(letter: Letter, reason: str, code: int | None = None) -> Receipt:
    return Receipt(letter.key, Outcome.UNSENT, code, reply=reason)


async def _all_gone(lines: Sequence[Line]) -> None:
    for line in lines:
        await line.closed()
