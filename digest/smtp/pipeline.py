"""Send messages over one SMTP connection: write their commands, and match each reply with its message.

Replies do not say what they answer; they come in the order of the commands. So each reply belongs to the
oldest unfinished message, and to the step of that message. `_ON_REPLY` at the end of this module says what
to do for each step and first digit of the reply. At an empty cell the server is out of step with us, and
the connection ends.

    step   meaning                     2xx      3xx        4xx, 5xx
    RSET   forget the last message     onward   –          ignore
    MAIL   the sender                  onward   –          refuse
    RCPT   the recipient               onward   –          refuse
    DATA   may the text come?          –        go ahead   refuse
    BODY   the text and a dot          accept   –          refuse
    BDAT   the text, with its length   accept   –          refuse
    DOT    only a dot                  finish   –          finish

The pace says how far we run ahead of the replies; " · " means that we wait for replies:

    LOCKSTEP     MAIL · RCPT · DATA · text
    PIPELINING   MAIL RCPT DATA · text MAIL RCPT DATA · text MAIL RCPT DATA …          (RFC 2920)
    CHUNKING     MAIL RCPT BDAT text · RSET MAIL RCPT BDAT text RSET MAIL RCPT BDAT text …   (RFC 3030)

With CHUNKING, the next messages are written before we know whether the server takes this message's
recipient. If it does not, its transaction stays open, and the next recipient would be added to it. So an
RSET comes before each message. With DATA, a server that answers one command twice is noticed at the 354;
with BDAT there is no 354, so this is not noticed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from digest.model.messages import Message, Outcome, Receipt
from digest.smtp.extensions import Extensions
from digest.smtp.replies import BadReplyError, Reply
from digest.smtp.terms import Pace, SessionTerms
from subscribers.rules.answers import OURS, PASSING, Answer, Answered, Cause


class Step(StrEnum):
    """The command of a message that the next reply answers."""

    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    BODY = "the end of the data"
    BDAT = "BDAT"
    DOT = "a lone dot"


@dataclass(frozen=True, slots=True)
class Returned:
    """A message of which no server has accepted anything, so it may be handed over again."""

    message: Message
    reason: str
    code: int | None = None
    blamed: bool = True  # the connection ended at this message; False: at a message before it
    cause: Cause | None = None  # of the answer that returned it; None: there was no such answer
    receipt: Receipt | None = None  # of that answer, for when no server is left to hand the message to


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The reason why no further message may go on this connection."""

    reason: str
    lasting: bool = False  # trying again is useless until an operator changes something
    slower: Pace | None = None  # the server does not support what it offers: use this pace with it
    announced: bool = False  # the server announced the end, so it has not read what it did not answer
    cause: Cause | None = None  # of the answer that ended the connection; None: there was no answer
    code: int | None = None  # of that answer

    @property
    def is_over(self) -> bool:
        """Tell whether the session is over although nothing is broken, so that QUIT can still be said."""
        return self.cause in (Cause.SESSION, Cause.CONNECTIONS) and not self.announced


class _Transaction:
    """One message in flight. `end` is the position after its last byte in all we write; 0: not written."""

    __slots__ = ("answered", "cause", "end", "message", "refusal", "step", "unsaid")

    def __init__(self, message: Message, step: Step) -> None:
        self.message = message
        self.step = step
        self.unsaid: list[bytes] = []  # commands held back until the command before them is answered
        self.refusal: Reply | None = None  # the first refusal; later refusals only follow from it
        self.answered: Answered | None = None  # the part that was refused first
        self.cause: Cause | None = None  # if the refusal is not about the message, and so returns it
        self.end = 0


