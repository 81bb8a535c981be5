"""Sending from a list to readers: our whole way there, and the usual one, a message built per reader."""

from __future__ import annotations

import asyncio
import importlib
import shutil
import smtplib
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from pathlib import Path

import jinja2

from benchmarks import publisher
from benchmarks.senders import SENDER, Sender, Task
from digest.compose.edition import choose
from digest.model import DeliveryState, ReaderLinks, Security, SmtpServer
from digest.render.mail import render_mail
from digest.render.templates import load_templates
from digest.send.pipeline import Pace
from digest.send.send import send
from digest.send.transport import SmtpTransport
from subscribers.model import Choice


def ours(path: Path, *, pace: Pace = Pace.CHUNKING, in_flight: int = 8) -> Sender:
    """Give our sender: claim, personalise, send, keep every answer in SQLite with synchronous=FULL."""
    return lambda task: carry(path, task, pace=pace, in_flight=in_flight)


def carry(path: Path, task: Task, *, pace: Pace = Pace.CHUNKING, in_flight: int = 8) -> None:
    """Send the edition in the database at `path` to everybody, as `digest send` does."""
    server = SmtpServer(
        host="127.0.0.1",
        port=task.port,
        security=Security.STARTTLS if task.ca_file else Security.NONE,
        ca_file=task.ca_file,
        connections=task.connections,
    )
    transport = SmtpTransport([server], pace=pace, in_flight=in_flight)
    with closing(publisher.open_at(path)) as database:
        outbox = publisher.outbox(transport)
        sent = send(database, publisher.EDITION, outbox=outbox, clock=lambda: datetime.now(UTC))
    accepted = sent.counts.of(DeliveryState.ACCEPTED)
    if accepted != task.messages:
        raise SystemExit(f"{accepted} of {task.messages} messages were accepted: {sent.counts}")


class Lists:
    """Databases to send from: made once for each size, and copied for each run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copy(self, readers: int, choices: int = 1) -> Path:
        """Give a fresh list of so many readers; the one given before is no more."""
        original = self._folder / f"{readers}-{choices}.db"
        if not original.exists():
            publisher.found(original, readers, choices)
        for old in self._folder.glob("run.db*"):
            old.unlink()
        return Path(shutil.copy(original, self._folder / "run.db"))


class PerReader:
    """A message built for each reader from an inlined template, with jinja2 and email.message."""

    def __init__(self) -> None:
        edition = choose(publisher.edition(), Choice.parse(next(publisher.topic_choices(1))))
        assert edition
        links = ReaderLinks(unsubscribe="UNSUBSCRIBE", preferences="PREFERENCES")
        mail = render_mail(load_templates(None), edition, links, web_url=None)
        self._subject = mail.subject
        self._html, self._text = (_template(text) for text in (mail.html, mail.text))

    def messages(self, count: int) -> Iterator[tuple[str, bytes]]:
        """Give address and message of so many readers."""
        for number in range(1, count + 1):
            address = f"reader{number}@example.org"
            yield address, self._message(address, number)

    def _message(self, address: str, number: int) -> bytes:
        base = "https://news.example.org"
        links = {"unsubscribe": f"{base}/u/daily/{number}", "preferences": f"{base}/p/{number}"}
        message = EmailMessage(policy=policy.SMTP)
        message["From"], message["To"], message["Subject"] = SENDER, address, self._subject
        message["Message-ID"] = f"<daily.{number}@example.org>"
        message["List-Unsubscribe"] = f"<{links['unsubscribe']}>"
        message.set_content(self._text.render(links))
        message.add_alternative(self._html.render(links), subtype="html")
        return message.as_bytes()

    def smtplib(self, task: Task) -> None:
        """Send them with the standard library over one connection: building is what takes the time."""
        with smtplib.SMTP("127.0.0.1", task.port) as client:
            for address, data in self.messages(task.messages):
                client.sendmail(SENDER, [address], data)

    def aiosmtplib(self, task: Task) -> None:
        """Send them with a pool of connections."""
        asyncio.run(self._aiosmtplib(task))

    async def _aiosmtplib(self, task: Task) -> None:
        library = importlib.import_module("aiosmtplib")
        messages = self.messages(task.messages)

        async def work() -> None:
            async with library.SMTP(hostname="127.0.0.1", port=task.port, start_tls=False) as client:
                for address, data in messages:
                    await client.sendmail(SENDER, [address], data)

        await asyncio.gather(*(work() for _ in range(task.connections)))


def _template(text: str) -> jinja2.Template:
    source = text.replace("UNSUBSCRIBE", "{{ unsubscribe }}").replace("PREFERENCES", "{{ preferences }}")
    return jinja2.Environment(autoescape=True).from_string(source)


def main() -> None:
    """Send one list in a process of its own; print seconds, CPU seconds and the peak of its memory in KB.

    python -m benchmarks.endtoend DATABASE PORT READERS
    """
    path, port, readers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    start, used = time.perf_counter(), time.process_time()
    carry(path, Task(port=port, messages=readers))
    peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    print(time.perf_counter() - start, time.process_time() - used, peak)


if __name__ == "__main__":
    main()
