"""Ask SpamAssassin for its points of a message: the server on this machine, or else the program."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from contextlib import suppress

from digest.render.preflight.known import SpamReport

SPAMD = ("127.0.0.1", 783)
_SECONDS = 20.0  # the program alone takes about three
_MOST = 1_000_000  # bytes of a report
_SCORE = re.compile(r"\((-?[\d.]+) points|(?:True|False|Yes|No)\s*;\s*(-?[\d.]+)\s*/")
_RULE = re.compile(r"^\s*(-?\d+\.\d+)\s+([A-Z][A-Z0-9_]+)\b", re.MULTILINE)


def spam_report(
    message: bytes, *, server: tuple[str, int] = SPAMD, program: bool = True
) -> SpamReport | None:
    """Return what SpamAssassin says of a whole message; None if it does not answer.

    Only what is in the message counts, because the program looks nothing up on the network. The server on
    this machine takes a fraction of a second; without `program`, only the server is asked.
    """
    answer = _of_server(message, server)
    if answer is None and program:
        answer = _of_program(message)
    return _read(answer) if answer else None


def spam_answers(*, program: bool = True) -> bool:
    """Tell whether SpamAssassin can be asked on this machine; `program` is the same as in `spam_report`."""
    if program and shutil.which("spamassassin"):
        return True
    with suppress(OSError), socket.create_connection(SPAMD, timeout=_SECONDS):
        return True
    return False


def _of_server(message: bytes, server: tuple[str, int]) -> str | None:
    head = f"REPORT SPAMC/1.5\r\nContent-length: {len(message)}\r\n\r\n"
    with suppress(OSError), socket.create_connection(server, timeout=_SECONDS) as connection:
        connection.sendall(head.encode() + message)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while len(answer) < _MOST and (part := connection.recv(65_536)):
            answer += part
        return answer.decode(errors="replace")
    return None


def _of_program(message: bytes) -> str | None:
    program = shutil.which("spamassassin")
    if program is None:
        return None
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run([program, "-t", "-L"], input=message, capture_output=True, timeout=_SECONDS)
        return done.stdout.decode(errors="replace").rpartition("Content analysis details:")[2]
    return None


def _read(report: str) -> SpamReport | None:
    score = _SCORE.search(report)
    if score is None:
        return None
    rules = tuple((name, float(points)) for points, name in _RULE.findall(report))
    return SpamReport(score=float(score[1] or score[2]), rules=rules)
