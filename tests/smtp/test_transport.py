"""Over real sockets, every message has a receipt, whatever the server does."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from threading import Event

import pytest

from digest.model.errors import TransportError
from digest.model.messages import Message, Outcome, Receipt, Security, SmtpServer
from digest.smtp.relay import Timeouts
from digest.smtp.terms import Pace
from digest.smtp.transport import SmtpTransport, check_server
from tests.certificates import Certificates
from tests.smtp.reply_server import OFFERS, Answer, Fault, ReplyServer

_SECONDS = 20
QUICK = Timeouts(tries=3, pause=0.01, ready=1, text=2)
TEXT = b"Subject: Harbour news\r\n\r\n.Ferries\r\n..run\r\non Sunday\r\n"


def messages(
    count: int, text: bytes = TEXT, domain: Callable[[int], str] = lambda _: "example.org"
) -> list[Message]:
    return [Message.whole(n, "daily@example.org", f"reader{n}@{domain(n)}", text) for n in range(count)]


def groups(all_messages: Sequence[Message], size: int) -> Iterator[Sequence[Message]]:
    for start in range(0, len(all_messages), size):
        yield all_messages[start : start + size]


def handed(transport: SmtpTransport, waiting: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Hand over as many messages as there is room for."""
    while waiting:
        room = transport.room
        yield waiting[:room]
        waiting = waiting[room:]


def at(server: ReplyServer, **settings: object) -> SmtpServer:
    plain = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE, connections=1, timeout=5)
    return dataclasses.replace(plain, **settings)  # type: ignore[arg-type]  # settings are SmtpServer's own


def carry(
    *servers: SmtpServer,
    count: int = 1,
    text: bytes = TEXT,
    pace: Pace = Pace.CHUNKING,
    domain: Callable[[int], str] = lambda _: "example.org",
) -> dict[int, Receipt]:
    transport = SmtpTransport(servers, pace=pace, patience=QUICK)
    receipts: dict[int, Receipt] = {}
    for answered in transport.carry(handed(transport, messages(count, text, domain))):
        for receipt in answered:
            assert receipt.key not in receipts
            receipts[receipt.key] = receipt
    assert len(receipts) == count
    return receipts


def outcomes(receipts: dict[int, Receipt]) -> Counter[Outcome]:
    return Counter(receipt.outcome for receipt in receipts.values())


@pytest.mark.parametrize("pace", Pace)
def test_at_every_pace_each_message_arrives_once_and_unchanged(pace: Pace) -> None:
    with ReplyServer() as server:
        receipts = carry(at(server, connections=3), count=100, pace=pace)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 100}
    assert sorted(server.recipients()) == sorted(message.recipient for message in messages(100))
    assert {text for _, _, text in server.accepted} == {TEXT}
    assert receipts[0] == Receipt(0, Outcome.ACCEPTED, 250, "2.0.0", "2.0.0 Ok: queued")


@pytest.mark.parametrize("pace", Pace)
def test_a_plain_message_arrives_unchanged(pace: Pace) -> None:
    text = b"Subject: Harbour news\r\n\r\nFerries run. On Sunday too.\r\n"
    plain = [message._replace(plain=True) for message in messages(9, text)]
    with ReplyServer() as server:
        receipts = list(SmtpTransport([at(server)], pace=pace).carry(iter([plain])))
    assert sum(map(len, receipts)) == 9
    assert {text for _, _, text in server.accepted} == {text}
    assert not any("8BITMIME" in command for command in server.commands)


def test_a_server_without_ehlo_is_used() -> None:
    with ReplyServer({"EHLO": ("502 what?",) * 9}) as server:
        receipts = carry(at(server), count=5)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 5}
    assert server.commands[1].startswith("HELO ")


@pytest.mark.parametrize("at_once", [False, True], ids=["STARTTLS", "TLS"])
def test_messages_go_over_tls_after_a_login(certificates: Certificates, at_once: bool) -> None:
    offers = (*OFFERS, "STARTTLS", "AUTH LOGIN PLAIN")
    with ReplyServer(offers=offers, context=certificates.context, tls_at_once=at_once) as server:
        account = at(
            server,
            security=Security.TLS if at_once else Security.STARTTLS,
            ca_file=certificates.ca_file,
            user="daily",
            password="tide",
        )
        receipts = carry(account, count=50)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 50}
    assert server.logins == ["PLAIN \0daily\0tide"]


def test_an_untrusted_certificate_stops_everything(certificates: Certificates) -> None:
    with (
        ReplyServer(offers=("STARTTLS",), context=certificates.context) as server,
        pytest.raises(TransportError, match="certificate is not trusted"),
    ):
        carry(at(server, security=Security.STARTTLS), count=3)
    assert server.connections == 1


