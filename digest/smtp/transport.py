"""Send messages to mail servers over SMTP, as a `Transport`, and check a server."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from time import thread_time

from digest.model.errors import TransportError
from digest.model.messages import Message, Receipt, SmtpServer
from digest.smtp.conversation import Closed, Event, Ready
from digest.smtp.line import Connection, tls_context
from digest.smtp.pool import Pool
from digest.smtp.relay import Relay, Timeouts
from digest.smtp.terms import Pace, terms_for

_TURN = 0.1  # seconds that a receipt waits for others before it is yielded
_REST = 0.02  # seconds before a sender that had nothing to send is asked again
_PARTS = 16  # a group is at least this part of a window
_HEARTBEAT = 1.0  # seconds without receipts, after which an empty list is yielded
_WEIGHT = 0.2  # of the last turn, against all turns before it
# Shares of waiting. Below the first we count as busy, because some waiting is for the last replies to each
# group; from the second on we count as waiting all the time.
_LITTLE, _MUCH = 0.15, 0.35


@dataclass(frozen=True, slots=True)
class WaitingShare:
    """The share of time that we spend waiting for servers; recent turns count most."""

    share: float = 0.0

    def after(self, waited: float, passed: float) -> WaitingShare:
        """Return the new share after a turn of `passed` seconds, of which `waited` were spent waiting."""
        last = min(1.0, max(0.0, waited) / passed) if passed > 0 else 0.0
        return WaitingShare(self.share + _WEIGHT * (last - self.share))

    def part_of(self, most: int) -> int:
        """Return the part of `most` that fits the share: nothing if it is small, all if it is large."""
        return round(most * min(1.0, max(0.0, (self.share - _LITTLE) / (_MUCH - _LITTLE))))


class SmtpTransport:
    """Sends over several connections to one or more servers, as fast as they take messages.

    All servers are used at once: each takes what it can, or its share by weight. A message is tried on
    another connection, to any server, only while no server has accepted its text. At most `window` messages
    are asked for and unanswered, and so at most that many are uncertain after a crash, if no group is larger
    than `room`.
    """

    def __init__(
        self,
        servers: Sequence[SmtpServer],
        *,
        ehlo_name: str | None = None,
        in_flight: int = 8,
        pace: Pace = Pace.CHUNKING,
        patience: Timeouts | None = None,
    ) -> None:
        if not servers:
            raise ValueError("a transport needs at least one server")
        self._servers = tuple(servers)
        self._ehlo_name = ehlo_name
        self._in_flight = in_flight
        self._pace = pace
        self._patience = patience or Timeouts()
        self._relays = self._new_relays()
        self._waiting = WaitingShare()
        self._free = self.window  # free places in the window when a group was last asked for

    @property
    def window(self) -> int:
        """Return how many messages can be unanswered at once: all that the connections can have in flight."""
        return self._in_flight * sum(server.connections for server in self._servers)

    @property
    def room(self) -> int:
        """Return how many messages are best handed over now."""
        # A group has a cost of its own, besides the cost of its messages. So while the servers are faster
        # than we are, a group fills the whole window. The longer we wait for the servers, the more messages
        # stay on the wire while the next group is made, and the smaller the groups are.
        return min(self._free, self.window - self._waiting.part_of(self.window - self._on_wire))

    @property
    def _reserve(self) -> int:
        """Return how many messages should still be unanswered when the next group is asked for."""
        return self._waiting.part_of(min(self._on_wire, self.window - -(-self.window // _PARTS)))

    @property
    def _on_wire(self) -> int:
        """Return how many messages can be on the wire."""
        return min(self.window, sum(relay.room for relay in self._relays))

    def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
        """Send every message and yield its receipt; see `digest.model.messages.Transport`.

        until the groups have ended and every message is answered:
            while few messages are unanswered, ask for groups; after an empty group, rest for 20 ms
            write: each connection takes as many messages as its server has room for, in one write
            read: let the loop run until few messages are unanswered, or for 0.1 s
            yield the receipts; after a second without any, an empty list, so that the caller can stop
        send QUIT
        if no server is left: a receipt UNSENT for every message still waiting, then TransportError

        Call it from a thread that runs no event loop, and close the iterator if you stop early
        (`contextlib.closing`): the sockets are closed at once, and unanswered messages get no receipt.
        """
        # A server counts as down for one run only, so each run starts with new records.
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

    def _exchange(self, groups: Iterator[Sequence[Message]], pool: Pool) -> Iterator[Sequence[Receipt]]:
        more = rest = True
        yielded_at = turned_at = pool.time()
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
            if receipts or pool.time() - yielded_at > _HEARTBEAT:
                yielded_at = pool.time()
                yield receipts


def check_server(server: SmtpServer, ehlo_name: str | None = None) -> tuple[str, ...]:
    """Check a server: connect, start TLS, log in, send NOOP and QUIT; return the findings, one text for each.

    No message is sent. Raises TransportError, with the reason, if messages could not be sent.
    """
    return asyncio.run(_check(server, ehlo_name))


async def _check(server: SmtpServer, ehlo_name: str | None) -> tuple[str, ...]:
    events: asyncio.Queue[Event] = asyncio.Queue()

    def report(_: Connection, found: Sequence[Event]) -> None:
        for event in found:
            events.put_nowait(event)

    terms, patience = terms_for(server, ehlo_name, pace=Pace.CHUNKING, in_flight=1), Timeouts()
    try:
        context = tls_context(server)
    except OSError as error:
        raise _failure(server, f"cannot read {server.ca_file}: {error}") from error
    connection = Connection(
        server,
        terms,
        patience=patience,
        context=context,
        waiting=deque(),
        report=report,
        loop=asyncio.get_running_loop(),
    )
    try:
        connection.open()
        await _until_ready(connection, server, events, patience.ready * server.timeout)
        connection.conversation.noop()
        connection.fill()
        await _until_ready(connection, server, events, server.timeout)
        facts = _facts(server, connection)
        connection.conversation.quit()
        connection.fill()
        return facts
    finally:
        connection.hang_up()
        await connection.closed()


async def _until_ready(
    connection: Connection, server: SmtpServer, events: asyncio.Queue[Event], seconds: float
) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not isinstance(event := await events.get(), Ready):
                if isinstance(event, Closed):
                    raise _failure(server, event.verdict.reason if event.verdict else "it hung up")
    except TimeoutError:
        raise _failure(server, connection.silence(seconds)) from None


def _facts(server: SmtpServer, connection: Connection) -> tuple[str, ...]:
    conversation = connection.conversation
    tls = connection.tls_facts()
    return (
        f"{server.host}:{server.port} greets with: {conversation.greeting}",
        f"protected by {tls[0]} ({tls[1]}), certificate trusted" if tls else "not protected by TLS",
        f"offers {conversation.extensions}",
        "logged in" if server.user else "no login",
        "answers NOOP",
    )


def _failure(server: SmtpServer, reason: str) -> TransportError:
    return TransportError(f"{server.host}:{server.port}", reason)
