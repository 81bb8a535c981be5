"""Settle on the terms of a session with a mail server, before anything is said."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field
from enum import IntEnum

from digest.model.messages import Security, SmtpServer
from digest.smtp.extensions import Login
from digest.smtp.standing import Standing


class Pace(IntEnum):
    """How far we run ahead of the server's replies; see the top of `digest.smtp.pipeline`."""

    LOCKSTEP = 1
    PIPELINING = 2
    CHUNKING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTerms:
    """The terms of a conversation with a server."""

    ehlo_name: str
    starttls: bool = False  # use STARTTLS before anything but EHLO
    protected: bool = False  # TLS from the first byte
    login: Login | None = None
    login_in_clear: bool = False  # allow a login on a connection without TLS
    require_tls: bool = False  # RFC 8689: every server after this one must use TLS too
    pace: Pace = Pace.CHUNKING  # the fastest pace to use
    in_flight: int = 8  # messages in flight, when CHUNKING is offered
    mechanism: str = ""  # the login that the server has accepted before, to be tried first
    most: int | None = None  # messages that the server takes on one connection, if this is known
    standing: Standing = field(default_factory=Standing, compare=False)


def terms_for(server: SmtpServer, ehlo_name: str | None, *, pace: Pace, in_flight: int) -> SessionTerms:
    """Return the terms of a conversation with a configured server."""
    login = Login(server.user, server.password or "") if server.user else None
    return SessionTerms(
        ehlo_name=ehlo_name or _own_name(),
        starttls=server.security is Security.STARTTLS,
        protected=server.security is Security.TLS,
        login=login,
        login_in_clear=server.security is Security.NONE and _is_loopback(server.host),
        require_tls=server.require_tls,
        pace=pace,
        in_flight=in_flight,
    )


def _own_name() -> str:
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"  # RFC 5321 §4.1.3: an address if there is no full name


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
