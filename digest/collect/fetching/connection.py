"""Speak HTTP/1.1 over a connection of asyncio: one request after the other, each with its answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import h11

Headers = Sequence[tuple[bytes, bytes]]

_MOST_HEAD = 102_400  # bytes of a head, before the connection is given up
_MOST_UNREAD = 65_536  # bytes that may have arrived before they are wanted; then reading is paused


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The beginning of an answer; the names of its headers have small letters."""

    status: int
    headers: Headers


class Connection(asyncio.Protocol):
    """A connection to a server. Its errors are those of the system, a ConnectionError if it is not HTTP."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD)
        self._transport: Any = None  # asyncio has two kinds, with and without TLS
        self._arrival: asyncio.Future[None] | None = None
        self._unread = 0
        self._error: Exception | None = None

    @property
    def is_idle(self) -> bool:
        """Return whether another request may be sent."""
        return self._http.our_state is h11.IDLE and not self._transport.is_closing()

    async def ask(self, method: str, target: bytes, headers: Headers, content: bytes = b"") -> Head:
        """Send a request, and return the head of its answer."""
        rest = (h11.Data(data=content), _END) if content else (_END,)
        try:
            request = h11.Request(method=method, target=target, headers=list(headers))
            self._transport.write(b"".join(self._http.send(event) or b"" for event in (request, *rest)))
        except h11.ProtocolError as error:
            raise ConnectionError(str(error)) from error
        while not isinstance(event := await self._event(), h11.Response):
            pass  # the server says that it is still at work (1xx)
        return Head(status=event.status_code, headers=list(event.headers))

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body of the answer as it arrives."""
        while isinstance(event := await self._event(), h11.Data):
            yield event.data

    def finish(self) -> bool:
        """End an answer; return whether the connection can be used again. If it cannot, it is closed.

        It reads the bytes that have arrived, and waits for no more.
        """
        try:
            while self._http.their_state in (h11.SEND_RESPONSE, h11.SEND_BODY):
                if self._http.next_event() in (h11.NEED_DATA, h11.PAUSED):
                    break
            self._http.start_next_cycle()
            self._resume()
        except h11.ProtocolError:
            self.close()
        return self.is_idle

    def close(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    # ── called by asyncio ─────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._http.receive_data(data)
        self._unread += len(data)
        if self._unread > _MOST_UNREAD:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Note that the server sends no more."""
        self._http.receive_data(b"")
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Raise the error in the task that waits for an answer, because none will come."""
        self._error = exc or ConnectionError("the connection is closed")
        self._wake()

    # ── waiting for the server ────────────────────────────────────────────────────────────────

    async def _event(self) -> object:
        """Return the next event of the answer, and wait until it has arrived."""
        while True:
            try:
                event = self._http.next_event()
            except h11.ProtocolError as error:
                raise self._error or ConnectionError(str(error)) from error
            if event is not h11.NEED_DATA:
                return event
            if self._error:
                raise self._error
            self._resume()
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival

    def _resume(self) -> None:
        if self._unread > _MOST_UNREAD:
            self._transport.resume_reading()
        self._unread = 0

    def _wake(self) -> None:
        if self._arrival and not self._arrival.done():
            self._arrival.set_result(None)


_END = h11.EndOfMessage()


async def connect(address: str, port: int, tls: ssl.SSLContext | None, host: str) -> Connection:
    """Connect to an address; with `tls`, the server must have a certificate for `host`."""
    loop = asyncio.get_running_loop()
    server_hostname = host if tls else None
    _, connection = await loop.create_connection(
        Connection, address, port, ssl=tls, server_hostname=server_hostname
    )
    return connection