class Pipeline:
    """The messages in flight, oldest first. It appends the bytes to write to `out`, and does no I/O."""

    def __init__(self, extensions: Extensions, out: list[bytes], terms: SessionTerms) -> None:
        self.pace = min(terms.pace, _fastest(extensions))
        self.proven = False  # the server has accepted a message at this pace
        self.verdict: Verdict | None = None
        self.open: deque[_Transaction] = deque()  # messages in flight, oldest first
        self._extensions = extensions
        self._in_flight = terms.in_flight
        # RET=HDRS: a bounce need not return the whole text (RFC 3461 §4.3).
        self._parameters = " RET=HDRS" * extensions.dsn + " REQUIRETLS" * terms.require_tls
        self._text_step = Step.BDAT if self.pace is Pace.CHUNKING else Step.DATA
        self._unclean = False  # the transaction of a refused message may still be open at the server
        self._refused = 0
        self._started = 0  # messages, at most `most`
        self.accepted = 0  # messages
        self._most = terms.most
        self._standing = terms.standing
        self._out = out
        self._appended = 0  # bytes, since the first message

    @property
    def room(self) -> int:
        """Return how many messages may be started now."""
        if self.verdict or self.used_up:
            return 0
        if self.pace is Pace.CHUNKING:
            # The first message goes alone. If the server does not count the bytes of BDAT correctly, only
            # this message is affected.
            room = (self._in_flight if self.proven else 1) - len(self.open)
            return room if self._most is None else min(room, self._most - self._started)
        if not self.open:
            return 1
        # With PIPELINING, the next commands are written with the text of the message before them.
        return int(self.pace is Pace.PIPELINING and self.open[-1].step is Step.BODY)

    @property
    def used_up(self) -> bool:
        """Tell whether this connection has had its share of messages, accepted or refused."""
        # Exim ends a connection after ten RSETs that followed no message, and Postfix after twenty errors.
        # Messages in flight then become uncertain, and so do those whose replies we have not read yet.
        return self._refused >= _MOST_REFUSED or (self._most is not None and self._started >= self._most)

    @property
    def step(self) -> Step | None:
        """Return the command that the next reply answers; None if no message is in flight."""
        return self.open[0].step if self.open else None

    def start(self, message: Message) -> Receipt | None:
        """Start a message; return a receipt and write nothing if the server can never take the message."""
        fault = self._extensions.fault_of(message)
        if fault:
            code, enhanced, text = fault
            return Receipt(message.key, Outcome.REJECTED, code, enhanced, f"not sent: {text}")
        self._started += 1
        reset = self._unclean or (self.pace is Pace.CHUNKING and bool(self.open))
        commands = self._commands(message, reset=reset)
        transaction = _Transaction(message, Step.RSET if reset else Step.MAIL)
        self.open.append(transaction)
        self._unclean = False
        if self.pace is Pace.LOCKSTEP:
            commands, *transaction.unsaid = commands.splitlines(keepends=True)
        self._write(commands)
        if self.pace is Pace.CHUNKING:
            self._write_text(message)
            transaction.end = self._appended
        return None

    def answer(self, reply: Reply) -> Receipt | Returned | None:
        """Give a reply to the oldest message; return the outcome if this was the message's last reply.

        Raises BadReplyError when the server is out of step.
        """
        if self.verdict:
            # The server announced the end with a 421 and still goes on. So it may have read messages that it
            # does not answer any more.
            self.verdict = replace(self.verdict, announced=False)
        transaction = self.open[0]
        action = _ON_REPLY[transaction.step].get(reply.kind)
        if action is None:
            raise BadReplyError(f"{reply.code} is no answer to {transaction.step}")
        return action(self, transaction, reply)

    def settle(self, reason: str, *, unwritten: int, closed: bool) -> Iterator[Receipt | Returned]:
        """Yield the outcome of every message in flight after the connection has ended.

        `unwritten` is the number of bytes at the end that never left; `closed` says that the server closed
        the connection.
        """
        written = self._appended - unwritten - sum(map(len, self._out))
        announced = self.verdict is not None and self.verdict.announced
        blamed = not announced  # a 421 was a reply to another message
        while self.open:
            transaction = self.open[0]
            if transaction.refusal:
                yield self._finish(transaction, transaction.refusal)
                continue
            self.open.popleft()
            # No server accepts a text without its end. So a message is uncertain only if its last byte may
            # have left, and if the server did not announce that it would not read it.
            if 0 < transaction.end <= written and not (closed and announced):
                yield Receipt(transaction.message.key, Outcome.UNCERTAIN, reply=reason)
            else:
                yield Returned(transaction.message, reason, blamed=blamed)
            blamed = False

    # ── what a reply does; called through the table ─────────────────────────────────────────

    def _onward(self, transaction: _Transaction, _: Reply) -> None:
        if transaction.refusal and transaction.step is Step.RCPT:
            # A server that takes the recipient has not refused the sender. It would take the text too, and
            # the reader would get the message twice.
            transaction.refusal = transaction.answered = transaction.cause = None
        transaction.step = _NEXT.get(transaction.step, self._text_step)
        if transaction.unsaid:
            self._write(transaction.unsaid.pop(0))

    def _ignore(self, transaction: _Transaction, reply: Reply) -> None:
        """Continue, because a refused RSET says nothing about the message; after a 421 it is the last."""
        if reply.code == 421:
            cause = self._standing.judge(self._answer(None, reply), transaction.message.recipient)
            self.verdict = self.verdict or _ended_by(reply, cause)
        self._onward(transaction, reply)

    def _go_ahead(self, transaction: _Transaction, _: Reply) -> None:
        if transaction.refusal:  # a 354 although the recipient was refused: RFC 2920 §3.1 asks for a lone dot
            transaction.step = Step.DOT
            self._write(b".\r\n")
        else:
            transaction.step = Step.BODY
            message = transaction.message
            if message.plain:
                self._write_text(message)
            else:
                self._write(_stuffed(message.data))
            self._write(b".\r\n")
            transaction.end = self._appended

    def _accept(self, transaction: _Transaction, reply: Reply) -> Receipt | Returned:
        if transaction.refusal:
            return self._finish(transaction, reply)
        self.open.popleft()
        self.proven = True
        self.accepted += 1
        if self._standing.rows:
            self._standing.hear(transaction.message.recipient)
        return Receipt(transaction.message.key, Outcome.ACCEPTED, reply.code, reply.enhanced, reply.text)

    def _refuse(self, transaction: _Transaction, reply: Reply) -> Receipt | Returned | None:
        if transaction.refusal is None:
            transaction.refusal, transaction.answered = reply, _ANSWERED.get(transaction.step)
            self._judge(transaction, reply)
        if transaction.unsaid or transaction.step in _LAST_STEPS:
            return self._finish(transaction, reply)
        transaction.step = _NEXT.get(transaction.step, self._text_step)
        return None

    def _finish(self, transaction: _Transaction, reply: Reply) -> Receipt | Returned:
        self.open.popleft()
        self._unclean = True
        self._refused += 1
        message, refusal = transaction.message, transaction.refusal or reply
        outcome = Outcome.DEFERRED if refusal.code < 500 else Outcome.REJECTED
        receipt = Receipt(
            message.key, outcome, refusal.code, refusal.enhanced, refusal.text, transaction.answered
        )
        cause = transaction.cause
        if cause is None:
            return receipt
        # After the end of a session, the messages behind it are refused as well, and none is to blame.
        blamed = cause not in PASSING or (refusal.code == 421 and cause is not Cause.SESSION)
        return Returned(message, str(refusal), refusal.code, blamed, cause, receipt)

    def _judge(self, transaction: _Transaction, reply: Reply) -> None:
        """Set the verdict if a refusal ends the connection; return the message if it is not to blame."""
        step, code = transaction.step, reply.code
        early = self.pace is not Pace.LOCKSTEP
        cause = self._standing.judge(self._answer(transaction.answered, reply), transaction.message.recipient)
        verdict: Verdict | None = None
        if code == 503 and step is Step.MAIL and not early:
            # A 503 to MAIL, although we wait for each reply, means that the server wants something before it.
            verdict, cause = Verdict(reason=str(reply), lasting=True), Cause.LOGIN
        elif early and (code == 503 or (code in _NOT_KNOWN and step is Step.BDAT)):
            # The server cannot follow our commands at this pace, although it offers the extension.
            slower = Pace(self.pace - 1)
            verdict = Verdict(reason=f"{step} was answered with {reply}", slower=slower)
            cause = Cause.SESSION
        elif code == 421 or cause in (Cause.SESSION, Cause.CONNECTIONS, Cause.LOGIN):
            verdict = _ended_by(reply, cause)
        self.verdict = self.verdict or verdict
        if verdict or cause in PASSING | OURS:
            transaction.cause = cause

    def _answer(self, answered: Answered | None, reply: Reply) -> Answer:
        status = reply.enhanced or ""
        return Answer(step=answered, code=reply.code, status=status, text=reply.text, accepted=self.accepted)

    # ── what is written for a message ───────────────────────────────────────────────────────

    def _write(self, data: bytes) -> None:
        self._out.append(data)
        self._appended += len(data)

    def _write_text(self, message: Message) -> None:
        self._out += message.parts
        self._appended += message.size

    def _commands(self, message: Message, *, reset: bool) -> bytes:
        _, sender, recipient, _, length, plain = message
        size = f" SIZE={length}" if self._extensions.takes_size else ""
        body = "" if plain or message.data.isascii() else " BODY=8BITMIME"
        utf8 = "" if sender.isascii() and recipient.isascii() else " SMTPUTF8"
        text = f"BDAT {length} LAST" if self.pace is Pace.CHUNKING else "DATA"
        return (
            f"{_RESET if reset else ''}MAIL FROM:<{sender}>{self._parameters}{size}{body}{utf8}\r\n"
            f"RCPT TO:<{recipient}>\r\n{text}\r\n"
        ).encode()