# ── servers with faults ─────────────────────────────────────────────────────────────────────

VERBS = ("RSET", "MAIL", "RCPT", "DATA", "BODY", "BDAT")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("451 4.3.0 later", Outcome.DEFERRED), ("550 5.1.1 never", Outcome.REJECTED)],
)
@pytest.mark.parametrize("verb", VERBS[1:])
@pytest.mark.parametrize("pace", Pace)
def test_a_refusal_reaches_the_right_reader(pace: Pace, verb: str, answer: str, outcome: Outcome) -> None:
    with ReplyServer({verb: (None, None, answer)}) as server:
        receipts = carry(at(server), count=20, pace=pace)
    refused = {receipt.key for receipt in receipts.values() if receipt.outcome is not Outcome.ACCEPTED}
    used = verb in ("MAIL", "RCPT") or (verb == "BDAT") == (pace is Pace.CHUNKING)
    if verb == "MAIL" and outcome is Outcome.DEFERRED:  # the session is over, and the next connection goes on
        used = False
    assert refused == ({2} if used else set())
    assert not used or (receipts[2].outcome, receipts[2].reply) == (outcome, answer[4:])
    assert set(server.recipients()) == {f"reader{key}@example.org" for key in range(20) if key not in refused}


@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("fault", [Fault.DROP, Fault.HANG, ("421 4.3.2 closing", Fault.DROP), b"250 half"])
def test_a_connection_that_breaks_before_the_text_costs_nothing(verb: str, fault: Answer) -> None:
    broken = (fault, Fault.DROP) if isinstance(fault, bytes) else fault
    with ReplyServer({verb: (broken,)}) as server:
        receipts = carry(at(server, timeout=0.3), count=10, pace=Pace.PIPELINING)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 10}
    assert sorted(server.recipients()) == sorted(message.recipient for message in messages(10))


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.TAKE, Fault.HANG, "this is no answer"])
@pytest.mark.parametrize(("pace", "verb"), [(Pace.PIPELINING, "BODY"), (Pace.CHUNKING, "BDAT")])
def test_a_message_without_an_answer_is_uncertain_and_the_others_go_on(
    pace: Pace, verb: str, fault: Fault
) -> None:
    with ReplyServer({verb: (None, None, None, fault)}) as server:
        receipts = carry(at(server, timeout=0.3), count=40, pace=pace)
    uncertain = outcomes(receipts)[Outcome.UNCERTAIN]
    assert 1 <= uncertain <= (1 if pace is Pace.PIPELINING else 8)
    assert outcomes(receipts)[Outcome.ACCEPTED] == 40 - uncertain
    check_truth(receipts, server)


def test_a_server_that_ends_each_connection_after_a_few_messages_gets_many_connections() -> None:
    def few(verb: str, count: int) -> Answer | None:
        return ("421 4.7.0 enough for now", Fault.DROP) if verb == "MAIL" and count % 12 == 11 else None

    with ReplyServer(few) as server:
        receipts = carry(at(server, connections=2), count=60)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 60}
    assert server.connections >= 5


@pytest.mark.parametrize(
    "table",
    [
        {"BDAT": ("502 5.5.1 what?",) * 9},
        {"BDAT": (Fault.DROP,) * 9},
        {"RCPT": ("503 5.5.1 wait your turn",)},
        {"BDAT": ("503 5.5.1 no",) * 9, "DATA": ("503 5.5.1 one at a time",)},
    ],
    ids=["no BDAT", "drops BDAT", "no pipelining", "neither"],
)
def test_a_server_that_does_not_support_what_it_offers_still_gets_its_messages(
    table: dict[str, tuple[Answer | None, ...]],
) -> None:
    with ReplyServer(table) as server:
        receipts = carry(at(server), count=10)
    assert outcomes(receipts)[Outcome.ACCEPTED] >= 9
    check_truth(receipts, server)


# ── several servers, and none ───────────────────────────────────────────────────────────────


def test_messages_go_to_the_other_server_when_one_is_down() -> None:
    with ReplyServer() as gone:
        pass
    with ReplyServer() as server:
        receipts = carry(at(gone), at(server), count=30)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 30}


def two_that_meet() -> tuple[ReplyServer, ReplyServer]:
    """Make servers that answer no message before both were asked, so that neither can take all of them."""
    asked = Event(), Event()

    def table(mine: Event, other: Event) -> Callable[[str, int], Answer | None]:
        def answer(verb: str, _: int) -> Answer | None:
            if verb == "MAIL":
                mine.set()
                other.wait(_SECONDS)
            return None

        return answer

    return ReplyServer(table(*asked)), ReplyServer(table(*reversed(asked)))


