"""Run one connection to a mail server: move bytes between a socket and a conversation, and watch the time."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from typing import cast

from digest.model.messages import Message, Security, SmtpServer
from digest.smtp.conversation import Closed, Conversation, Event, StartTls, State
from digest.smtp.faults import why_silent, why_unreached
from digest.smtp.pipeline import Step
from digest.smtp.relay import Timeouts
from digest.smtp.terms import SessionTerms

BUFFER = 16384  # bytes read at once; room for many replies

_NOT_READY = frozenset({State.GREETING, State.EHLO, State.HELO, State.STARTTLS, State.HANDSHAKE, State.AUTH})
_TEXT = frozenset({Step.BODY, Step.BDAT, Step.DOT})

Report = Callable[["Connection", list[Event]], None]


def tls_context(server: SmtpServer) -> ssl.SSLContext | None:
    """Return the context that checks a server's certificate. Raises OSError if `ca_file` cannot be read."""
    if server.security is Security.NONE:
        return None
    context = ssl.create_default_context()
    if server.ca_file:
        context.load_verify_locations(server.ca_file)
    return context


class Connection(asyncio.BufferedProtocol):
    """One connection. It takes messages from `waiting` whenever the server has room for them.

    `report` is called with the events of the conversation, in the thread of the loop; the last event is
    always `Closed`. `turn` is called before each message and says whether it may be taken.
    """

    # This is a BufferedProtocol, because a Protocol allocates 256 KB for each read. asyncio sets TCP_NODELAY
    # by itself.

    def __init__(
        self,
        server: SmtpServer,
        terms: SessionTerms,
        *,
        patience: Timeouts,
        context: ssl.SSLContext | None,
        waiting: deque[Message],
        report: Report,
        loop: asyncio.AbstractEventLoop,
        turn: Callable[[], bool] | None = None,
    ) -> None:
        self.conversation = Conversation(terms)
        self.gone = loop.create_future()  # done when we have closed the socket
        self._server = server
        self._patience = patience
        self._context = context
        self._waiting = waiting
        self._report = report
        self._loop = loop
        self.turn = turn
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._view = memoryview(bytearray(BUFFER))
        self._paused = False
        self._backlog = 0  # bytes in asyncio's buffer when we last looked
        self._opened_at = 0.0  # on the loop's clock
        self._moved_at = 0.0  # when a reply last arrived or bytes last left

    def open(self) -> None:
        """Begin to connect; the outcome is reported as an event."""
        self._opened_at = self._loop.time()
        self._begin(self._connect())

    def fill(self) -> None:
        """Start as many waiting messages as the server has room for, and write all bytes there are."""
        conversation, waiting, turn = self.conversation, self._waiting, self.turn
        room = 0 if self._paused else conversation.room
        while room > 0 and waiting and (turn is None or turn()):
            receipt = conversation.send(waiting.popleft())
            if receipt:
                self._report(self, [receipt])
            else:
                room -= 1
        data = conversation.data_to_send()
        if data and self._transport:
            self._moved_at = self._loop.time()
            self._transport.write(data)

    def check(self, now: float) -> None:
        """Give up a server that has been silent too long, unless a text is still being written."""
        waits_for = self.conversation.waits_for
        if waits_for is None:
            return
        if self._transport:
            backlog = self._transport.get_write_buffer_size()
            if backlog < self._backlog:
                self._moved_at = now
            self._backlog = backlog
        # Until the connection is ready, all the time counts, not only the time since the last reply.
        since = self._opened_at if waits_for in _NOT_READY else self._moved_at
        seconds = self._seconds_for(waits_for)
        if now - since > seconds:
            self._handle(self.conversation.abandon(self.silence(seconds), self._unwritten()))

    def silence(self, seconds: float) -> str:
        """Return a phrase that says what the server has not done in so many seconds."""
        waits_for, security = self.conversation.waits_for, self._server.security
        return why_silent(waits_for, seconds, connected=self._transport is not None, security=security)

    def hang_up(self) -> None:
        """Close the socket at once, whatever is on the wire; nothing is reported after that."""
        # We do not wait for asyncio to report the end, because it never reports the end of a connection that
        # breaks during the TLS handshake.
        self.conversation.abandon("we hung up")
        if self._task:
            self._task.cancel()
        if self._transport:
            self._transport.abort()
        if not self.gone.done():
            self.gone.set_result(None)

    async def closed(self) -> None:
        """Wait until the socket is closed and no task of this connection is left in the loop."""
        await self.gone
        if self._task:
            await asyncio.wait([self._task])

    def tls_facts(self) -> tuple[str, str] | None:
        """Return the TLS version and the cipher, to be shown to people; None without TLS."""
        cipher = self._transport.get_extra_info("cipher") if self._transport else None
        return (cipher[1], cipher[0]) if cipher else None

    # ── called by asyncio ───────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note that the connection is there; the server speaks first."""
        self._transport = cast(asyncio.Transport, transport)
        self._moved_at = self._loop.time()

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Return the buffer that the next bytes are read into."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on the bytes that were read, then write what follows from them."""
        events = self.conversation.receive_data(bytes(self._view[:nbytes]))
        # Only a complete reply is a sign of life: a server that sends single bytes is as bad as a silent one.
        if not self.conversation.hears_half:
            self._moved_at = self._loop.time()
        self._handle(events)

    def eof_received(self) -> None:
        """Settle the messages on the wire, while it is still known how many bytes never left."""
        self._handle(self.conversation.receive_eof(self._unwritten()))

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle the messages on the wire."""
        if self.conversation.state is State.HANDSHAKE:
            self._fail("cannot start TLS", exc or ConnectionResetError("the server hung up"))
        else:
            self._handle(self.conversation.receive_eof())

    def pause_writing(self) -> None:
        """Start no further message until the socket takes more."""
        self._paused = True

    def resume_writing(self) -> None:
        """Start messages again after `pause_writing`."""
        self._paused = False
        self.fill()

    # ────────────────────────────────────────────────────────────────────────────────────────

    def _handle(self, events: list[Event]) -> None:
        if events:
            self._report(self, events)
            for event in events:
                if isinstance(event, StartTls):
                    self._begin(self._protect())
                elif isinstance(event, Closed):
                    self.hang_up()
        self.fill()

    def _seconds_for(self, waits_for: State | Step) -> float:
        patience, timeout = self._patience, self._server.timeout
        if waits_for in _NOT_READY:
            return patience.ready * timeout
        if waits_for is State.QUIT:
            return patience.quit * timeout
        if waits_for in _TEXT:
            return patience.text * timeout
        return (patience.data if waits_for is Step.DATA else 1) * timeout

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        self._task = self._loop.create_task(work)
        self._task.add_done_callback(self._note_bug)

    def _note_bug(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error:  # asyncio would report it only when the task is garbage-collected
            self._loop.call_exception_handler({"message": "a connection failed", "exception": error})

    async def _connect(self) -> None:
        server, tls = self._server, self._server.security is Security.TLS
        try:
            await self._loop.create_connection(
                lambda: self,
                server.host,
                server.port,
                ssl=self._context if tls else None,
                server_hostname=server.host if tls else None,
                ssl_handshake_timeout=server.timeout if tls else None,
            )
        except (OSError, UnicodeError) as error:
            self._fail("cannot connect", error)

    async def _protect(self) -> None:
        if self._transport is None or self._context is None:
            return
        try:
            transport = await self._loop.start_tls(
                self._transport,
                self,
                self._context,
                server_hostname=self._server.host,
                ssl_handshake_timeout=self._server.timeout,
            )
        except OSError as error:
            self._fail("cannot start TLS", error)
            return
        if transport is None:  # asyncio returns None if the connection broke during the handshake
            self._fail("cannot start TLS", ConnectionResetError("the server hung up"))
            return
        self._transport = transport
        self.conversation.tls_started()
        self.fill()

    def _fail(self, what: str, error: Exception) -> None:
        lasting = isinstance(error, ssl.SSLCertVerificationError)
        self._handle(self.conversation.abandon(f"{what}: {why_unreached(error)}", lasting=lasting))

    def _unwritten(self) -> int:
        """Return how many bytes have certainly not left; 0 with TLS, where this cannot be known."""
        if self._transport is None or self._transport.get_extra_info("ssl_object"):
            return 0
        return self._transport.get_write_buffer_size()