def _ended_by(reply: Reply, cause: Cause) -> Verdict:
    """Return the verdict of an answer that ends its connection."""
    announced = reply.code == 421
    lasting = cause is Cause.LOGIN and not announced
    return Verdict(reason=str(reply), lasting=lasting, announced=announced, cause=cause, code=reply.code)


def _fastest(extensions: Extensions) -> Pace:
    if not extensions.pipelining:
        return Pace.LOCKSTEP
    return Pace.CHUNKING if extensions.chunking else Pace.PIPELINING


def _stuffed(data: bytes) -> bytes:
    """Double the dot at the start of each line that begins with a dot (RFC 5321 §4.5.2)."""
    if data.rfind(b"\r\n.") < 0 and not data.startswith(b"."):  # rfind is four times as fast as `in`
        return data
    return (b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:]


_RESET = "RSET\r\n"
_MOST_REFUSED = 6  # messages on one connection
_NOT_KNOWN = frozenset({500, 502, 504})  # the server does not know the command

_NEXT = {Step.RSET: Step.MAIL, Step.MAIL: Step.RCPT}  # then DATA or BDAT
_ANSWERED = {
    Step.MAIL: Answered.SENDER,
    Step.RCPT: Answered.RECIPIENT,
    Step.DATA: Answered.TEXT,
    Step.BODY: Answered.TEXT,
    Step.BDAT: Answered.TEXT,
}
_LAST_STEPS = frozenset(
    {Step.BODY, Step.BDAT, Step.DATA}
)  # the last reply to a message, unless DATA is granted

_Action = Callable[[Pipeline, _Transaction, Reply], Receipt | Returned | None]
_ON_REPLY: dict[Step, dict[int, _Action]] = {
    Step.RSET: {2: Pipeline._onward, 4: Pipeline._ignore, 5: Pipeline._ignore},
    Step.MAIL: {2: Pipeline._onward, 4: Pipeline._refuse, 5: Pipeline._refuse},
    Step.RCPT: {2: Pipeline._onward, 4: Pipeline._refuse, 5: Pipeline._refuse},
    Step.DATA: {3: Pipeline._go_ahead, 4: Pipeline._refuse, 5: Pipeline._refuse},
    Step.BODY: {2: Pipeline._accept, 4: Pipeline._refuse, 5: Pipeline._refuse},
    Step.BDAT: {2: Pipeline._accept, 4: Pipeline._refuse, 5: Pipeline._refuse},
    Step.DOT: {2: Pipeline._finish, 4: Pipeline._finish, 5: Pipeline._finish},
}
