"""The letters in flight on one SMTP connection: what is written for each, and which answer is whose.

Answers carry no name; they come in the order of the commands. So every answer belongs to the oldest
letter that is not finished, and to the step that letter is at. `_ON_REPLY` at the end of this module is
the whole of it: for each step and first digit of the answer, what to do. An empty cell is a server out
of step with us, and the end of the connection.

    step   says                    2xx      3xx        4xx, 5xx
    RSET   forget what came before onward   –          shrug
    MAIL   who sends               onward   –          refuse
    RCPT   who receives            onward   –          refuse
    DATA   may the text come?      –        go ahead   refuse
    BODY   the text and a dot      accept   –          refuse
    BDAT   the text, counted       accept   –          refuse
    DOT    only a dot              finish   –          finish

How far we run ahead of the answers is the pace, one written group to a line:

    LOCKSTEP     MAIL · RCPT · DATA · text
    PIPELINING   MAIL RCPT DATA · text MAIL RCPT DATA · text MAIL RCPT DATA …          (RFC 2920)
    CHUNKING     MAIL RCPT BDAT text · RSET MAIL RCPT BDAT text RSET MAIL RCPT BDAT text …   (RFC 3030)

With CHUNKING the next letters are written before it is known whether this one's recipient is taken. If
not, its transaction stays open and would swallow the next letter's recipient; hence each RSET. And there
is no 354 to keep step by: a server that answers one command twice is noticed with DATA, but not here.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from digest.model import Letter, Outcome, Receipt
from digest.send.extensions import Extensions
from digest.send.replies import BadReplyError, Reply


class Pace(IntEnum):
    """How far a client runs ahead of the server's answers; see the top of the module."""

    LOCKSTEP = 1
    PIPELINING = 2
    CHUNKING = 3


class Step(StrEnum):
    """The command of a letter that the next answer is for."""

    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    BODY = "the end of the data"
    BDAT = "BDAT"
    DOT = "a lone dot"


