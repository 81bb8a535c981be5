"""A process that was stopped, as by a pause of its machine, reads what has come before it gives up."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.smtp.reply_server import ReplyServer

TIMEOUT = 1.0  # seconds
CHILD = f"""
import sys
from digest.model.messages import Message, Security, SmtpServer
from digest.smtp.transport import SmtpTransport

server = SmtpServer(host="127.0.0.1", port=int(sys.argv[1]), security=Security.NONE, timeout={TIMEOUT})
message = Message.whole(1, "daily@example.org", "ana@example.org", b"Subject: Tide\\r\\n\\r\\nHigh.\\r\\n")
for receipts in SmtpTransport([server]).carry(iter([[message]])):
    print(*(f"{{receipt.outcome}} {{receipt.reply}}" for receipt in receipts), end="", flush=True)
"""


def test_an_answer_that_came_while_the_process_was_stopped_counts() -> None:
    asked, answer = threading.Event(), threading.Event()

    def wait_before_the_answer(verb: str, _before: int) -> None:
        if verb == "MAIL":
            asked.set()
            answer.wait(30)

    with ReplyServer(wait_before_the_answer) as server:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(server.port)], stdout=subprocess.PIPE, text=True
        )
        assert asked.wait(30)
        child.send_signal(signal.SIGSTOP)
        stopped_at = time.monotonic()
        while _state(child.pid) != "T" or time.monotonic() - stopped_at < 1.5 * TIMEOUT:
            answer.wait(0.01)
        answer.set()
        while not server.accepted and time.monotonic() - stopped_at < 10:
            pass  # it takes no time
        child.send_signal(signal.SIGCONT)
        said, _ = child.communicate(timeout=30)
    assert said.startswith("accepted"), said


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
