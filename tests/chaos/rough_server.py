"""A mail server on loopback that fails at random in many ways, and records what it really accepted."""

from __future__ import annotations

import random
import socket
import threading
from collections import Counter
from dataclasses import dataclass

from tests.smtp.reply_server import OFFERS, Answer, Fault, OverError, ReplyServer, Session

# For each verb: how often in ten thousand something happens, and what. Otherwise the server is normal.
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
_CUT, _LATE, _DEAF = (
    6,
    20,
    400,
)  # in ten thousand: cuts during the data, late answers, connections that do not know BDAT


@dataclass
class RoughServer(ReplyServer):
    """Refuses, defers, stalls, hangs up during the data, answers late, offers extensions that it lacks."""

    seed: int = 1
    fixed_port: int = 0  # the port of an earlier server

    def __post_init__(self) -> None:
        ReplyServer.__post_init__(self)
        self._random = random.Random(self.seed)
        self._never = threading.Event()
        self._deaf: set[int] = set()  # sessions that offer CHUNKING but do not know it

    def counted(self) -> Counter[str]:
        """Count the accepted messages by recipient."""
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
            self._send(session, "500 5.5.2 what?")  # and reads the text as commands
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
