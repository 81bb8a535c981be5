"""A mail server on loopback that keeps every mail it is given as a file, and passes nothing on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from functools import partial
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class _Keep:
    """Write what arrives to a folder, one file for each recipient, numbered as it came."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = len(list(folder.glob("*.eml")))

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        digest = message_from_bytes(content).get("List-Id", "mail").partition("<")[2].partition(".")[0]
        for recipient in envelope.rcpt_tos:
            self.count += 1
            name = f"{self.count:03d}-{digest or 'mail'}-{recipient.partition('@')[0]}.eml"
            (self.folder / name).write_bytes(content)
        return "250 2.0.0 kept"


@contextmanager
def catcher(folder: Path) -> Iterator[int]:
    """Run the server while the block runs; gives its port on 127.0.0.1."""
    folder.mkdir(parents=True, exist_ok=True)
    loop = asyncio.new_event_loop()
    protocol = partial(SMTP, _Keep(folder), enable_SMTPUTF8=False, loop=loop)
    server = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, name="catcher")
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
