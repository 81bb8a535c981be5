"""Explain to operators why a mail server cannot be used, and what to do, in place of system error texts."""

from __future__ import annotations

import errno
import re
import socket
import ssl

from digest.model.messages import Security
from digest.smtp.conversation import State
from digest.smtp.pipeline import Step

_ERRNO = re.compile(r"\[Errno (\d+)\]")
_WITH_PORTS = 'security = "tls" goes with port 465, "starttls" with 587'

# X.509 verification codes of OpenSSL (x509_vfy.h)
_EXPIRED, _OWN, _OWN_CHAIN, _NO_ISSUER, _OTHER_HOST, _OTHER_ADDRESS = 10, 18, 19, 20, 62, 64
_TO_TRUST = {
    _EXPIRED: "it must be renewed",
    _OWN: "if it is your own, set ca_file in [mail] to its file",
    _OWN_CHAIN: "if it is your own, set ca_file in [mail] to the file of its authority",
    _NO_ISSUER: "if it is your own, set ca_file in [mail] to the file of its authority",
    _OTHER_HOST: "set host in [mail] to a name in the certificate",
    _OTHER_ADDRESS: "set host in [mail] to a name in the certificate",
}

_UNREACHED = {
    errno.ECONNREFUSED: "nothing listens there; is the mail server running, and are host and port right in"
    " [mail]?",
    errno.ENETUNREACH: "the network cannot be reached; is this machine connected?",
    errno.EHOSTUNREACH: "the host cannot be reached; is host right in [mail], and is there a firewall?",
    errno.ETIMEDOUT: "no answer; is host right in [mail], and is there a firewall?",
    errno.ECONNRESET: f"the server hung up; {_WITH_PORTS}",
}


def why_unreached(error: Exception) -> str:
    """Return a phrase that says why a connection, or its TLS, could not be established."""
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = _TO_TRUST.get(error.verify_code, "")
        return f"its certificate is not trusted: {error.verify_message}{f'; {advice}' if advice else ''}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.args[-1]}); {_WITH_PORTS}"
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return "its name cannot be looked up at present; is this machine's DNS reachable?"
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return "no host has that name; is host right in [mail]?"
    return next((_UNREACHED[number] for number in _numbers(error) if number in _UNREACHED), _plain(error))


def why_silent(waits_for: State | Step | None, seconds: float, *, connected: bool, security: Security) -> str:
    """Return a phrase that says what the server did not do within a time."""
    if not connected:
        return f"no connection in {seconds:g} seconds; is host right in [mail], and is there a firewall?"
    text = f"no answer to {waits_for} in {seconds:g} seconds"
    at_first = waits_for is State.GREETING and security is not Security.TLS
    return f'{text}; a server that expects TLS at once needs security = "tls"' if at_first else text


def _numbers(error: Exception) -> tuple[int, ...]:
    """Return the error numbers of an error; an error about several addresses has them only in its text."""
    own = (error.errno,) if isinstance(error, OSError) and error.errno else ()
    return own or tuple(int(number) for number in _ERRNO.findall(str(error)))


def _plain(error: Exception) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or str(error) or "no answer in time"
