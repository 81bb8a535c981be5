"""Run a mail server on loopback that answers from a table, and records what it really accepted."""

from __future__ import annotations

import base64
import contextlib
import functools
import itertools
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import BinaryIO, Self


class Fault(Enum):
    """Something a server may do instead of answering."""

    DROP = "closes the connection"
    HANG = "says nothing more, and keeps the connection open"
    TAKE = "accepts the message, and does not say so"
    RESET = "resets the connection"
    TRICKLE = "sends an answer that never ends, a byte at a time"


Answer = str | bytes | Fault | tuple["Answer", ...]  # bytes are sent as they are, a str as one line
Table = Callable[[str, int], Answer | None]  # (verb, earlier uses on this server) → None: as usual

OFFERS = ("PIPELINING", "CHUNKING", "SIZE 1000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN")
USUAL: dict[str, Answer] = {
    "GREETING": "220 mail.example.org ESMTP",
    "HELO": "250 mail.example.org",
    "STARTTLS": "220 2.0.0 Ready to start TLS",
    "HANDSHAKE": (),  # sent before the server's part of the handshake
    "AUTH": "235 2.7.0 Authentication successful",
    "RSET": "250 2.0.0 Ok",
    "NOOP": "250 2.0.0 Ok",
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    "DATA": "354 End data with <CR><LF>.<CR><LF>",
    "BODY": "250 2.0.0 Ok: queued",
    "BDAT": "250 2.0.0 Ok: queued",
    "QUIT": ("221 2.0.0 Bye", Fault.DROP),
}


class OverError(Exception):
    """The connection is over."""


@dataclass
class Session:
    """The state of one connection."""

    sock: socket.socket
    file: BinaryIO
    closing: contextlib.ExitStack
    protected: bool = False
    sender: str | None = None
    recipient: str | None = None
    text: bytes = b""


