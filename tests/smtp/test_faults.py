"""When a mail server cannot be used, the operator reads the reason, and what to do."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import replace

import pytest

from digest.model.errors import TransportError
from digest.model.messages import Message, Security, SmtpServer
from digest.smtp.conversation import State
from digest.smtp.faults import why_silent, why_unreached
from digest.smtp.transport import SmtpTransport, check_server
from tests.certificates import Certificates
from tests.smtp.reply_server import Fault, ReplyServer


def said(server: SmtpServer) -> str:
    """Return the error of a check, after making sure that sending raises the same error."""
    with pytest.raises(TransportError) as checked:
        check_server(server)
    message = Message.whole(1, "daily@example.org", "ada@example.org", b"Subject: Hello\r\n\r\nHello.\r\n")
    with pytest.raises(TransportError) as sent:
        list(SmtpTransport([server]).carry(iter([[message]])))
    assert str(sent.value) == str(checked.value)
    return str(checked.value)


def at(server: ReplyServer, security: Security = Security.NONE) -> SmtpServer:
    return SmtpServer(host="127.0.0.1", port=server.port, security=security, timeout=1)


def test_nothing_listens_there() -> None:
    with ReplyServer() as gone:
        pass
    assert said(at(gone)) == (
        f"127.0.0.1:{gone.port}: cannot connect: nothing listens there; is the mail server running, and"
        " are host and port right in [mail]?"
    )


def test_a_certificate_that_is_not_trusted(certificates: Certificates) -> None:
    with ReplyServer(offers=("STARTTLS",), context=certificates.context) as server:
        text = said(at(server, Security.STARTTLS))
    assert "its certificate is not trusted: " in text
    assert "if it is your own, set ca_file in [mail]" in text


def test_a_login_that_is_refused() -> None:
    with ReplyServer({"AUTH": ("535 5.7.8 wrong password",) * 9}, offers=("AUTH PLAIN",)) as server:
        text = said(replace(at(server), user="daily", password="tide"))
    assert text.endswith(
        "the login was refused: AUTH was answered with 535 5.7.8 wrong password;"
        " are user and password right in [mail]?"
    )
    assert "tide" not in text


def test_a_server_that_does_not_speak_first_may_want_tls() -> None:
    with ReplyServer({"GREETING": (Fault.HANG,) * 9}) as server:
        text = said(at(server))
    assert text.endswith(
        'no answer to the greeting in 0.5 seconds; a server that expects TLS at once needs security = "tls"'
    )


def test_a_server_without_tls_where_tls_is_asked_for() -> None:
    with ReplyServer() as server:
        assert 'security = "tls" goes with port 465, "starttls" with 587' in said(at(server, Security.TLS))


_REFUSED = "[Errno 111] Connect call failed"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('::1', 25)"), "nothing listens"),
        (
            OSError(f"Multiple exceptions: {_REFUSED} ('::1', 25, 0, 0), {_REFUSED} ('127.0.0.1', 25)"),
            "nothing",
        ),
        (OSError(errno.ENETUNREACH, "Connect call failed"), "the network cannot be reached"),
        (OSError(errno.EHOSTUNREACH, "Connect call failed"), "is there a firewall?"),
        (TimeoutError(errno.ETIMEDOUT, "Connect call failed"), "no answer; is host right"),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "no host has that name; is host right",
        ),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "DNS reachable"),
        (UnicodeError("label too long"), "no host has that name"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "goes with port 465"),
        (OSError(errno.EACCES, "Permission denied"), "Permission denied"),
        (TimeoutError(), "no answer in time"),
    ],
)
def test_each_error_is_explained_in_plain_words(error: Exception, expected: str) -> None:
    text = why_unreached(error)
    assert expected in text
    assert "Errno" not in text
    assert "Connect call" not in text


def test_a_connection_that_fails_says_what_to_check() -> None:
    text = why_silent(State.GREETING, 30, connected=False, security=Security.STARTTLS)
    assert text == "no connection in 30 seconds; is host right in [mail], and is there a firewall?"
