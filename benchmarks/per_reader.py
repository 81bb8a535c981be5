"""Send in the usual way: build a message for each reader, with jinja2 and email.message."""

from __future__ import annotations

import asyncio
import importlib
import smtplib
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage

import jinja2

from benchmarks import publisher
from benchmarks.senders import SENDER, Task
from digest.model.messages import ReaderLinks
from digest.model.snapshot import choose
from digest.render.mail import render_email
from digest.render.templates import load_templates
from subscribers.model import Choice


class PerReader:
    """Builds a message for each reader from an inlined template, with jinja2 and email.message."""

    def __init__(self) -> None:
        edition = choose(publisher.edition(), Choice.parse(next(publisher.topic_choices(1))))
        assert edition
        links = ReaderLinks(unsubscribe="UNSUBSCRIBE", preferences="PREFERENCES")
        email = render_email(load_templates(None), edition, links, web_url=None)
        self._subject = email.subject
        self._html, self._text = (_template(text) for text in (email.html, email.text))

    def messages(self, count: int) -> Iterator[tuple[str, bytes]]:
        """Yield the address and the message of so many readers."""
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
        """Send the messages over one connection with the standard library; building takes the time."""
        with smtplib.SMTP("127.0.0.1", task.port) as client:
            for address, data in self.messages(task.messages):
                client.sendmail(SENDER, [address], data)

    def aiosmtplib(self, task: Task) -> None:
        """Send the messages with a pool of connections."""
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
