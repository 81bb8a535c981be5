"""Hold one conversation with a mail server, without I/O: bytes in, events and bytes to write out.

The design follows h11. The owner of the socket does this, and nothing else:

    conversation = Conversation(terms)
    each time bytes come:      for event in conversation.receive_data(bytes): …
    when the server hangs up:  for event in conversation.receive_eof(): …
    when it is silent too long: for event in conversation.abandon("…"): …
    while conversation.room:   conversation.send(message)
    after each of these:       write conversation.data_to_send(), in one write

Every message comes back exactly once: in a `Receipt`, or in a `Returned`. `_ON_REPLY` at the end of this
module says what happens before and after the messages; `pipeline` handles the messages themselves.

    state      we have sent      2xx           3xx     4xx         5xx
    GREETING   nothing yet       send EHLO     –       give up     give up
    EHLO       EHLO              continue (*)  –       give up     send HELO
    HELO       HELO              continue (*)  –       give up     give up
    STARTTLS   STARTTLS          HANDSHAKE     –       give up     give up for good
    HANDSHAKE  (TLS begins)      –             –       –           –
    AUTH       AUTH              READY         answer  give up     try the next login that is offered,
                                                                   else give up for good
    READY      nothing, messages –             –       give up     give up             (**)
    NOOP       NOOP              READY         –       READY       READY
    QUIT       QUIT              CLOSED        –       CLOSED      CLOSED

(*) STARTTLS if it is configured and not done yet, else AUTH if there is a login, else READY.
(**) After a few refused messages on one connection, or as many messages as the server takes in a session, we
send QUIT, and another connection is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from digest.model.messages import Message, Receipt
from digest.smtp.extensions import Extensions, Login, read_extensions
from digest.smtp.pipeline import Pipeline, Returned, Step, Verdict
from digest.smtp.replies import BadReplyError, Reply, ReplyReader
from digest.smtp.terms import Pace, SessionTerms
from subscribers.rules.answers import Answer, Answered


class State(StrEnum):
    """The state of a conversation; see the table at the top of the module."""

    GREETING = "the greeting"
    EHLO = "EHLO"
    HELO = "HELO"
    STARTTLS = "STARTTLS"
    HANDSHAKE = "the TLS handshake"
    AUTH = "AUTH"
    READY = "nothing"
    NOOP = "NOOP"
    QUIT = "QUIT"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class StartTls:
    """Begin the TLS handshake now, then call `tls_started`."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Messages may be sent, at this pace."""

    extensions: Extensions
    pace: Pace


@dataclass(frozen=True, slots=True)
class Closed:
    """The conversation is over; close the socket. `verdict` is None if nothing but our QUIT ended it."""

    verdict: Verdict | None


Event = StartTls | Ready | Receipt | Returned | Closed