@dataclass
class ReplyServer:
    """Serves on a free loopback port inside a `with` block; `table` overrides the usual answers.

    A table may also be a mapping: verb → the answers to its first, second, … use; later uses are as usual.
    A transaction left open by a refused recipient stays open until RSET, as in real servers.
    """

    table: Table | Mapping[str, tuple[Answer | None, ...]] = field(default_factory=dict)
    offers: tuple[str, ...] = OFFERS
    context: ssl.SSLContext | None = None
    tls_at_once: bool = False

    def __post_init__(self) -> None:
        self.accepted: list[tuple[str, str, bytes]] = []  # sender, recipient, text
        self.commands: list[str] = []
        self.logins: list[str] = []
        self.connections = 0
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._listener = self._listening()
        self.port: int = self._listener.getsockname()[1]
        self._start(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def stop(self) -> None:
        """Take no further connections, and close the open ones."""
        self._cut(self._listener)
        with self._lock:
            socks = list(self._socks)
        for sock in socks:
            self._cut(sock)

    def recipients(self) -> list[str]:
        """Return the recipients of the accepted messages."""
        return [recipient for _, recipient, _ in self.accepted]

    # ────────────────────────────────────────────────────────────────────────────────────────

    def _listening(self) -> socket.socket:
        return socket.create_server(("127.0.0.1", 0), backlog=64)

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _cut(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        if sock is self._listener:
            sock.close()

    def _listen(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                self._socks.append(sock)
            self._start(functools.partial(self._serve, sock))

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.ExitStack() as closing, contextlib.suppress(OSError, OverError):
            closing.enter_context(sock)
            session = Session(sock, closing.enter_context(sock.makefile("rb")), closing)
            if self.tls_at_once:
                self._protect(session)
            self._talk(session)

    def _protect(self, session: Session) -> None:
        self._answer(session, "HANDSHAKE")
        session.sock = session.closing.enter_context(self._wrap(session.sock))
        session.file = session.closing.enter_context(session.sock.makefile("rb"))
        session.protected = True

    def _wrap(self, sock: socket.socket) -> socket.socket:
        assert self.context
        wrapped = self.context.wrap_socket(sock, server_side=True)
        with self._lock:
            self._socks.append(wrapped)
        return wrapped

    def _talk(self, session: Session) -> None:
        self._answer(session, "GREETING")
        while line := session.file.readline():
            words = line.decode("utf-8", "replace").strip().split(" ", 1)
            with self._lock:
                self.commands.append(" ".join(words))
            self._obey(session, words[0].upper(), words[1] if words[1:] else "")

    def _obey(self, session: Session, verb: str, rest: str) -> None:
        if verb in ("MAIL", "RCPT"):
            self._envelope(session, verb, rest)
        elif verb == "DATA":
            self._data(session)
        elif verb == "BDAT":
            session.text = session.file.read(int(rest.split()[0]))
            self._end(session, "BDAT")
        elif verb == "STARTTLS":
            self._answer(session, verb)
            self._protect(session)
        elif verb == "AUTH":
            self._login(session, rest)
        else:
            if verb == "RSET":
                session.sender = session.recipient = None
            self._answer(session, verb)

    def _envelope(self, session: Session, verb: str, rest: str) -> None:
        address = rest.partition("<")[2].partition(">")[0]
        if verb == "MAIL" and session.sender is not None:
            self._send(session, "503 5.5.1 Error: nested MAIL command")
        elif verb == "RCPT" and session.sender is None:
            self._send(session, "503 5.5.1 Error: need MAIL command")
        elif self._answer(session, verb).startswith("2"):
            if verb == "MAIL":
                session.sender = address
            else:
                session.recipient = address

    def _data(self, session: Session) -> None:
        if session.recipient is None and not self._peek("DATA"):
            self._send(session, "554 5.5.1 Error: no valid recipients")
            return
        if not self._answer(session, "DATA").startswith("3"):
            return
        text = []
        while (line := session.file.readline()) != b".\r\n":
            if not line:
                raise OverError
            text.append(line.removeprefix(b"."))
        session.text = b"".join(text)
        self._end(session, "BODY")

    def _end(self, session: Session, verb: str) -> None:
        if session.recipient is None or session.sender is None:
            self._send(session, "554 5.5.1 Error: no valid recipients")
            if verb == "BODY":
                session.sender = None
            return
        message = (session.sender, session.recipient, session.text)
        answer = self._next(verb)
        first = answer[0] if isinstance(answer, tuple) else answer
        if first is Fault.TAKE or (isinstance(first, str) and first.startswith("2")):
            with self._lock:
                self.accepted.append(message)
        session.sender = session.recipient = None
        self._send(session, answer)

    def _login(self, session: Session, rest: str) -> None:
        mechanism, *initial = rest.split()
        said = list(initial)
        for _ in range({"PLAIN": 0, "LOGIN": 2, "XOAUTH2": 0}[mechanism]):
            self._send(session, "334 VXNlcm5hbWU6")
            said.append(session.file.readline().decode().strip())
        with self._lock:
            self.logins.append(f"{mechanism} " + " ".join(base64.b64decode(word).decode() for word in said))
        self._answer(session, "AUTH")

    def _peek(self, verb: str) -> bool:
        return not callable(self.table) and self._counts[verb] < len(self.table.get(verb, ()))

    def _next(self, verb: str, offers: tuple[str, ...] = ()) -> Answer:
        with self._lock:
            count = self._counts[verb]
            self._counts[verb] += 1
            if callable(self.table):
                special = self.table(verb, count)
            else:
                special = next(itertools.islice(self.table.get(verb, ()), count, None), None)
        if special is not None:
            return special
        if verb == "EHLO":
            *lines, last = "mail.example.org", *offers
            return "\r\n".join([*(f"250-{line}" for line in lines), f"250 {last}"])
        return USUAL.get(verb, "502 5.5.2 Error: command not recognized")

    def _answer(self, session: Session, verb: str) -> str:
        offers = [word for word in self.offers if not (session.protected and word == "STARTTLS")]
        answer = self._next(verb, tuple(offers))
        self._send(session, answer)
        return answer if isinstance(answer, str) else ""

    def _send(self, session: Session, answer: Answer) -> None:
        if isinstance(answer, tuple):
            for part in answer:
                self._send(session, part)
        elif isinstance(answer, Fault):
            self._misbehave(session.sock, answer)
            raise OverError
        else:
            session.sock.sendall(answer if isinstance(answer, bytes) else f"{answer}\r\n".encode())

    def _misbehave(self, sock: socket.socket, fault: Fault) -> None:
        if fault is Fault.RESET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif fault is Fault.TRICKLE:
            sock.settimeout(0.02)
            while True:
                with contextlib.suppress(TimeoutError):
                    if not sock.recv(65536):
                        return
                sock.sendall(b"2")
        elif fault in (Fault.HANG, Fault.DROP):
            if fault is Fault.DROP:
                sock.shutdown(socket.SHUT_WR)
            # If a socket is closed before everything is read, its last bytes are lost.
            while sock.recv(65536):
                pass
