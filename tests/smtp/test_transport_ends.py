"""The sender always comes to an end, even if a server stalls, breaks off or sends single bytes."""

from __future__ import annotations

import contextlib
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model.errors import TransportError
from digest.model.messages import Security, SmtpServer
from digest.smtp.relay import Timeouts
from digest.smtp.terms import Pace
from digest.smtp.transport import SmtpTransport, check_server
from tests.certificates import Certificates
from tests.smtp.reply_server import OFFERS, Answer, Fault, ReplyServer
from tests.smtp.test_transport import at, check_truth, groups, messages
from tests.smtp.test_transport_chaos import asked_and_answered

STEPS = (
    "GREETING",
    "EHLO",
    "STARTTLS",
    "HANDSHAKE",
    "AUTH",
    "MAIL",
    "RCPT",
    "RSET",
    "DATA",
    "BODY",
    "BDAT",
    "QUIT",
)
FAULTS = (
    Fault.DROP,
    Fault.HANG,
    Fault.RESET,
    Fault.TRICKLE,
    ("220 and then nothing", Fault.HANG),
    ("220 and then no more", Fault.RESET),
    (b"\x16\x03\x01\x40", Fault.HANG),
    (b"\x16\x03\x01\x40", Fault.RESET),
    (b"no TLS at all" * 9, Fault.DROP),
)


def account(server: ReplyServer, certificates: Certificates, security: Security) -> SmtpServer:
    return at(
        server,
        security=security,
        ca_file=certificates.ca_file,
        user="daily",
        password="tide",
        connections=2,
        timeout=0.3,
    )


def serving(
    table: dict[str, tuple[Answer | None, ...]], certificates: Certificates, security: Security
) -> ReplyServer:
    return ReplyServer(
        table,
        offers=(*OFFERS, "STARTTLS", "AUTH PLAIN"),
        context=certificates.context,
        tls_at_once=security is Security.TLS,
    )


SECURITY = st.sampled_from([Security.STARTTLS, Security.TLS])
TABLES = st.dictionaries(
    st.sampled_from(STEPS), st.lists(st.none() | st.sampled_from(FAULTS), min_size=1, max_size=9).map(tuple)
)


@given(table=TABLES, security=SECURITY, pace=st.sampled_from(Pace))
@settings(max_examples=40, deadline=None)
def test_every_message_has_a_receipt_and_the_run_ends_wherever_a_server_fails(
    certificates: Certificates, table: dict[str, tuple[Answer | None, ...]], security: Security, pace: Pace
) -> None:
    with serving(table, certificates, security) as server:
        transport = SmtpTransport(
            [account(server, certificates, security)],
            pace=pace,
            patience=Timeouts(tries=3, pause=0.001, text=1),
        )
        receipts = asked_and_answered(transport, count=20)
    check_truth(receipts, server)


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
@pytest.mark.parametrize("step", ["GREETING", "HANDSHAKE", "EHLO", "AUTH", "MAIL", "BDAT"])
def test_a_sender_can_stop_at_once_while_a_server_is_silent(
    certificates: Certificates, security: Security, step: str
) -> None:
    with serving({step: (Fault.HANG,) * 9}, certificates, security) as server:
        patient = at(
            server, security=security, ca_file=certificates.ca_file, user="daily", password="tide", timeout=60
        )
        with closing(SmtpTransport([patient]).carry(groups(messages(3), 3))) as carrying:
            assert next(carrying) == []


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
@pytest.mark.parametrize("step", ["GREETING", "STARTTLS", "HANDSHAKE", "AUTH"])
def test_a_check_of_a_server_that_fails_ends(
    certificates: Certificates, step: str, security: Security, fault: Answer
) -> None:
    with serving({step: (fault,) * 9}, certificates, security) as server, contextlib.suppress(TransportError):
        check_server(account(server, certificates, security))
