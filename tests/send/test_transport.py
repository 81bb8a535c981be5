"""Letters over real sockets: every one is answered for, whatever the server does."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from digest.errors import TransportError
from digest.model import Letter, Outcome, Receipt, Security, SmtpServer
from digest.send.pipeline import Pace
from digest.send.relay import Patience
from digest.send.transport import SmtpTransport
from tests.send.conftest import Certificates
from tests.send.reply_server import OFFERS, ReplyServer

QUICK = Patience(tries=3, pause=0.01)
TEXT = b"Subject: Harbour news\r\n\r\n.Ferries\r\n..run\r\non Sunday\r\n"


def letters(count: int, text: bytes = TEXT) -> list[Letter]:
    return [Letter(n, "daily@example.org", f"reader{n}@example.org", text) for n in range(count)]


def groups(all_letters: Sequence[Letter], size: int) -> Iterator[Sequence[Letter]]:
    for start in range(0, len(all_letters), size):
        yield all_letters[start : start + size]


def at(server: ReplyServer, **settings: object) -> SmtpServer:
    plain = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE, connections=1, timeout=5)
    return dataclasses.replace(plain, **settings)  # type: ignore[arg-type]  # settings are SmtpServer's own


def carry(
    *servers: SmtpServer, count: int = 1, text: bytes = TEXT, pace: Pace = Pace.CHUNKING
) -> dict[int, Receipt]:
    transport = SmtpTransport(servers, pace=pace, patience=QUICK)
    receipts: dict[int, Receipt] = {}
    for answered in transport.carry(groups(letters(count, text), transport.window // 2)):
        for receipt in answered:
            assert receipt.key not in receipts
            receipts[receipt.key] = receipt
    assert len(receipts) == count
    return receipts


def outcomes(receipts: dict[int, Receipt]) -> Counter[Outcome]:
    return Counter(receipt.outcome for receipt in receipts.values())


@pytest.mark.parametrize("pace", Pace)
def test_at_every_pace_each_letter_arrives_once_and_as_it_was(pace: Pace) -> None:
    with ReplyServer() as server:
        receipts = carry(at(server, connections=3), count=100, pace=pace)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 100}
    assert sorted(server.recipients()) == sorted(letter.recipient for letter in letters(100))
    assert {text for _, _, text in server.accepted} == {TEXT}
    assert receipts[0] == Receipt(0, Outcome.ACCEPTED, 250, "2.0.0", "2.0.0 Ok: queued")


def test_the_plainest_server_without_ehlo_is_served() -> None:
    with ReplyServer({"EHLO": ("502 what?",) * 9}) as server:
        receipts = carry(at(server), count=5)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 5}
    assert server.commands[1].startswith("HELO ")


@pytest.mark.parametrize("at_once", [False, True], ids=["STARTTLS", "TLS"])
def test_letters_go_over_a_protected_line_after_a_login(certificates: Certificates, at_once: bool) -> None:
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


def test_a_certificate_nobody_vouches_for_stops_everything(certificates: Certificates) -> None:
    with (
        ReplyServer(offers=("STARTTLS",), context=certificates.context) as server,
        pytest.raises(TransportError, match="certificate is not trusted"),
    ):
        carry(at(server, security=Security.STARTTLS), count=3)
    assert server.connections == 1
