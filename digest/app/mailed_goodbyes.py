"""Let readers leave by mail: a goodbye sent to the `mailto:` of their digest does what one click does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from digest.app.goodbyes import check_goodbye, say_goodbye
from digest.app.wiring import App
from digest.errors import DigestError
from subscribers.errors import TokenError
from subscribers.goodbye_mail import read_goodbye
from subscribers.model import Origin

LARGEST = 1_000_000  # bytes; a goodbye is a few lines

_ORIGIN = Origin(source="mail")


class MailboxError(DigestError):
    """A file or folder with mails cannot be read, or is none."""


def answer_goodbye(app: App, mail: bytes, *, now: datetime) -> str:
    """Let the reader whose token stands in a mail leave the digest it is for; twice is like once.

    Returns in words what that did, without any address. What has no good token, is automatic or longer
    than LARGEST changes nothing. Nobody is written to: mail is easily sent in somebody else's name.
    """
    if len(mail) > LARGEST:
        return "nothing done: larger than 1 MB"
    said = read_goodbye(mail)
    if said.automatic:
        return "nothing done: a bounce or an automatic answer"
    if not said.tokens:
        return "nothing done: no token in the subject or the recipient"
    meant = [(slug, token) for token in said.tokens for slug in _digests_of(app, token)]
    if not meant:
        return "nothing done: the token is damaged, or of no digest there is"
    goodbyes = [say_goodbye(app, slug, token, origin=_ORIGIN, now=now) for slug, token in meant]
    if any(goodbye.digests for goodbye in goodbyes):
        return f"left {', '.join(slug for slug, _ in meant)}"
    return "nothing to do: has left before"


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


def _digests_of(app: App, token: str) -> Iterator[str]:
    for digest in app.config.digests:
        with suppress(TokenError):
            check_goodbye(app, digest.slug, token)
            yield digest.slug
