"""Cut a mail server's bytes into replies (RFC 5321 §4.2), and make their text printable for the ledger."""

from __future__ import annotations

import re
from collections.abc import Iterator

from subscribers.text import printable, without_addresses

MAX_LINE = 2048  # RFC 5321 allows 512, but some servers write more
MAX_LINES = 100  # in one reply; a long EHLO has about 20
MAX_TEXT = 500  # characters of a reply that are kept

_KNOWN = 32  # different one-line replies that a reader remembers
_ENHANCED = re.compile(rb"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")


class BadReplyError(Exception):
    """The server sent something that is not an SMTP reply. Never leaves `digest.smtp`."""


class Reply:
    """One complete reply: its code (200–599), and its lines as the server sent them, without the code.

    `text` is all lines as one printable line of at most `MAX_TEXT` characters. `enhanced` is the RFC 3463
    code at the beginning of the text, if it agrees with the reply code. `kind` is the code's first digit.
    """

    __slots__ = ("code", "enhanced", "kind", "lines", "text")

    def __init__(self, code: int, lines: tuple[bytes, ...]) -> None:
        match = _ENHANCED.match(lines[0])
        self.code, self.kind = code, code // 100
        self.lines = lines
        self.enhanced = match[1].decode() if match and match[1][0] == ord("0") + self.kind else None
        self.text = _shown(lines[0]) if len(lines) == 1 else _shown(_joined(lines, match))

    def __str__(self) -> str:
        """Return code and text for a log, without anything that looks like an address."""
        return f"{self.code} {without_addresses(self.text)}".rstrip()


def _joined(lines: tuple[bytes, ...], match: re.Match[bytes] | None) -> bytes:
    first, *others = [line.strip() for line in lines]
    if match:  # servers repeat the enhanced code on every line
        others = [line.removeprefix(match[1]).strip() for line in others]
    return b" ".join([first, *others])


def _shown(line: bytes) -> str:
    return printable(line[: 4 * MAX_TEXT].decode("utf-8", "replace"))[:MAX_TEXT]


class ReplyReader:
    """Collects bytes, cut anywhere, and yields the complete replies."""

    def __init__(self) -> None:
        self._rest = b""  # the line that has not ended yet
        self._lines: list[bytes] = []  # lines of the reply that has not ended yet
        self._code = b""
        self._known: dict[bytes, Reply] = {}  # a server sends the same few lines again and again

    @property
    def pending(self) -> bool:
        """Tell whether part of a reply has arrived, without its end."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Yield every reply that `data` completes.

        Raises BadReplyError at the first bytes that cannot be a reply, after the replies before them have
        been yielded. The reader cannot be used after that.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        known = self._known
        for line in lines:
            reply = None if self._lines else known.get(line)  # most replies have one line
            if reply:
                yield reply
            elif self._lines or line[3:4] != b" " or len(line) > MAX_LINE:
                yield from self._add(line)
            else:
                reply = Reply(_code(line[:3]), (line[4:].rstrip(b"\r"),))
                if len(known) < _KNOWN:
                    known[line] = reply
                yield reply
        if len(self._rest) > MAX_LINE:
            raise BadReplyError(f"a reply line is longer than {MAX_LINE} bytes")

    def _add(self, line: bytes) -> Iterator[Reply]:
        """Add a line of a longer reply, or a line without text; yield the reply if it is complete."""
        if len(line) > MAX_LINE:
            raise BadReplyError(f"a reply line is longer than {MAX_LINE} bytes")
        line = line.rstrip(b"\r")
        code, mark = line[:3], line[3:4]
        if mark not in (b" ", b"-", b""):
            raise BadReplyError("a line is not an SMTP reply")
        if self._lines and code != self._code:
            raise BadReplyError("the lines of one reply have different codes")
        number = _code(code)
        self._code = code
        self._lines.append(line[4:])
        if len(self._lines) > MAX_LINES:
            raise BadReplyError(f"a reply has more than {MAX_LINES} lines")
        if mark != b"-":
            reply = Reply(number, tuple(self._lines))
            self._lines.clear()
            yield reply


def _code(digits: bytes) -> int:
    code = _CODES.get(digits)
    if code is None:
        raise BadReplyError("a line is not an SMTP reply")
    return code


_CODES = {str(code).encode(): code for code in range(200, 600)}
