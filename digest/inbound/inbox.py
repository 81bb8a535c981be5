"""Process incoming messages: unsubscribe requests of readers, and reports that a message did not arrive."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from digest.config.parts import Parts
from digest.inbound.bounce_reports import read_bounce
from digest.inbound.bounces import note_bounce
from digest.inbound.unsubscribe import answer_unsubscribe
from digest.model.errors import DigestError
from digest.model.run_context import RunContext

log = logging.getLogger(__name__)

LARGEST = 1_000_000  # bytes


class MailboxError(DigestError):
    """A file or Maildir with messages cannot be read."""


def take_in(parts: Parts, message: bytes, *, now: datetime) -> str:
    """Process one message, and return a phrase that says what was done, without any address.

    A report counts as a bounce of the reader it is about. Any other message may be an unsubscribe request. A
    message longer than LARGEST changes nothing. No message is ever answered.
    """
    if len(message) > LARGEST:
        return "nothing done: larger than 1 MB"
    report = read_bounce(message)
    return (
        note_bounce(parts.database, parts.secret, report, message, now=now)
        if report
        else answer_unsubscribe(parts, message, now=now)
    )


def receive_all(parts: Parts, path: Path, context: RunContext) -> int:
    """Process the new messages of a Maildir, and return their number. Raises MailboxError."""
    count = 0
    for place, message in messages_at(path):
        if context.stop():
            break
        log.info("%s: %s", place.name, take_in(parts, message, now=context.clock()))
        count += 1
    return count


def read_message(file: BinaryIO) -> bytes:
    """Read a message to its end, so that no pipe breaks; at most LARGEST + 1 bytes are returned."""
    message = file.read(LARGEST + 1)
    while file.read(65_536):
        pass
    return message


def messages_at(path: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield the message in a file, or the new messages of a Maildir, each with its path.

    A message of a Maildir is marked as read when the next one is asked for. Raises MailboxError.
    """
    # Each message is processed once. Otherwise an old request could unsubscribe a reader who has come back.
    try:
        if not path.is_dir():
            yield path, _read(path)
        elif not (path / "new").is_dir():
            raise MailboxError(f"{path}: is not a Maildir: it has no folder called new")
        else:
            for message in sorted(each for each in (path / "new").iterdir() if each.is_file()):
                yield message, _read(message)
                _set_seen(path, message)
    except OSError as error:
        raise MailboxError(f"{error.filename or path}: cannot be read: {error.strerror}") from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def _set_seen(maildir: Path, message: Path) -> None:
    (maildir / "cur").mkdir(exist_ok=True)
    with suppress(FileNotFoundError):  # another process has read it at the same time
        message.rename(maildir / "cur" / f"{message.name}:2,S")
