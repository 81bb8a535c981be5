"""A mail server on loopback with every bad habit, by chance; it writes down what it really accepted."""

from __future__ import annotations

import random
import socket
import threading
from collections import Counter
from dataclasses import dataclass

from tests.send.reply_server import OFFERS, Answer, Fault, OverError, ReplyServer, Session

# By the verb: how often in ten thousand, and what happens then. The rest of the time all is as usual.
_HABITS: dict[str, tuple[tuple[int, Answer], ...]] = {
    "GREETING": ((300, "421 4.3.2 too busy"), (100, Fault.DROP)),
    "EHLO": ((200, "502 5.5.1 what?"), (100, Fault.DROP)),
    "MAIL": (
        (20, "451 4.3.0 later"),
        (4, Fault.DROP),
        (1, Fault.HANG),
    ),
    "RCPT": ((200, "450 4.2.0 later"), (100, "550 5.1.1 no such user")),
    "BODY": (
        (50, "452 4.3.1 no room"),
        (30, "554 5.6.0 not this one"),
        (8, Fault.TAKE),
        (4, Fault.DROP),
        (2, Fault.HANG),
    ),
}
_HABITS["BDAT"] = _HABITS["BODY"]
_LIES = (OFFERS, OFFERS, OFFERS, ("PIPELINING", "8BITMIME"), ("SIZE 1000000",), ("CHUNKING", "PIPELINING"))
_CUT, _LATE, _DEAF = 6, 20, 400  # in ten thousand: cut in mid-data, late answers; connections deaf to BDAT


@dataclass
class RoughServer(ReplyServer):
    """Refuses, puts off, stalls, hangs up in mid-data, answers late, offers what it does not keep."""

    seed: int = 1
    fixed_port: int = 0  # to come back at the port of one that went away

    def __post_init__(self) -> None:
        ReplyServer.__post_init__(self)
        self._random = random.Random(self.seed)
        self._never = threading.Event()
        self._deaf: set[int] = set()  # sessions that offer CHUNKING and do not know it

    def counted(self) -> Counter[str]:
        """Count what was accepted, by recipient."""
        with self._lock:
            return Counter(recipient for _, recipient, _ in self.accepted)

    def _listening(self) -> socket.socket:
        return socket.create_server(("127.0.0.1", self.fixed_port), backlog=64)

    def _next(self, verb: str, offers: tuple[str, ...] = ()) -> Answer:
        if verb == "EHLO":
            offers = self._random.choice(_LIES)
        if verb in ("BODY", "BDAT", "MAIL") and self._chance(_LATE):
            self._never.wait(0.2)
        draw = self._random.randrange(10_000)
        for often, answer in _HABITS.get(verb, ()):
            draw -= often
            if draw < 0:
                return answer
        return super()._next(verb, offers)

    def _obey(self, session: Session, verb: str, rest: str) -> None:
        if verb == "EHLO" and self._chance(_DEAF):
            self._deaf.add(id(session))
        if verb == "BDAT" and id(session) in self._deaf:
            self._send(session, "500 5.5.2 what?")  # and takes the text for commands
            return
        if verb in ("BDAT", "DATA") and self._chance(_CUT):
            session.file.read(int(rest.split()[0]) // 2 if verb == "BDAT" else 40)
            raise OverError
        super()._obey(session, verb, rest)

    def _end(self, session: Session, verb: str) -> None:
        session.text = b""  # twenty thousand texts would fill the memory
        super()._end(session, verb)

    def _chance(self, often: int) -> bool:
        return self._random.randrange(10_000) < often