@dataclass(frozen=True, slots=True)
class Returned:
    """A letter of which no server has accepted anything: it may be handed over again."""

    letter: Letter
    reason: str
    code: int | None = None
    blamed: bool = True  # the line ended at this letter's turn; False: it only stood behind that one


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Why no further letter may go on this connection."""

    reason: str
    lasting: bool = False  # no use in trying again before an operator changes something
    slower: Pace | None = None  # the server did not keep what it offers: talk to it at this pace
    announced: bool = False  # the server said it will close, so what it did not answer it did not read


class _Transaction:
    """One letter under way. `end` is where its last byte stands in all we write, 0 until it is written."""

    __slots__ = ("end", "letter", "refusal", "returns", "step", "unsaid")

    def __init__(self, letter: Letter, step: Step) -> None:
        self.letter = letter
        self.step = step
        self.unsaid: list[bytes] = []  # commands held back until the one before them is answered
        self.refusal: Reply | None = None  # the first one: what follows it is only its echo
        self.returns = False  # the refusal is about us or the connection, not about the letter
        self.end = 0


class Pipeline:
    """Letters in flight, oldest first. Appends what is to be written to `out`; does no I/O."""

    def __init__(
        self,
        extensions: Extensions,
        out: list[bytes],
        *,
        pace: Pace = Pace.CHUNKING,
        in_flight: int = 8,
        require_tls: bool = False,
    ) -> None:
        self.pace = min(pace, _fastest(extensions))
        self.proven = False  # the server has accepted a letter at this pace
        self.verdict: Verdict | None = None
        self.open: deque[_Transaction] = deque()  # letters in flight, the oldest first
        self._extensions = extensions
        self._in_flight = in_flight
        # a bounce need not bring back the whole text (RFC 3461 §4.3)
        self._parameters = " RET=HDRS" * extensions.dsn + " REQUIRETLS" * require_tls
        self._text_step = Step.BDAT if self.pace is Pace.CHUNKING else Step.DATA
        self._unclean = False  # a refused letter's transaction may still be open at the server
        self._refused = 0
        self._out = out
        self._appended = 0  # bytes, since the first letter

    @property
    def room(self) -> int:
        """Tell how many letters may be started now."""
        if self.verdict or self.worn:
            return 0
        if self.pace is Pace.CHUNKING:  # one alone, until it is known that the server counts its bytes
            return (self._in_flight if self.proven else 1) - len(self.open)
        if not self.open:
            return 1
        return int(self.pace is Pace.PIPELINING and self.open[-1].step is Step.BODY)

    @property
    def worn(self) -> bool:
        """Tell whether so many letters were refused that we had better go before we are thrown out.

        Exim ends a connection after ten RSETs that followed no letter, Postfix after twenty errors; what
        is in flight then, and what was answered and not yet read, is in doubt.
        """
        return self._refused >= _WEARING

    @property
    def step(self) -> Step | None:
        """Tell which command the next answer is for; None when no letter is in flight."""
        return self.open[0].step if self.open else None

    def start(self, letter: Letter) -> Receipt | None:
        """Start a letter; a receipt comes at once, and nothing is written, if the server cannot take it."""
        fault = self._fault(letter)
        if fault:
            code, enhanced, text = fault
            return Receipt(letter.key, Outcome.REJECTED, code, enhanced, f"not sent: {text}")
        reset = self._unclean or (self.pace is Pace.CHUNKING and bool(self.open))
        commands = self._commands(letter, reset=reset)
        transaction = _Transaction(letter, Step.RSET if reset else Step.MAIL)
        self.open.append(transaction)
        self._unclean = False
        if self.pace is Pace.LOCKSTEP:
            commands, *transaction.unsaid = commands.splitlines(keepends=True)
        self._write(commands)
        if self.pace is Pace.CHUNKING:
            self._write_text(letter)
            transaction.end = self._appended
        return None

    def answer(self, reply: Reply) -> Receipt | Returned | None:
        """Give an answer to the oldest letter; return what became of it when that was its last.

        Raises BadReplyError when the server is out of step.
        """
        if self.verdict:  # it said 421 and goes on all the same: what it does not answer it may have read
            self.verdict = replace(self.verdict, announced=False)
        transaction = self.open[0]
        action = _ON_REPLY[transaction.step].get(reply.kind)
        if action is None:
            raise BadReplyError(f"{reply.code} is no answer to {transaction.step}")
        return action(self, transaction, reply)

    def settle(self, reason: str, *, unwritten: int, closed: bool) -> Iterator[Receipt | Returned]:
        """Yield what becomes of every letter in flight when the connection has ended.

        `unwritten` counts the last bytes that never left; `closed` says that the server ended it.
        """
        written = self._appended - unwritten - sum(map(len, self._out))
        announced = self.verdict is not None and self.verdict.announced
        blamed = not announced  # or the announcement was the answer to another letter
        while self.open:
            transaction = self.open[0]
            if transaction.refusal:
                yield self._finish(transaction, transaction.refusal)
                continue
            self.open.popleft()
            if 0 < transaction.end <= written and not (closed and announced):
                yield Receipt(transaction.letter.key, Outcome.UNCERTAIN, reply=reason)
            else:
                yield Returned(transaction.letter, reason, blamed=blamed)
            blamed = False

    # ── what an answer does; called through the table ───────────────────────────────────────

    def _onward(self, transaction: _Transaction, _: Reply) -> None:
        transaction.step = _NEXT.get(transaction.step, self._text_step)
        if transaction.unsaid:
            self._write(transaction.unsaid.pop(0))

    def _shrug(self, transaction: _Transaction, reply: Reply) -> None:
        """Go on, for a refused RSET says nothing about the letter; a 421 says that it is the last."""
        if reply.code == 421:
            self.verdict = self.verdict or Verdict(reason=str(reply), announced=True)
        self._onward(transaction, reply)

    def _go_ahead(self, transaction: _Transaction, _: Reply) -> None:
        if transaction.refusal:  # no recipient, and yet we may send: RFC 2920 §3.1 wants a lone dot
            transaction.step = Step.DOT
            self._write(b".\r\n")
        else:
            transaction.step = Step.BODY
            letter = transaction.letter
            if letter.plain:
                self._write_text(letter)
            else:
                self._write(_stuffed(letter.data))
            self._write(b".\r\n")
            transaction.end = self._appended

    def _accept(self, transaction: _Transaction, reply: Reply) -> Receipt | Returned:
        if transaction.refusal:
            return self._finish(transaction, reply)
        self.open.popleft()
        self.proven = True
        return Receipt(transaction.letter.key, Outcome.ACCEPTED, reply.code, reply.enhanced, reply.text)

    def _refuse(self, transaction: _Transaction, reply: Reply) -> Receipt | Returned | None:
        if transaction.refusal is None:
            transaction.refusal = reply
            self._judge(transaction, reply)
        if transaction.unsaid or transaction.step in _LAST_STEPS:
            return self._finish(transaction, reply)
        self._onward(transaction, reply)
        return None

    def _finish(self, transaction: _Transaction, reply: Reply) -> Receipt | Returned:
        self.open.popleft()
        self._unclean = True
        self._refused += 1
        letter, refusal = transaction.letter, transaction.refusal or reply
        if transaction.returns:
            return Returned(letter, str(refusal), refusal.code)
        outcome = Outcome.DEFERRED if refusal.code < 500 else Outcome.REJECTED
        return Receipt(letter.key, outcome, refusal.code, refusal.enhanced, refusal.text)

    def _judge(self, transaction: _Transaction, reply: Reply) -> None:
        """Come to a verdict if a refusal is about more than this letter; then the letter returns."""
        step, code = transaction.step, reply.code
        early = self.pace is not Pace.LOCKSTEP
        if code == 421:
            verdict = Verdict(reason=str(reply), announced=True)
        elif code in _ABOUT_US or (code == 503 and step is Step.MAIL and not early):
            verdict = Verdict(reason=str(reply), lasting=True)
        elif early and (code == 503 or (code in _NOT_KNOWN and step is Step.BDAT)):
            verdict = Verdict(reason=f"{step} was answered with {reply}", slower=Pace(self.pace - 1))
        else:
            return
        self.verdict = self.verdict or verdict
        # a 421 to the text itself was said about this letter too: it waits its turn like any 4xx
        transaction.returns = not (code == 421 and step in _TEXT_STEPS)

    # ── what is written for a letter ────────────────────────────────────────────────────────

    def _write(self, data: bytes) -> None:
        self._out.append(data)
        self._appended += len(data)

    def _write_text(self, letter: Letter) -> None:
        self._out += letter.parts
        self._appended += letter.size

    def _commands(self, letter: Letter, *, reset: bool) -> bytes:
        _, sender, recipient, _, length, plain = letter
        size = f" SIZE={length}" if self._extensions.takes_size else ""
        body = "" if plain or letter.data.isascii() else " BODY=8BITMIME"
        utf8 = "" if sender.isascii() and recipient.isascii() else " SMTPUTF8"
        text = f"BDAT {length} LAST" if self.pace is Pace.CHUNKING else "DATA"
        return (
            f"{_RESET if reset else ''}MAIL FROM:<{sender}>{self._parameters}{size}{body}{utf8}\r\n"
            f"RCPT TO:<{recipient}>\r\n{text}\r\n"
        ).encode()

    def _fault(self, letter: Letter) -> tuple[int, str, str] | None:
        """Tell why the server could never take a letter: code, enhanced code, and a sentence."""
        offered = self._extensions
        _, sender, recipient, _, size, plain = letter
        path = f"{sender}{recipient}"
        if offered.size and size > offered.size:
            return 552, "5.3.4", f"the message has {size} bytes, the server takes {offered.size}"
        if _UNSAFE(path):
            return 553, "5.1.3", "the address holds a character that would break the command"
        if not (path.isascii() or offered.smtputf8):
            return 553, "5.6.7", "the address needs SMTPUTF8, which the server does not offer"
        if not (plain or offered.eight_bit or letter.data.isascii()):
            return 554, "5.6.3", "the message needs 8BITMIME, which the server does not offer"
        return None


def _fastest(extensions: Extensions) -> Pace:
    if not extensions.pipelining:
        return Pace.LOCKSTEP
    return Pace.CHUNKING if extensions.chunking else Pace.PIPELINING


def _stuffed(data: bytes) -> bytes:
    """Double the dot of every line that begins with one (RFC 5321 §4.5.2)."""
    if data.rfind(b"\r\n.") < 0 and not data.startswith(b"."):  # rfind is four times as fast as `in`
        return data
    return (b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:]


_RESET = "RSET\r\n"
_WEARING = 6  # refusals on one connection
_UNSAFE = re.compile(r"[\x00-\x20\x7f<>]").search
_ABOUT_US = frozenset({530, 534, 535, 538})  # log in first, or better, or over TLS (RFC 4954 §6)
_NOT_KNOWN = frozenset({500, 502, 504})

_NEXT = {Step.RSET: Step.MAIL, Step.MAIL: Step.RCPT}  # then DATA or BDAT
_TEXT_STEPS = frozenset({Step.BODY, Step.BDAT})
_LAST_STEPS = _TEXT_STEPS | {Step.DATA}  # no answer comes after theirs, unless DATA is granted

_Action = Callable[[Pipeline, _Transaction, Reply], Receipt | Returned | None]
_ON_REPLY: dict[Step, dict[int, _Action]] = {
    Step.RSET: {2: Pipeline._onward, 4: Pipeline._shrug, 5: Pipeline._shrug},
    Step.MAIL: {2: Pipeline._onward, 4: Pipeline._refuse, 5: Pipeline._refuse},
    Step.RCPT: {2: Pipeline._onward, 4: Pipeline._refuse, 5: Pipeline._refuse},
    Step.DATA: {3: Pipeline._go_ahead, 4: Pipeline._refuse, 5: Pipeline._refuse},
    Step.BODY: {2: Pipeline._accept, 4: Pipeline._refuse, 5: Pipeline._refuse},
    Step.BDAT: {2: Pipeline._accept, 4: Pipeline._refuse, 5: Pipeline._refuse},
    Step.DOT: {2: Pipeline._finish, 4: Pipeline._finish, 5: Pipeline._finish},
}
