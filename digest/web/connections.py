"""Bound what a connection can cost: the time for each request and answer, and the connections of a client.

no head in time ─────────────────────────> closed; 408 if a part of the head has arrived
no body in time ─────────────────────────> 408
an answer that the client does not take ─> cut off
too many connections of one client ──────> 503; a trusted proxy is not a client
too many connections ────────────────────> the connection that has waited longest for its client is closed
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from h11 import DONE, IDLE, SEND_BODY, SEND_RESPONSE
from uvicorn.protocols.http.h11_impl import H11Protocol

from digest.web.security.security import MAX_REQUESTS

_AHEAD = 65_536  # bytes of further requests that are kept while one is answered; browsers send none


@dataclass(frozen=True, slots=True, kw_only=True)
class WebLimits:
    """The limits on clients. Times are in seconds."""

    head: float = 10.0  # from the opening of the connection, or from the answer before
    body: float = 30.0  # from the end of the head
    answer: float = 60.0  # until the client's system has taken all of it
    connections_of_client: int = 20  # a browser opens six
    connections: int = 600  # a process may have 1,024 open files by default, and needs some for its work
    requests: int = MAX_REQUESTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """The open connections of a server: their number for each client, and those that wait for their clients.

    `client` returns the name under which a network address is counted, or None for a trusted proxy.
    """

    limits: WebLimits
    client: Callable[[str | None], str | None]
    # Each connection has the name of its client.
    _open: dict[LimitedProtocol, str | None] = field(init=False, default_factory=dict)
    _of_client: Counter[str | None] = field(init=False, default_factory=Counter)
    _waiting: dict[LimitedProtocol, None] = field(init=False, default_factory=dict)  # the oldest is first

    def enter(self, connection: LimitedProtocol, host: str | None) -> bool:
        """Count a new connection, and make room for it. Return False if its client has too many."""
        client = self._open[connection] = self.client(host)
        self._of_client[client] += 1
        if client is not None and self._of_client[client] > self.limits.connections_of_client:
            return False
        if len(self._open) > self.limits.connections and self._waiting:
            next(iter(self._waiting)).cut()
        return True

    def leave(self, connection: LimitedProtocol) -> None:
        """Forget a connection that has ended."""
        self._waiting.pop(connection, None)
        client = self._open.pop(connection)
        self._of_client[client] -= 1
        if not self._of_client[client]:
            del self._of_client[client]

    def wait(self, connection: LimitedProtocol, waits: bool) -> None:
        """Record whether a connection waits for its client from now on."""
        self._waiting.pop(connection, None)
        if waits:
            self._waiting[connection] = None


class LimitedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with deadlines. By itself, uvicorn waits forever once a connection is open."""

    def __init__(self, connections: Connections, **options: Any) -> None:
        super().__init__(**options)
        self._all = connections
        self._owed: tuple[object, object] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._taken: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # asyncio gives a server a Transport
        """Begin to wait for a head, or refuse the connection."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # pause_writing is then called for any byte that is not taken
        if self._all.enter(self, self.client[0] if self.client else None):
            self._watch()
        else:
            self._refuse(503, "too many connections", "retry-after: 60\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the deadlines."""
        super().connection_lost(exc)
        self._stop()
        self.resume_writing()
        self._all.leave(self)

    def data_received(self, data: bytes) -> None:
        """Read what has arrived. uvicorn would keep any number of requests that arrive before the answers."""
        super().data_received(data)
        if self.conn.their_state is DONE and len(self.conn.trailing_data[0]) > _AHEAD:
            self._refuse(400, "too many requests ahead of their answers")

    def handle_events(self) -> None:
        """Handle what has arrived, then wait for what the client owes next."""
        super().handle_events()
        self._watch()

    def pause_writing(self) -> None:
        """Give the client time to take the answer."""
        super().pause_writing()
        self._taken = self.loop.call_later(self._all.limits.answer, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the client has taken the answer."""
        super().resume_writing()
        if self._taken is not None:
            self._taken.cancel()
            self._taken = None

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP. uvicorn would fail here if it has begun an answer."""
        self._refuse(400, msg)

    def cut(self) -> None:
        """Close the connection, because its client has not sent what it owes.

        A connection without a byte of a request is closed without an answer: a proxy could take a 408 for
        the answer to the request that it is about to send.
        """
        if self.conn.our_state is IDLE and not self.conn.trailing_data[0]:
            self._stop()
            self.transport.close()
        else:
            self._refuse(408, "the request did not arrive in time")

    def _watch(self) -> None:
        limits, state = self._all.limits, self.conn.their_state
        seconds = {IDLE: limits.head, SEND_BODY: limits.body}.get(state)
        if seconds is None or self.transport.is_closing():
            self._stop()
        elif self._owed != (state, self.cycle):
            self._stop()
            self._owed = (state, self.cycle)
            self._deadline = self.loop.call_later(seconds, self.cut)
            self._all.wait(self, True)

    def _stop(self) -> None:
        self._owed = None
        self._all.wait(self, False)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int, reason: str, headers: str = "") -> None:
        """Answer in plain text, unless another answer has begun, and close the connection."""
        self._stop()
        if self.conn.our_state in (IDLE, SEND_RESPONSE):
            text = f"{reason}\n"
            self.transport.write(
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: text/plain\r\n"
                f"content-length: {len(text)}\r\n{headers}connection: close\r\n\r\n{text}".encode("ascii")
            )
        self.transport.close()
