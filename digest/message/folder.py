"""Write messages into a folder, one .eml file each: a transport that reaches nobody."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile

from digest.model.errors import DigestError, TransportError
from digest.model.messages import Message, Outcome, Receipt

_MESSAGE_ID = re.compile(rb"^Message-ID: <([^>@\r\n]+)", re.MULTILINE | re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_REST = 0.02  # seconds before a sender that had nothing to send is asked again
_LONGEST = 150  # characters; file systems take 255 bytes


class FolderTransport:
    """Writes the bytes of each message to a file named after its Message-ID.

    A message that is written twice has one file. The envelope is not kept, and the files are not synced to
    the disk, because they are meant to be looked at or handed over, not to be kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
        """Write every message. Raises TransportError if the folder cannot be made."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TransportError(str(self.path), f"cannot be made: {error.strerror}") from error
        for group in groups:
            if not group:
                time.sleep(_REST)
            yield [self._write(message) for message in group]

    def _write(self, message: Message) -> Receipt:
        path = self.path / file_name(message)
        # The file appears under its own name only when it is complete.
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            unfinished.write_bytes(message.data)
            unfinished.replace(path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            return Receipt(message.key, Outcome.UNSENT, reply=f"cannot be written: {error.strerror}")
        return Receipt(message.key, Outcome.ACCEPTED, code=250, reply=f"written to {path.name}")


def file_name(message: Message) -> str:
    """Return the name of a message's file, made from its Message-ID; it is safe on every system."""
    found = _MESSAGE_ID.search(message.data.partition(b"\r\n\r\n")[0])
    name = _UNSAFE.sub("-", found[1].decode("ascii", "replace")).lstrip(".") if found else ""
    return f"{name[:_LONGEST] or f'message-{message.key}'}.eml"


def check_folder(path: Path) -> str:
    """Check that a folder can be written to, and create it if necessary; return a sentence about it.

    Raises DigestError if the folder cannot be written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            return f"messages are written into {path}; nobody is mailed"
    except OSError as error:
        raise DigestError(f"{path} cannot be written to: {error.strerror}") from error
