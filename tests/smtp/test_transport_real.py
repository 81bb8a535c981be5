"""Send to servers by others: aiosmtpd, and Postfix's smtp-sink with its switches for faults."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from digest.model.errors import TransportError
from digest.model.messages import Outcome, Receipt, Security, SmtpServer
from digest.smtp.terms import Pace
from tests.certificates import Certificates
from tests.smtp.test_transport import TEXT, carry, outcomes


class TokenMailbox:
    """Takes messages after a login by XOAUTH2 with the token of the day, as an aiosmtpd handler."""

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802  # aiosmtpd's name
        said = base64.b64decode(args[1])
        if said == b"user=daily\1auth=Bearer flood-tide\1\1":
            return AuthResult(success=True, auth_data=b"daily")
        # The error comes as a challenge; the client sends an empty line, and then gets a 535.
        await server.challenge_auth(b'{"status": "401", "schemes": "bearer"}', encode_to_b64=True)
        return AuthResult(success=False, handled=False)


class Mailbox:
    """Keeps the messages that aiosmtpd passes on."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, bytes]] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802  # aiosmtpd's name
        self.kept.append((envelope.rcpt_tos[0], envelope.content))  # type: ignore[attr-defined]  # untyped
        return "250 2.0.0 kept"


@contextlib.contextmanager
def by_token(certificates: Certificates) -> Iterator[SmtpServer]:
    """Run aiosmtpd for clients that have the token."""
    controller = Controller(
        TokenMailbox(),
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=certificates.context,
        require_starttls=True,
        auth_required=True,
        auth_exclude_mechanism=["PLAIN", "LOGIN"],
    )
    controller.start()
    try:
        yield SmtpServer(
            host="127.0.0.1",
            port=controller.port,
            ca_file=certificates.ca_file,
            user="daily",
            password="flood-tide",
        )
    finally:
        controller.stop()


def test_a_token_logs_in_by_xoauth2(certificates: Certificates) -> None:
    with by_token(certificates) as server:
        assert outcomes(carry(server, count=5)) == {Outcome.ACCEPTED: 5}


def test_an_expired_token_is_a_clear_error(certificates: Certificates) -> None:
    with (
        by_token(certificates) as server,
        pytest.raises(TransportError, match="AUTH was answered with 535"),
    ):
        carry(dataclasses.replace(server, password="ebb-tide"), count=5)


def test_aiosmtpd_gets_every_message_over_tls_after_a_login(certificates: Certificates) -> None:
    mailbox = Mailbox()
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=certificates.context,
        require_starttls=True,
        auth_required=True,
        authenticator=lambda *_: AuthResult(success=True),
    )
    controller.start()
    try:
        server = SmtpServer(
            host="127.0.0.1",
            port=controller.port,
            ca_file=certificates.ca_file,
            user="daily",
            password="tide",
        )
        receipts = carry(server, count=40)
    finally:
        controller.stop()
    assert outcomes(receipts) == {Outcome.ACCEPTED: 40}
    assert sorted(mailbox.kept) == sorted((f"reader{n}@example.org", TEXT) for n in range(40))


@pytest.mark.parametrize("pace", [Pace.LOCKSTEP, Pace.PIPELINING])
def test_smtp_sink_writes_down_exactly_what_was_sent(pace: Pace, tmp_path: Path) -> None:
    folder = tmp_path / "dump"
    with smtp_sink("-d", f"{folder}/%Y.") as server:
        receipts = carry(server, count=50, pace=pace)
    assert outcomes(receipts) == {Outcome.ACCEPTED: 50}
    dumps = [path.read_bytes() for path in folder.iterdir()]
    assert len(dumps) == 50
    for dump in dumps:
        assert dump.rstrip(b"\n").endswith(TEXT.replace(b"\r\n", b"\n").rstrip(b"\n"))


@pytest.mark.parametrize("plainest", ["-e", "-p", "-P", "-8"])
def test_smtp_sink_without_an_extension_is_used(plainest: str) -> None:
    with smtp_sink(plainest) as server:
        assert outcomes(carry(server, count=20)) == {Outcome.ACCEPTED: 20}


@pytest.mark.parametrize(
    ("switch", "command", "outcome", "code"),
    [
        ("-f", "MAIL", Outcome.REJECTED, 500),
        ("-r", "MAIL", Outcome.DEFERRED, 450),
        ("-f", "RCPT", Outcome.REJECTED, 500),
        ("-r", "RCPT", Outcome.DEFERRED, 450),
        ("-f", "DATA", Outcome.REJECTED, 500),
        ("-r", ".", Outcome.DEFERRED, 450),
    ],
)
def test_each_message_gets_its_refusal_from_smtp_sink(
    switch: str, command: str, outcome: Outcome, code: int
) -> None:
    with smtp_sink(switch, command) as server:
        receipts = carry(server, count=10)
    assert outcomes(receipts) == {outcome: 10}
    assert {receipt.code for receipt in receipts.values()} == {code}


@pytest.mark.parametrize("switch", ["-q", "-Q"])
@pytest.mark.parametrize("command", ["EHLO", "MAIL", "RCPT", "DATA"])
def test_if_smtp_sink_hangs_up_early_nothing_is_sent_and_there_is_a_reason(switch: str, command: str) -> None:
    with smtp_sink(switch, command) as server, pytest.raises(TransportError):
        carry(server, count=5)


def test_if_smtp_sink_hangs_up_after_the_text_one_message_is_uncertain_each_time() -> None:
    receipts: list[Receipt] = []
    with smtp_sink("-q", ".") as server, contextlib.suppress(TransportError):
        receipts.extend(carry(server, count=5).values())
    assert {receipt.outcome for receipt in receipts} <= {Outcome.UNCERTAIN, Outcome.UNSENT}


@contextlib.contextmanager
def smtp_sink(*switches: str) -> Iterator[SmtpServer]:
    port = free_port()
    as_root = ["-u", "root"] * (os.getuid() == 0)  # without it, smtp-sink does not start as root
    command = ["/usr/sbin/smtp-sink", "-4", *as_root, *switches, f"127.0.0.1:{port}", "64"]
    with subprocess.Popen(command) as process:
        try:
            wait_for(port, process)
            yield SmtpServer(host="127.0.0.1", port=port, security=Security.NONE, connections=2, timeout=5)
        finally:
            process.terminate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
    raise AssertionError("smtp-sink did not start")
