"""Servers that limit rate, connections or sessions get what they take, and no message loses a try."""

from __future__ import annotations

import threading
from collections import Counter
from time import monotonic

import pytest

from digest.model.errors import TransportError
from digest.model.messages import Outcome, SmtpServer
from digest.smtp.pipeline import Verdict
from digest.smtp.relay import Relay, Timeouts
from digest.smtp.terms import Pace
from subscribers.rules.answers import Cause
from tests.smtp.reply_server import OFFERS, Answer, ReplyServer
from tests.smtp.reply_server import Fault as Misbehaviour
from tests.smtp.test_transport import at, carry, outcomes

TEXTS = ("BODY", "BDAT")


class PerConnection:
    """Counts what a server does on each connection; a server has a thread for each."""

    def __init__(self) -> None:
        self.taken: Counter[int] = Counter()
        self.refused = 0
        self.ids: list[int] = []

    @property
    def number(self) -> int:
        """Return the number of this connection, from 0 in the order of the first messages."""
        if threading.get_ident() not in self.ids:
            self.ids.append(threading.get_ident())
        return self.ids.index(threading.get_ident())

    def refuse(self, answer: str) -> str:
        self.refused += 1
        return answer


@pytest.mark.parametrize(
    "answer",
    [
        "452 4.5.3 Too many messages sent",
        "451 Mails per session limit exceeded",
        "421 4.7.0 enough for today",
    ],
)
@pytest.mark.parametrize("pace", Pace)
def test_the_end_of_a_session_costs_nothing_and_its_length_is_learnt(pace: Pace, answer: str) -> None:
    counted = PerConnection()

    def table(verb: str, _: int) -> Answer | None:
        counted.taken[threading.get_ident()] += verb in TEXTS
        if verb == "GREETING":
            counted.taken[threading.get_ident()] = 0
        if verb != "MAIL" or counted.taken[threading.get_ident()] < 10:
            return None
        said = counted.refuse(answer)
        return (said, Misbehaviour.DROP) if said.startswith("421") else said

    with ReplyServer(table) as server:
        receipts = carry(at(server), count=150, pace=pace)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 150}
    assert server.connections <= 18
    assert counted.refused <= 2 * 8, "after two connections the length of a session is known"


def test_a_connection_too_many_is_closed_and_the_others_take_all() -> None:
    counted = PerConnection()

    def table(verb: str, _: int) -> Answer | None:
        if verb in TEXTS and counted.number >= 3:
            return counted.refuse("432 4.3.2 Concurrent connections limit exceeded")
        return None

    with ReplyServer(table) as server:
        receipts = carry(at(server, connections=4), count=400)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 400}
    assert counted.refused <= 8
    assert server.connections == 4


def test_a_connection_that_is_refused_at_the_greeting_is_one_too_many() -> None:
    def table(verb: str, count: int) -> Answer | None:
        refuse = verb == "GREETING" and count >= 2
        return ("421 4.7.0 too many connections from you", Misbehaviour.DROP) if refuse else None

    with ReplyServer(table) as server:
        receipts = carry(at(server, connections=6), count=300)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 300}
    assert server.connections <= 8


@pytest.mark.parametrize(
    "answer",
    [
        "454 Throttling failure: Maximum sending rate exceeded.",
        "450 4.7.0 try again later",
        "432 4.3.2 sender thread limit exceeded",  # for the rate too, although the words name threads
    ],
)
def test_a_server_that_takes_so_many_a_second_gets_so_many(answer: str) -> None:
    lock, tokens, since, refused = threading.Lock(), [10.0], [monotonic()], [0]

    def table(verb: str, _: int) -> Answer | None:
        if verb not in TEXTS:
            return None
        with lock:
            tokens[0] = min(10.0, tokens[0] + (monotonic() - since[0]) * 60)
            since[0] = monotonic()
            if tokens[0] >= 1:
                tokens[0] -= 1
                return None
            refused[0] += 1
            return answer

    with ReplyServer(table) as server:
        receipts = carry(at(server, connections=2, timeout=60), count=25)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 25}
    assert 0 < refused[0] <= 45


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("RCPT", "550 5.7.1 Service unavailable; client host is listed by a block list"),
        ("RCPT", "554 5.7.1 Relay access denied"),
        ("RCPT", "550 5.1.1 no such user here"),
        ("BDAT", "554 5.2.0 SubmissionQuotaExceeded"),
        ("MAIL", "550 not today"),
    ],
)
def test_a_server_that_refuses_all_is_set_aside_and_the_other_takes_its_messages(
    verb: str, answer: str
) -> None:
    with ReplyServer({verb: (answer,) * 999}) as refusing, ReplyServer() as other:
        receipts = carry(at(refusing, connections=2), at(other, connections=1), count=200)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 200}
    assert len(other.accepted) == 200
    assert sum(command.startswith("RCPT") for command in refusing.commands) <= 40