def test_both_servers_are_used() -> None:
    first, second = two_that_meet()
    with first as one, second as two:
        carry(at(one, connections=2, timeout=60), at(two, connections=2, timeout=60), count=300)
    assert one.accepted
    assert two.accepted
    assert len(one.accepted) + len(two.accepted) == 300


@pytest.mark.parametrize(
    ("table", "tries", "reason"),
    [
        ({"AUTH": ("535 5.7.8 wrong password",) * 9}, 1, "wrong password"),
        ({"MAIL": ("530 5.7.0 STARTTLS first",) * 99}, 1, "STARTTLS first"),
        ({"GREETING": ("554 5.7.1 not you",) * 99}, 3, "not you"),
        ({"EHLO": (Fault.DROP,) * 99}, 3, "hung up"),
        ({"MAIL": (Fault.DROP,) * 99}, 3, "hung up"),
    ],
)
def test_when_no_server_is_left_every_message_is_unsent_and_there_is_a_reason(
    table: dict[str, tuple[Answer | None, ...]], tries: int, reason: str
) -> None:
    asked: list[int] = []
    receipts: list[Receipt] = []

    def endless() -> Iterator[Sequence[Message]]:
        for group in groups(messages(1000), 4):
            asked.extend(message.key for message in group)
            yield group

    with ReplyServer(table, offers=(*OFFERS, "AUTH PLAIN")) as server:
        account = at(server, user="daily", password="tide")
        carrying = SmtpTransport([account], pace=Pace.PIPELINING, patience=QUICK).carry(endless())
        with pytest.raises(TransportError, match=reason):
            for answered in carrying:
                receipts.extend(answered)
    assert server.connections == tries
    assert sorted(receipt.key for receipt in receipts) == asked
    assert {receipt.outcome for receipt in receipts} == {Outcome.UNSENT}
    assert len(asked) < 1000


@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "AUTH"])
def test_a_silent_server_is_tried_twice_and_not_for_minutes(verb: str) -> None:
    with ReplyServer({verb: (Fault.HANG,) * 99}, offers=(*OFFERS, "AUTH PLAIN")) as server:
        account = at(server, user="daily", password="tide", timeout=1)
        with pytest.raises(TransportError, match=r"no answer to .* in 0\.5 seconds"):
            list(SmtpTransport([account]).carry(iter([messages(3)])))
    assert server.connections == 2


def test_an_unreachable_server_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with ReplyServer() as gone:
        pass
    with pytest.raises(TransportError, match="nothing listens there; is the mail server running"):
        carry(at(gone), count=3)
    assert len(caplog.messages) == 1
    assert f"127.0.0.1:{gone.port}: cannot connect" in caplog.messages[0]


def test_a_missing_certificate_file_is_reported_before_a_message_is_asked_for() -> None:
    server = SmtpServer(host="127.0.0.1", port=1, ca_file="/nowhere/ca.pem")
    with pytest.raises(TransportError, match=r"cannot read /nowhere/ca\.pem"):
        next(SmtpTransport([server]).carry(iter([])))


# ── the seam to the sender ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("pace", Pace)
def test_no_more_messages_are_asked_for_than_the_connections_can_have_in_flight(pace: Pace) -> None:
    with ReplyServer() as server:
        transport = SmtpTransport([at(server, connections=2)], pace=pace, in_flight=4)
        unanswered, most = 0, 0

        def counted() -> Iterator[Sequence[Message]]:
            nonlocal unanswered, most
            for group in handed(transport, messages(300)):
                unanswered += len(group)
                most = max(most, unanswered)
                yield group

        for answered in transport.carry(counted()):
            unanswered -= len(answered)
    assert unanswered == 0
    assert most == transport.window == 8


def test_a_slow_server_is_handed_no_more_than_it_has_room_for() -> None:
    def slow(verb: str, _: int) -> None:
        if verb == "BODY":
            threading.Event().wait(0.01)

    with ReplyServer(slow) as server:
        transport = SmtpTransport([at(server, connections=2)], pace=Pace.PIPELINING, in_flight=8)
        sizes: list[int] = []

        def noted() -> Iterator[Sequence[Message]]:
            for group in handed(transport, messages(100)):
                sizes.append(len(group))
                yield group

        assert len([receipt for answered in transport.carry(noted()) for receipt in answered]) == 100
    assert sizes[0] == transport.window == 16
    assert set(sizes[10:-1]) == {4}, "its connections have room for no more"


