"""Say why a mail server cannot be used and what to do: what the operating system says is for programmers."""

from __future__ import annotations

import errno
import re
import socket
import ssl

from digest.model import Security
from digest.send.pipeline import Step
from digest.send.smtp import State

_ERRNO = re.compile(r"\[Errno (\d+)\]")
_WITH_PORTS = 'security = "tls" goes with port 465, "starttls" with 587'

# X.509 verification codes of OpenSSL (x509_vfy.h)
_EXPIRED, _OWN, _OWN_CHAIN, _NO_ISSUER, _OTHER_HOST, _OTHER_ADDRESS = 10, 18, 19, 20, 62, 64
_TO_TRUST = {
    _EXPIRED: "let it be renewed",
    _OWN: "name it in ca_file under [mail] if it is your own",
    _OWN_CHAIN: "name its authority in ca_file under [mail] if it is your own",
    _NO_ISSUER: "name its authority in ca_file under [mail] if it is your own",
    _OTHER_HOST: "let host under [mail] be a name it was made for",
    _OTHER_ADDRESS: "let host under [mail] be a name it was made for",
}

_UNREACHED = {
    errno.ECONNREFUSED: "nothing listens there; is the mail server running, and are host and port right in"
    " [mail]?",
    errno.ENETUNREACH: "there is no way to that network; is this machine connected?",
    errno.EHOSTUNREACH: "there is no way to that host; is host right in [mail], and no firewall between?",
    errno.ETIMEDOUT: "no answer; is host right in [mail], and no firewall between?",
    errno.ECONNRESET: f"the server hung up; {_WITH_PORTS}",
}


def why_unreached(error: Exception) -> str:
    """Say in a sentence why no connection, or no protected one, came about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = _TO_TRUST.get(error.verify_code, "")
        return f"its certificate is not trusted: {error.verify_message}{f'; {advice}' if advice else ''}"
    if isinstance(error, ssl.SSLError):
        return f"it does not speak TLS there as it should ({error.args[-1]}); {_WITH_PORTS}"
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return "its name cannot be looked up at present; is this machine's DNS reachable?"
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return "no host has that name; is host right in [mail]?"
    return next((_UNREACHED[number] for number in _numbers(error) if number in _UNREACHED), _plain(error))


def why_silent(waits_for: State | Step | None, seconds: float, *, connected: bool, security: Security) -> str:
    """Say in a sentence what did not come within a time."""
    if not connected:
        return f"no connection in {seconds:g} seconds; is host right in [mail], and no firewall between?"
    text = f"no answer to {waits_for} in {seconds:g} seconds"
    at_first = waits_for is State.GREETING and security is not Security.TLS
    return f'{text}; one that wants TLS from the first byte needs security = "tls"' if at_first else text


def _numbers(error: Exception) -> tuple[int, ...]:
    """Return the numbers of an error; one of several addresses has them only in its text."""
    own = (error.errno,) if isinstance(error, OSError) and error.errno else ()
    return own or tuple(int(number) for number in _ERRNO.findall(str(error)))


def _plain(error: Exception) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or str(error) or "no answer in time"
