"""Read what a mail server offers in its reply to EHLO, and log in with what it offers."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from digest.model.messages import Message
from digest.smtp.replies import Reply

_UNSAFE = re.compile(r"[\x00-\x20\x7f<>]").search


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """The service extensions that one server offers, as far as we use them."""

    pipelining: bool = False  # RFC 2920
    chunking: bool = False  # RFC 3030
    size: int | None = None  # RFC 1870: the most bytes that the server takes; None: not stated
    takes_size: bool = False  # MAIL may have SIZE=
    eight_bit: bool = False  # RFC 6152
    smtputf8: bool = False  # RFC 6531
    enhanced_codes: bool = False  # RFC 2034
    dsn: bool = False  # RFC 3461
    starttls: bool = False  # RFC 3207
    require_tls: bool = False  # RFC 8689
    auth: tuple[str, ...] = ()  # RFC 4954: mechanisms in capitals

    def __str__(self) -> str:
        names = {
            "PIPELINING": self.pipelining,
            "CHUNKING": self.chunking,
            f"SIZE {self.size}" if self.size else "SIZE": self.takes_size,
            "8BITMIME": self.eight_bit,
            "SMTPUTF8": self.smtputf8,
            "ENHANCEDSTATUSCODES": self.enhanced_codes,
            "DSN": self.dsn,
            "STARTTLS": self.starttls,
            "REQUIRETLS": self.require_tls,
            f"AUTH {' '.join(self.auth)}": bool(self.auth),
        }
        return ", ".join(name for name, offered in names.items() if offered) or "nothing"

    def fault_of(self, message: Message) -> tuple[int, str, str] | None:
        """Return why the server can never take a message (code, enhanced code, text), or None."""
        _, sender, recipient, _, size, plain = message
        path = f"{sender}{recipient}"
        if self.size and size > self.size:
            return 552, "5.3.4", f"the message has {size} bytes, but the server takes only {self.size}"
        if _UNSAFE(path):
            return 553, "5.1.3", "the address contains a character that would break the command"
        if not (path.isascii() or self.smtputf8):
            return 553, "5.6.7", "the address needs SMTPUTF8, which the server does not offer"
        if not (plain or self.eight_bit or message.data.isascii()):
            return 554, "5.6.3", "the message needs 8BITMIME, which the server does not offer"
        return None


def read_extensions(reply: Reply) -> Extensions:
    """Read the reply to EHLO; its first line is a greeting, and each other line names an extension."""
    offered: dict[str, list[str]] = {}
    for line in reply.lines[1:]:
        # Servers older than RFC 4954 write "AUTH=PLAIN".
        words = line.decode("ascii", "replace").upper().replace("AUTH=", "AUTH ", 1).split()
        if words:
            offered.setdefault(words[0], []).extend(words[1:])
    size = "".join(offered.get("SIZE", [])[:1])  # 0 means that there is no limit (RFC 1870)
    return Extensions(
        pipelining="PIPELINING" in offered,
        chunking="CHUNKING" in offered,
        size=int(size) or None if size.isascii() and size.isdigit() else None,
        takes_size="SIZE" in offered,
        eight_bit="8BITMIME" in offered,
        smtputf8="SMTPUTF8" in offered,
        enhanced_codes="ENHANCEDSTATUSCODES" in offered,
        dsn="DSN" in offered,
        starttls="STARTTLS" in offered,
        require_tls="REQUIRETLS" in offered,
        auth=tuple(dict.fromkeys(offered.get("AUTH", []))),
    )


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password (for XOAUTH2, an access token). Neither is ever shown."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Login(…)"

    def exchanges(self, offered: tuple[str, ...], *, first: str = "") -> list[tuple[str, tuple[bytes, ...]]]:
        """Return the mechanisms that we have and that are offered, best first, each with the lines to send.

        Each line is a step of the exchange, without CRLF. `first` is the mechanism that comes before others.
        """
        user, password = self.user.encode(), self.password.encode()
        token = b"user=" + user + b"\1auth=Bearer " + password + b"\1\1"
        ours = {
            "PLAIN": (b"AUTH PLAIN " + base64.b64encode(b"\0" + user + b"\0" + password),),
            "LOGIN": (b"AUTH LOGIN", base64.b64encode(user), base64.b64encode(password)),
            # If the login fails, the server sends the error in a 334, which we answer with an empty line.
            "XOAUTH2": (b"AUTH XOAUTH2 " + base64.b64encode(token), b""),
        }
        chosen = [(name, lines) for name, lines in ours.items() if name in offered]
        return sorted(chosen, key=lambda each: each[0] != first)