def test_a_sender_with_nothing_to_send_just_now_is_asked_again() -> None:
    with ReplyServer() as server:
        pauses: list[Sequence[Message]] = [[], messages(3)[:1], [], [], messages(3)[1:], []]
        carrying = SmtpTransport([at(server)]).carry(iter(pauses))
        keys = [receipt.key for answered in carrying for receipt in answered]
    assert sorted(keys) == [0, 1, 2]
    assert server.connections == 1


def test_a_sender_gets_empty_lists_while_a_server_is_silent() -> None:
    with ReplyServer({"MAIL": (Fault.HANG,)}) as server:
        with closing(SmtpTransport([at(server)]).carry(iter([messages(1)]))) as carrying:
            assert next(carrying) == []
        assert server.accepted == []


def test_closing_early_closes_every_socket() -> None:
    with ReplyServer() as server:
        with closing(SmtpTransport([at(server, connections=3)]).carry(groups(messages(500), 12))) as carrying:
            assert next(carrying)
        assert len(server.accepted) < 500  # the server's threads end too; otherwise `with` would fail


def test_a_failing_sender_closes_every_socket_and_its_error_is_raised() -> None:
    def failing() -> Iterator[Sequence[Message]]:
        yield messages(5)
        raise OSError("disk full")

    with ReplyServer() as server, pytest.raises(OSError, match="disk full"):
        list(SmtpTransport([at(server)]).carry(failing()))


def test_nothing_to_send_opens_no_connection() -> None:
    with ReplyServer() as server:
        assert list(SmtpTransport([at(server)]).carry(iter([]))) == []
    assert server.connections == 0


# ── checking a server ───────────────────────────────────────────────────────────────────────


def test_a_server_is_checked_without_a_message(certificates: Certificates) -> None:
    offers = ("PIPELINING", "STARTTLS", "AUTH PLAIN")
    with ReplyServer(offers=offers, context=certificates.context) as server:
        account = at(
            server, security=Security.STARTTLS, ca_file=certificates.ca_file, user="daily", password="tide"
        )
        greeting, protection, offered, login, _ = check_server(account)
    assert greeting.endswith("greets with: mail.example.org ESMTP")
    assert protection.startswith("protected by TLSv1.")
    assert (offered, login) == ("offers PIPELINING, AUTH PLAIN", "logged in")
    assert "NOOP" in server.commands
    assert server.accepted == []


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"AUTH": ("535 5.7.8 wrong password",)}, "wrong password"),
        ({"GREETING": (Fault.DROP,)}, "hung up"),
        ({"EHLO": (Fault.HANG,)}, "no answer"),
    ],
)
def test_a_check_says_why_messages_could_not_be_sent(
    table: dict[str, tuple[Answer | None, ...]], reason: str
) -> None:
    with (
        ReplyServer(table, offers=("AUTH PLAIN",)) as server,
        pytest.raises(TransportError, match=reason),
    ):
        check_server(at(server, user="daily", password="tide", timeout=0.1))


def check_truth(receipts: dict[int, Receipt], server: ReplyServer) -> None:
    """Compare the receipts with the messages that the server accepted."""
    taken = Counter(server.recipients())
    for key, receipt in receipts.items():
        count = taken[f"reader{key}@example.org"]
        if receipt.outcome is Outcome.ACCEPTED:
            assert count == 1
        elif receipt.outcome is Outcome.UNCERTAIN:
            assert count <= 1
        else:
            assert count == 0


def test_messages_go_to_servers_by_their_weights() -> None:
    first, second = two_that_meet()
    with first as big, second as small:
        receipts = carry(at(big, weight=3, timeout=60), at(small, weight=1, timeout=60), count=2000)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 2000}
    window = 8 * (1 + 3)
    assert abs(len(small.accepted) - 500) <= window


def test_an_unreachable_server_does_not_hold_others_to_their_share() -> None:
    with ReplyServer({"GREETING": ("421 4.3.2 closed",) * 99}) as away, ReplyServer() as there:
        receipts = carry(at(away, weight=9), at(there, weight=1), count=200)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 200}
    assert len(there.accepted) == 200


def test_requiretls_is_requested_only_over_tls_and_if_it_is_offered(
    certificates: Certificates,
) -> None:
    offers = (*OFFERS, "STARTTLS", "REQUIRETLS")
    with ReplyServer(offers=offers, context=certificates.context) as server:
        account = at(server, security=Security.STARTTLS, ca_file=certificates.ca_file, require_tls=True)
        assert outcomes(carry(account, count=3)) == {Outcome.ACCEPTED: 3}
    assert all(" REQUIRETLS" in command for command in server.commands if command.startswith("MAIL"))
    with ReplyServer() as plain, pytest.raises(TransportError, match="REQUIRETLS is configured"):
        carry(at(plain, require_tls=True))
