"""What an operator reads when a mail server cannot be used: what is wrong, and what to do."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import replace

import pytest

from digest.errors import TransportError
from digest.model import Letter, Security, SmtpServer
from digest.send.faults import why_silent, why_unreached
from digest.send.smtp import State
from digest.send.transport import SmtpTransport, check_server
from tests.send.conftest import Certificates
from tests.send.reply_server import Fault, ReplyServer


def said(server: SmtpServer) -> str:
    """Return what a check says, having made sure that sending says the same."""
    with pytest.raises(TransportError) as checked:
        check_server(server)
    letter = Letter.whole(1, "daily@example.org", "ada@example.org", b"Subject: Hello\r\n\r\nHello.\r\n")
    with pytest.raises(TransportError) as sent:
        list(SmtpTransport([server]).carry(iter([[letter]])))
    assert str(sent.value) == str(checked.value)
    return str(checked.value)


def at(server: ReplyServer, security: Security = Security.NONE) -> SmtpServer:
    return SmtpServer(host="127.0.0.1", port=server.port, security=security, timeout=1)


def test_where_nothing_listens() -> None:
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
    assert "in ca_file under [mail] if it is your own" in text


def test_a_login_that_is_refused() -> None:
    with ReplyServer({"AUTH": ("535 5.7.8 wrong password",) * 9}, offers=("AUTH PLAIN",)) as server:
        text = said(replace(at(server), user="daily", password="tide"))
    assert text.endswith(
        "the login is refused: AUTH was answered with 535 5.7.8 wrong password;"
        " are user and password right in [mail]?"
    )
    assert "tide" not in text


def test_a_server_that_does_not_speak_first_may_want_tls() -> None:
    with ReplyServer({"GREETING": (Fault.HANG,) * 9}) as server:
        text = said(at(server))
    assert text.endswith(
        "no answer to the greeting in 0.5 seconds;"
        ' one that wants TLS from the first byte needs security = "tls"'
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
        (OSError(errno.ENETUNREACH, "Connect call failed"), "no way to that network"),
        (OSError(errno.EHOSTUNREACH, "Connect call failed"), "no firewall between"),
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
def test_each_error_is_told_in_plain_words(error: Exception, expected: str) -> None:
    text = why_unreached(error)
    assert expected in text
    assert "Errno" not in text
    assert "Connect call" not in text


def test_a_connection_that_does_not_come_about_says_where_to_look() -> None:
    text = why_silent(State.GREETING, 30, connected=False, security=Security.STARTTLS)
    assert text == "no connection in 30 seconds; is host right in [mail], and no firewall between?"