class Conversation:
    """One conversation, from the server's greeting to the end; see the top of the module."""

    def __init__(self, terms: SessionTerms) -> None:
        self.state = State.GREETING
        self.greeting = ""
        self.extensions = Extensions()
        self._terms = terms
        self._protected = terms.protected
        self.mechanism = ""  # the login in use
        self._logins: list[tuple[str, tuple[bytes, ...]]] = []  # that are offered and not tried yet
        self._answers: list[bytes] = []  # remaining lines of an AUTH exchange
        self._login_refusal: Reply | None = None
        self._reader = ReplyReader()
        self._out: list[bytes] = []
        self._events: list[Event] = []
        self._pipeline = Pipeline(self.extensions, self._out, terms)

    # ── what the owner of the socket calls ──────────────────────────────────────────────────

    @property
    def room(self) -> int:
        """Return how many messages may be sent now."""
        return self._pipeline.room if self.state is State.READY else 0

    @property
    def on_wire(self) -> int:
        """Return how many messages have no answer yet."""
        return len(self._pipeline.open)

    @property
    def waits_for(self) -> State | Step | None:
        """Return what the next reply will answer; None if no command is waiting for a reply."""
        if self.state in (State.READY, State.CLOSED):
            return self._pipeline.step
        return self.state

    @property
    def hears_half(self) -> bool:
        """Tell whether part of a reply has arrived, without its end."""
        return self._reader.pending

    def send(self, message: Message) -> Receipt | None:
        """Start to send a message; call this only while there is `room`.

        Returns a receipt at once, and writes nothing, if this server can never take the message: because it
        is larger than the server's SIZE (552), because an address would break the command (553), or because
        it needs an extension that the server does not offer (553, 554). The code is then ours, not the
        server's.
        """
        return self._pipeline.start(message)

    def receive_data(self, data: bytes) -> list[Event]:
        """Take bytes as they arrive, cut anywhere, and return the events they cause."""
        try:
            for reply in self._reader.feed(data):
                if not self._pipeline.open:
                    self._turn(reply)
                elif event := self._pipeline.answer(reply):
                    self._hand_on(event)
            # Bytes that were injected before TLS would otherwise be read as replies under TLS.
            if self.state is State.HANDSHAKE and self._reader.pending:
                raise BadReplyError("bytes came between STARTTLS and TLS")
        except BadReplyError as error:
            injected = self.state is State.HANDSHAKE
            self._break_off("bytes came between STARTTLS and TLS" if injected else str(error))
        return self._take_events()

    def receive_eof(self, unwritten: int = 0) -> list[Event]:
        """Handle the end of the server's bytes; `unwritten` is the number of bytes that never left."""
        self._break_off(f"the server hung up while we waited for {self._asked}", unwritten, closed=True)
        return self._take_events()

    def abandon(self, reason: str, unwritten: int = 0, *, lasting: bool = False) -> list[Event]:
        """Give up the connection from our side; messages on the wire without an answer are uncertain."""
        self._break_off(reason, unwritten, lasting=lasting)
        return self._take_events()

    def tls_started(self) -> None:
        """Continue after the TLS handshake; everything said before it is forgotten (RFC 3207 §4.2)."""
        self._protected = True
        self.extensions = Extensions()
        self._say(f"EHLO {self._terms.ehlo_name}", State.EHLO)

    def noop(self) -> None:
        """Send NOOP to check the connection; `Ready` follows when the server answers."""
        self._say("NOOP", State.NOOP)

    def quit(self) -> None:
        """Send QUIT; call this only when no message is in flight."""
        self._say("QUIT", State.QUIT)

    def data_to_send(self) -> bytes:
        """Return the bytes to write and forget them; write them in this order, in one write."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # ── what a reply does; called through the table ─────────────────────────────────────────

    def _turn(self, reply: Reply) -> None:
        action = _ON_REPLY[self.state].get(reply.code // 100)
        if action is None:
            raise BadReplyError(f"{reply.code} came while we waited for {self._asked}")
        action(self, reply)

    def _hand_on(self, event: Receipt | Returned) -> None:
        self._events.append(event)
        if not self._pipeline.open:
            if self._pipeline.verdict and not self._pipeline.verdict.is_over:
                self._close(self._pipeline.verdict)
            elif self._pipeline.verdict or self._pipeline.used_up:
                self.quit()

    def _greet(self, reply: Reply) -> None:
        self.greeting = reply.text
        self._say(f"EHLO {self._terms.ehlo_name}", State.EHLO)

    def _say_helo(self, _: Reply) -> None:
        self._say(f"HELO {self._terms.ehlo_name}", State.HELO)

    def _learn(self, reply: Reply) -> None:
        if self.state is State.EHLO:
            self.extensions = read_extensions(reply)
        if self._terms.starttls and not self._protected:
            if self.extensions.starttls:
                self._say("STARTTLS", State.STARTTLS)
            else:
                self._give_up_for_good(
                    "STARTTLS is configured, but the server does not offer it; is port right in [mail]?"
                )
        elif self._terms.login:
            self._log_in(self._terms.login)
        else:
            self._be_ready(reply)

    def _handshake(self, _: Reply) -> None:
        self.state = State.HANDSHAKE
        self._events.append(StartTls())

    def _log_in(self, login: Login) -> None:
        if not (self._protected or self._terms.login_in_clear):
            self._give_up_for_good(
                'a password is not sent over a connection without TLS; set security to "starttls" or "tls"'
            )
            return
        self._logins = login.exchanges(self.extensions.auth, first=self._terms.mechanism)
        if not self._logins:
            offered = " ".join(self.extensions.auth) or "none at all"
            self._give_up_for_good(
                f"the server does not offer a login by PLAIN, LOGIN or XOAUTH2 (it offers {offered})"
            )
            return
        self._try_login()

    def _try_login(self) -> None:
        self.mechanism, lines = self._logins.pop(0)
        self._answers = list(lines)
        self.state = State.AUTH
        self._answer_challenge()

    def _refuse_login(self, reply: Reply) -> None:
        """Try the next login that is offered: a server may offer one that it does not support."""
        # Of several refusals, the one of the password says most.
        if self._login_refusal is None or reply.code == _WRONG_PASSWORD:
            self._login_refusal = reply
        if self._logins:
            self._try_login()
        else:
            self._give_up_login(self._login_refusal)

    def _give_up_login(self, reply: Reply) -> None:
        said = f"the login was refused: AUTH was answered with {reply}"
        self._give_up_for_good(f"{said}; are user and password right in [mail]?")

    def _answer_challenge(self, _: Reply | None = None) -> None:
        # If the server asks more questions than the exchange has, a star cancels it (RFC 4954 §4).
        self._out.append((self._answers.pop(0) if self._answers else b"*") + b"\r\n")

    def _be_ready(self, _: Reply) -> None:
        terms, self._login_refusal = self._terms, None
        if terms.require_tls and not (self._protected and self.extensions.require_tls):
            self._give_up_for_good("REQUIRETLS is configured, but the server does not offer it")
            return
        self._pipeline = Pipeline(self.extensions, self._out, terms)
        self._still_ready(None)

    def _still_ready(self, _: Reply | None) -> None:
        self.state = State.READY
        self._events.append(Ready(self.extensions, self._pipeline.pace))

    def _give_up(self, reply: Reply) -> None:
        if self._login_refusal:  # after a refused login, a server may end the connection instead of answering
            self._give_up_login(self._login_refusal)
            return
        answered = Answered.LOGIN if self.state is State.AUTH else Answered.CONNECTION
        answer = Answer(
            step=answered,
            code=reply.code,
            status=reply.enhanced or "",
            text=reply.text,
            accepted=self._pipeline.accepted,
        )
        cause = self._terms.standing.judge(answer, "")
        self._close(Verdict(reason=f"{self._asked} was answered with {reply}", cause=cause, code=reply.code))

    def _refuse_for_good(self, reply: Reply) -> None:
        self._give_up_for_good(f"{self._asked} was answered with {reply}")

    def _end(self, _: Reply) -> None:
        self._close(self._pipeline.verdict)

    # ── ends ────────────────────────────────────────────────────────────────────────────────

    @property
    def _asked(self) -> str:
        return str(self.waits_for or "messages")

    def _say(self, command: str, state: State) -> None:
        self._out.append(f"{command}\r\n".encode())
        self.state = state

    def _give_up_for_good(self, reason: str) -> None:
        self._close(Verdict(reason=reason, lasting=True))

    def _break_off(
        self, reason: str, unwritten: int = 0, *, closed: bool = False, lasting: bool = False
    ) -> None:
        if self.state is State.CLOSED:
            return
        if self.state is State.AUTH and self._login_refusal:
            self._give_up_login(self._login_refusal)
            return
        pipeline = self._pipeline
        # A server that breaks off before it has accepted anything at this pace may not support the pace.
        unproven = pipeline.step is not None and not pipeline.proven and pipeline.pace > Pace.LOCKSTEP
        slower = Pace(pipeline.pace - 1) if unproven else None
        verdict = pipeline.verdict or Verdict(reason=reason, lasting=lasting, slower=slower)
        self._events += pipeline.settle(reason, unwritten=unwritten, closed=closed)
        self._close(verdict)

    def _close(self, verdict: Verdict | None) -> None:
        self.state = State.CLOSED
        self._out.clear()
        self._events.append(Closed(verdict))

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events


_WRONG_PASSWORD = 535  # RFC 4954 §6

_Action = Callable[[Conversation, Reply], None]
_ON_REPLY: dict[State, dict[int, _Action]] = {
    State.GREETING: {2: Conversation._greet, 4: Conversation._give_up, 5: Conversation._give_up},
    State.EHLO: {2: Conversation._learn, 4: Conversation._give_up, 5: Conversation._say_helo},
    State.HELO: {2: Conversation._learn, 4: Conversation._give_up, 5: Conversation._give_up},
    State.STARTTLS: {2: Conversation._handshake, 4: Conversation._give_up, 5: Conversation._refuse_for_good},
    State.HANDSHAKE: {},
    State.AUTH: {
        2: Conversation._be_ready,
        3: Conversation._answer_challenge,
        4: Conversation._give_up,
        5: Conversation._refuse_login,
    },
    # A server may end an idle connection, usually with a 421.
    State.READY: {4: Conversation._give_up, 5: Conversation._give_up},
    # Any reply to NOOP shows that the server is there, and any reply to QUIT ends the connection.
    State.NOOP: {2: Conversation._still_ready, 4: Conversation._still_ready, 5: Conversation._still_ready},
    State.QUIT: {2: Conversation._end, 4: Conversation._end, 5: Conversation._end},
    State.CLOSED: {},
}
