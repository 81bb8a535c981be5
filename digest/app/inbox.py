"""Take in the mails that come back: goodbyes of readers, and reports that a mail did not arrive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from digest.app.bounces import note_bounce
from digest.app.mailed_goodbyes import answer_goodbye
from digest.app.wiring import App
from digest.errors import DigestError
from subscribers.bounce_mail import read_bounce

LARGEST = 1_000_000  # bytes


class MailboxError(DigestError):
    """A file or folder with mails cannot be read, or is none."""


def take_in(app: App, mail: bytes, *, now: datetime) -> str:
    """Do what a mail asks for, and return in words what that was, without any address; answer none.

    A report counts as a bounce of the reader it is about; anything else may be a goodbye. A mail longer than
    LARGEST changes nothing.
    """
    if len(mail) > LARGEST:
        return "nothing done: larger than 1 MB"
    report = read_bounce(mail)
    return note_bounce(app, report, mail, now=now) if report else answer_goodbye(app, mail, now=now)


def read_mail(file: BinaryIO) -> bytes:
    """Read a mail to its end, so that no pipe breaks; of one too large just enough to tell."""
    mail = file.read(LARGEST + 1)
    while file.read(65_536):
        pass
    return mail


def mails_at(path: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield the mail of a file, or the new ones of a Maildir, each with its place.

    A mail of a Maildir counts as read, and is not given again, once the next is asked for: a reader who
    came back must not leave again by an old goodbye. Raises MailboxError.
    """
    try:
        if not path.is_dir():
            yield path, _read(path)
        elif not (path / "new").is_dir():
            raise MailboxError(f"{path}: is no Maildir: there is no folder new in it")
        else:
            for mail in sorted(each for each in (path / "new").iterdir() if each.is_file()):
                yield mail, _read(mail)
                _set_seen(path, mail)
    except OSError as error:
        raise MailboxError(f"{error.filename or path}: cannot be read: {error.strerror}") from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def _set_seen(maildir: Path, mail: Path) -> None:
    (maildir / "cur").mkdir(exist_ok=True)
    with suppress(FileNotFoundError):  # somebody has read it at the same time
        mail.rename(maildir / "cur" / f"{mail.name}:2,S")
