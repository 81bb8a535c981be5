"""Encode text as quoted-printable with lines that no mail server has a reason to change (RFC 2045, 6.7)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WIDTH = 73  # RFC 2045 allows 76; one is for the soft break, two for the escape of a first character
_SOFT_BREAK = b"=\r\n"
_SPECIAL = re.compile(rb"[^\x20-\x3c\x3e-\x7e\t]")
_ESCAPES = tuple(b"=%02X" % byte for byte in range(256))


def quoted_printable(text: str, words: Sequence[str] = ()) -> bytes:
    """Return `text` as quoted-printable UTF-8 with CRLF line ends; CR, LF and CRLF all count as line ends.

    Each of `words` (ASCII placeholders) stays whole, alone on its line between soft breaks. So it can be
    replaced by any ASCII value of at most 75 characters without `=`. No line begins with a dot, which SMTP
    would double, or with "From ", which mailboxes would change.
    """
    cut = re.compile("|".join(f"({re.escape(word)})" for word in words)) if words else None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return b"\r\n".join(_logical_line(line, cut) for line in lines)


def _logical_line(line: str, cut: re.Pattern[str] | None) -> bytes:
    if cut is None or not cut.search(line):
        return _SOFT_BREAK.join(_wrapped(_escaped(line)))
    physical: list[bytes] = []
    position = 0
    for match in cut.finditer(line):
        if match.start() > position:
            physical += _wrapped(_escaped(line[position : match.start()], last=False))
        physical.append(match[0].encode("ascii"))
        position = match.end()
    if position < len(line):
        physical += _wrapped(_escaped(line[position:]))
    return _SOFT_BREAK.join(physical)


def _escaped(text: str, *, last: bool = True) -> bytes:
    raw = text.encode("utf-8", "replace")
    escaped = _SPECIAL.sub(lambda match: _ESCAPES[match[0][0]], raw)
    if last and escaped.endswith((b" ", b"\t")):  # servers strip white space at line ends
        escaped = escaped[:-1] + _ESCAPES[escaped[-1]]
    return escaped


def _wrapped(escaped: bytes) -> list[bytes]:
    lines = []
    start = 0
    while len(escaped) - start > _WIDTH:
        end = start + _WIDTH
        torn = escaped.rfind(b"=", end - 2, end)  # the start of an escape that would be cut in two
        end = end if torn < 0 else torn
        lines.append(_protected(escaped[start:end]))
        start = end
    lines.append(_protected(escaped[start:]))
    return lines


def _protected(line: bytes) -> bytes:
    if line.startswith((b".", b"From ")):
        return _ESCAPES[line[0]] + line[1:]
    return line
