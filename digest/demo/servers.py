"""Two servers on loopback for the demo: one publishes its feeds, the other saves each email to a file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from digest.model.errors import DigestError

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope, Session


class _Save:
    """Write each message to a folder, one file for each recipient, numbered in the order of arrival."""

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
        return "250 2.0.0 saved"


@contextmanager
def mail_server(folder: Path) -> Iterator[int]:
    """Run the mail server while the block runs, and give its port on 127.0.0.1.

    Raises DigestError if aiosmtpd is not installed; only the demo needs it.
    """
    try:
        from aiosmtpd.smtp import SMTP
    except ModuleNotFoundError as error:
        raise DigestError("the demo needs aiosmtpd: pip install 'newsletter-digest[demo]'") from error
    folder.mkdir(parents=True, exist_ok=True)
    loop = asyncio.new_event_loop()
    protocol = partial(SMTP, _Save(folder), enable_SMTPUTF8=False, loop=loop)
    server = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, name="mail server")
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Quiet(SimpleHTTPRequestHandler):
    """Serve files, with Last-Modified and 304, and log nothing."""

    extensions_map = {  # noqa: RUF012 - the name and type of the standard library
        ".xml": "application/rss+xml",
        ".atom": "application/atom+xml",
        ".json": "application/feed+json",
        ".jpg": "image/jpeg",
        "": "application/octet-stream",
    }

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Log nothing, so that the terminal shows only the demo."""


@contextmanager
def feed_server(folder: Path) -> Iterator[str]:
    """Serve `folder` while the block runs, and give the base address, without a trailing slash."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, name="feed server")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
