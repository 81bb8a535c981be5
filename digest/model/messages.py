"""Describe mail servers, emails, messages, receipts and the transport as frozen values and a protocol."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from subscribers.rules.answers import Answer, Answered, Cause, cause_of, status_in

# ── mail servers ────────────────────────────────────────────────────────────────────────────


class Security(StrEnum):
    """How the connection to a mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """A mail server that takes our messages. `password` is never shown."""

    host: str
    port: int = 587
    security: Security = Security.STARTTLS
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None  # certificates to trust, besides the system's authorities
    connections: int = 4
    timeout: float = 60.0  # seconds a server may be silent
    weight: int | None = None  # its share of the messages; None: as many as it can take
    require_tls: bool = False  # RFC 8689: it must pass our messages on over TLS only, or bounce them

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port}, {self.security})"


# ── emails and messages ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """An edition rendered for one choice of topics; the reader's fields are still placeholders.

    HTML and text are cut into pieces, between lines. Emails for other choices share pieces, which are then
    the same strings. An email with only text has no pieces of HTML.
    """

    subject: str
    preheader: str
    html_pieces: tuple[str, ...]
    text_pieces: tuple[str, ...]
    languages: tuple[str, ...] = ()  # tags (BCP 47) for Content-Language (RFC 3282)

    @classmethod
    def whole(
        cls, *, subject: str, preheader: str = "", html: str, text: str, languages: tuple[str, ...] = ()
    ) -> Email:
        """Return an email of one piece; if `html` is empty, the email has only text."""
        return cls(
            subject=subject,
            preheader=preheader,
            html_pieces=(html,) if html else (),
            text_pieces=(text,),
            languages=languages,
        )

    @property
    def html(self) -> str:
        """Return the HTML part; empty if there is none."""
        return "".join(self.html_pieces)

    @property
    def text(self) -> str:
        """Return the plain-text part."""
        return "".join(self.text_pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderLinks:
    """The links of one reader, or their placeholders."""

    unsubscribe: str
    preferences: str
    subscribe: str | None = None  # the sign-up form of the digest, for those to whom the email is forwarded


class Message(NamedTuple):
    """One message that is ready to be sent.

    The `parts` (`size` bytes together) are a whole RFC 5322 message: CRLF line ends, 7-bit, lines of at most
    998 bytes, ending in CRLF, not dot-stuffed. Most parts are the same bytes objects in every message of an
    edition, and are not copied before they are written. `key` comes back in the receipt and means nothing to
    a transport. `plain` promises that all bytes are ASCII and no line begins with a dot; without this
    promise, a transport checks the bytes itself.
    """

    key: int
    sender: str  # envelope: MAIL FROM
    recipient: str  # envelope: RCPT TO
    parts: tuple[bytes, ...]
    size: int
    plain: bool = False

    @classmethod
    def whole(cls, key: int, sender: str, recipient: str, data: bytes) -> Message:
        """Return a message of one part, which it shares with no other message."""
        return cls(key, sender, recipient, (data,), len(data))

    @property
    def data(self) -> bytes:
        """Return the whole message."""
        return b"".join(self.parts)


class Outcome(StrEnum):
    """The outcome of a message that was handed to a transport."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"  # the server asked us to try later (4xx)
    REJECTED = "rejected"  # the server refused it for good (5xx)
    UNCERTAIN = "uncertain"  # on the wire when the connection broke; it may or may not have arrived
    UNSENT = "unsent"  # no server accepted any of it, so it is safe to hand it over again


class Receipt(NamedTuple):
    """The mail server's answer for one message. `reply` is one line, without control characters."""

    key: int
    outcome: Outcome
    code: int | None = None  # RFC 5321 reply code
    enhanced: str | None = None  # RFC 3463: "5.1.1"
    reply: str = ""
    answered: Answered | None = None  # None: nothing was refused, or the transport does not know

    @property
    def cause(self) -> Cause:
        """Return why the message was not accepted, by this answer alone."""
        status = self.enhanced or status_in(self.reply)
        return cause_of(Answer(step=self.answered, code=self.code, status=status, text=self.reply))


class Transport(Protocol):
    """A way to send messages: it takes messages and yields receipts, in any order."""

    def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
        """Send every message of every group, and yield exactly one receipt for each message.

        The next group is asked for only when its messages can go on the wire at once. So only messages that
        were asked for and are not answered yet can be uncertain. An empty group means that there is nothing
        to send now, and that the transport should ask again soon. When `groups` ends, the transport waits
        for the remaining answers. While there are none, it yields an empty list about once a second, so that
        the caller can give up and close the generator. Raises TransportError when no message can be sent
        until an operator changes something.
        """
        ...
