"""Carry letters to mail servers: the `Transport` that speaks SMTP, and the check of a server."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from time import thread_time

from digest.errors import TransportError
from digest.model import Letter, Receipt, SmtpServer
from digest.send.line import Line, terms_for, tls_context
from digest.send.pipeline import Pace
from digest.send.pool import Pool
from digest.send.relay import Patience, Relay
from digest.send.smtp import Closed, Event, Ready
from digest.send.waiting import Waiting

_TURN = 0.1  # seconds a receipt waits for others before it is told
_REST = 0.02  # seconds before a sender that had nothing to send is asked again
_PARTS = 16  # of a window; a group is never less than one of them
_HEARTBEAT = 1.0  # seconds after which the sender is told that nothing was answered


class SmtpTransport:
    """Sends over several connections to one or several servers, as fast as they take it.

    All servers are used at once: each takes what it can, or its share by weight. A letter goes to
    another connection, of any server, only while no server has accepted its text. `window` is how many
    letters can be asked for and unanswered at most, and so what can be in doubt after a crash, if no group
    is larger than there is `room`.
    """

    def __init__(
        self,
        servers: Sequence[SmtpServer],
        *,
        ehlo_name: str | None = None,
        in_flight: int = 8,
        pace: Pace = Pace.CHUNKING,
        patience: Patience | None = None,
    ) -> None:
        if not servers:
            raise ValueError("a transport needs at least one server")
        self._servers = tuple(servers)
        self._ehlo_name = ehlo_name
        self._in_flight = in_flight
        self._pace = pace
        self._patience = patience or Patience()
        self._relays = self._new_relays()
        self._waiting = Waiting()
        self._free = self.window  # of it, when a group was asked for last

    @property
    def window(self) -> int:
        """Tell how many letters can be asked for and unanswered: as many as lines could have in flight."""
        return self._in_flight * sum(server.connections for server in self._servers)

    @property
    def room(self) -> int:
        """Tell how many letters are best handed over now.

        A group costs more than its letters, so a whole window is best while the servers are faster than we
        are: they have nothing to do while it is made. The more we wait for them, the more is left on the
        wire meanwhile; and no group takes longer than that, if there is little.
        """
        return min(self._free, self.window - self._waiting.part_of(self.window - self._on_wire))

    @property
    def _reserve(self) -> int:
        """Count the letters that should still be without an answer when a group is asked for."""
        return self._waiting.part_of(min(self._on_wire, self.window - -(-self.window // _PARTS)))

    @property
    def _on_wire(self) -> int:
        """Count the letters that can be on the wire."""
        return min(self.window, sum(relay.room for relay in self._relays))

    def carry(self, groups: Iterator[Sequence[Letter]]) -> Generator[Sequence[Receipt], None, None]:
        """Send every letter and yield its receipt; see `digest.model.Transport`.

        until the groups have ended and every letter is answered:
            ask for groups while as few are unanswered as should be; if one is empty, rest 20 ms
            write: each connection takes as many letters as its server has room for, in one write
            read: let the loop run until there is, or 0.1 s have passed
            yield the receipts; after a second without any, an empty list, so that the caller may stop
        say QUIT
        when no server is left: a receipt UNSENT for every letter still waiting, then TransportError

        Call it from a thread that runs no event loop, and close the iterator if you leave it early
        (`contextlib.closing`): its sockets close at once, and what was unanswered gets no receipt.
        """
        self._relays = self._new_relays()
        with closing(Pool(self._relays, self._ehlo_name, self._patience)) as pool:
            yield from self._exchange(groups, pool)
            if pool.failure:
                raise pool.failure
            pool.quit()

    def _new_relays(self) -> tuple[Relay, ...]:
        pace, in_flight = self._pace, self._in_flight
        return tuple(
            Relay(server, self._patience, pace=pace, in_flight=in_flight) for server in self._servers
        )

    def _exchange(self, groups: Iterator[Sequence[Letter]], pool: Pool) -> Iterator[Sequence[Receipt]]:
        more = rest = True
        told_at = turned_at = pool.time()
        while (more or pool.unanswered) and not pool.failure:
            rest = False
            while more and not rest and not pool.failure and pool.unanswered <= self._reserve:
                self._free = self.window - pool.unanswered
                group = next(groups, None)
                more, rest = group is not None, group is not None and not group
                pool.add(group or ())
            floor = self._reserve if more and not rest else 0
            if rest or pool.unanswered > floor:
                worked, began_at = thread_time(), pool.time()
                pool.turn(_REST if rest else _TURN, floor)
                now = pool.time()
                waited = now - began_at - (thread_time() - worked)
                self._waiting, turned_at = self._waiting.after(waited, now - turned_at), now
            receipts = pool.take()
            if receipts or pool.time() - told_at > _HEARTBEAT:
                told_at = pool.time()
                yield receipts


def check_server(server: SmtpServer, ehlo_name: str | None = None) -> tuple[str, ...]:
    """Connect, greet, protect, log in, ask NOOP and say QUIT; return what was found, a line for each fact.

    No mail is sent. Raises TransportError, with the reason, when letters could not be sent.
    """
    return asyncio.run(_check(server, ehlo_name))


async def _check(server: SmtpServer, ehlo_name: str | None) -> tuple[str, ...]:
    events: asyncio.Queue[Event] = asyncio.Queue()

    def report(_: Line, found: Sequence[Event]) -> None:
        for event in found:
            events.put_nowait(event)

    terms, patience = terms_for(server, ehlo_name, pace=Pace.CHUNKING, in_flight=1), Patience()
    try:
        context = tls_context(server)
    except OSError as error:
        raise _failure(server, f"cannot read {server.ca_file}: {error}") from error
    line = Line(
        server,
        terms,
        patience=patience,
        context=context,
        waiting=deque(),
        report=report,
        loop=asyncio.get_running_loop(),
    )
    try:
        line.open()
        await _until_ready(line, server, events, patience.ready * server.timeout)
        line.conversation.noop()
        line.fill()
        await _until_ready(line, server, events, server.timeout)
        facts = _facts(server, line)
        line.conversation.quit()
        line.fill()
        return facts
    finally:
        line.hang_up()
        await line.closed()


async def _until_ready(line: Line, server: SmtpServer, events: asyncio.Queue[Event], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not isinstance(event := await events.get(), Ready):
                if isinstance(event, Closed):
                    raise _failure(server, event.verdict.reason if event.verdict else "it hung up")
    except TimeoutError:
        raise _failure(server, line.silence(seconds)) from None


def _facts(server: SmtpServer, line: Line) -> tuple[str, ...]:
    conversation = line.conversation
    tls = line.tls_facts()
    return (
        f"{server.host}:{server.port} greets with: {conversation.greeting}",
        f"protected by {tls[0]} ({tls[1]}), certificate trusted" if tls else "not protected by TLS",
        f"offers {conversation.extensions}",
        "logged in" if server.user else "no login",
        "answers NOOP",
    )


def _failure(server: SmtpServer, reason: str) -> TransportError:
    return TransportError(f"{server.host}:{server.port}", reason)
