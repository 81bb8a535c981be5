"""Deliver letters into a folder, one .eml file each: the transport that can reach nobody."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from digest.errors import TransportError
from digest.model import Letter, Outcome, Receipt

_MESSAGE_ID = re.compile(rb"^Message-ID: <([^>@\r\n]+)", re.MULTILINE | re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_REST = 0.02  # seconds before a sender that had nothing to send is asked again
_LONGEST = 150  # characters; file systems take 255 bytes


class FolderTransport:
    """Write the very bytes of each letter to a file named after its Message-ID.

    A letter written twice is one file. The envelope is not kept, and files are not forced to the disk:
    this is for looking, trying and handing over, not for keeping.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def carry(self, groups: Iterator[Sequence[Letter]]) -> Generator[Sequence[Receipt], None, None]:
        """Write every letter; raises TransportError when the folder cannot be written to."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TransportError(str(self.path), f"cannot be made: {error.strerror}") from error
        for group in groups:
            if not group:
                time.sleep(_REST)
            yield [self._write(letter) for letter in group]

    def _write(self, letter: Letter) -> Receipt:
        path = self.path / file_name(letter)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            unfinished.write_bytes(letter.data)
            unfinished.replace(path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            return Receipt(letter.key, Outcome.UNSENT, reply=f"cannot be written: {error.strerror}")
        return Receipt(letter.key, Outcome.ACCEPTED, code=250, reply=f"written to {path.name}")


def file_name(letter: Letter) -> str:
    """Return the name of a letter's file: from its Message-ID, so stable, and safe on every system."""
    found = _MESSAGE_ID.search(letter.data.partition(b"\r\n\r\n")[0])
    name = _UNSAFE.sub("-", found[1].decode("ascii", "replace")).lstrip(".") if found else ""
    return f"{name[:_LONGEST] or f'letter-{letter.key}'}.eml"