def test_what_both_servers_refuse_comes_back_with_the_answer() -> None:
    blocked = {"RCPT": ("550 5.7.1 your host is blocked",) * 999}
    with ReplyServer(blocked) as one, ReplyServer(blocked) as two:
        receipts = carry(at(one), at(two), count=30)
    assert outcomes(receipts) == {Outcome.REJECTED: 30}
    assert {receipt.reply for receipt in receipts.values()} == {"5.7.1 your host is blocked"}


def test_one_domain_that_wants_less_does_not_slow_the_server() -> None:
    class Busy(ReplyServer):
        def _envelope(self, session: object, verb: str, rest: str) -> None:
            if verb == "RCPT" and "@busy.example.org" in rest:
                self._send(session, "450 4.7.0 slowly, please")  # type: ignore[arg-type]  # a Session
            else:
                super()._envelope(session, verb, rest)  # type: ignore[arg-type]  # a Session

    with Busy() as server:
        receipts = carry(
            at(server), count=300, domain=lambda n: "busy.example.org" if n % 10 == 5 else "example.org"
        )
    assert outcomes(receipts) == {Outcome.ACCEPTED: 270, Outcome.DEFERRED: 30}


@pytest.mark.parametrize("offers", ["AUTH PLAIN LOGIN"])
def test_a_wrong_password_is_tried_on_one_connection_alone(offers: str) -> None:
    table = {"AUTH": ("535 5.7.8 wrong password",) * 99}
    with ReplyServer(table, offers=(*OFFERS, offers)) as server:
        account = at(server, user="daily", password="tide", connections=4)
        with pytest.raises(TransportError, match=r"535 5\.7\.8 wrong password; are user and password right"):
            carry(account, count=30)
    assert [login.split()[0] for login in server.logins] == ["PLAIN", "LOGIN"]


def test_the_login_that_worked_is_used_on_every_connection() -> None:
    with ReplyServer({"AUTH": ("504 5.5.4 no",)}, offers=(*OFFERS, "AUTH PLAIN LOGIN")) as server:
        receipts = carry(at(server, user="daily", password="tide", connections=3), count=60)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 60}
    mechanisms = Counter(login.split()[0] for login in server.logins)
    assert mechanisms["PLAIN"] == 1


# ── the record of a server ──────────────────────────────────────────────────────────────────


def relay() -> Relay:
    server = SmtpServer(host="mail.example.org", connections=4, timeout=60)
    return Relay(server, Timeouts(), pace=Pace.CHUNKING, in_flight=8)


LATER = Verdict(reason="454 Throttling failure", cause=Cause.RATE, code=454)


def test_a_server_that_asks_for_less_and_accepts_nothing_is_left_after_two_minutes() -> None:
    server = relay()
    for second in range(0, 130, 10):
        assert not server.gives_up(second)
        server.hear(LATER, second, on_wire=0)
    assert server.gives_up(130)
    assert server.aside is LATER
    assert server.down


def test_a_server_that_accepts_one_message_now_and_then_is_not_left() -> None:
    server = relay()
    for second in range(0, 600, 10):
        server.hear(LATER, second, on_wire=0)
        if second % 60 == 0:
            server.took(1)
            server.settle(second)
        assert not server.gives_up(second)


def test_a_slow_server_has_room_for_what_it_takes_in_a_second() -> None:
    server = relay()
    server.ready(server.opened(99.0), Pace.CHUNKING)
    server.took(14)
    server.hear(LATER, 100.0, on_wire=10)
    assert server.room == 14


def test_connections_that_became_fewer_become_more_again_after_a_while() -> None:
    server = relay()
    records = [server.opened(0) for _ in range(4)]
    for record in records:
        server.ready(record, Pace.CHUNKING)
    many = Verdict(reason="432", cause=Cause.CONNECTIONS, code=432)
    assert not server.ended(records[3], many, 100)
    assert server.allowed(100) == 3
    assert server.allowed(400) == 4
