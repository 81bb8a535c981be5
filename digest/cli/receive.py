"""The command receive: process unsubscribe requests and bounces that arrive by mail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from digest.cli.terminal.session import Session, clock_of, now_option, pass_session
from digest.inbound.inbox import messages_at, read_message, take_in
from digest.model.errors import DigestError

_TRY_LATER = 75  # EX_TEMPFAIL: a mail server keeps the message and tries again; 1 would bounce it


@click.command(epilog="Example: digest receive mail/Maildir")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@now_option
@pass_session
def receive(session: Session, files: tuple[Path, ...], now: datetime | None) -> None:
    """Process incoming messages: unsubscribe requests and bounces.

    The command reads one message from standard input, or messages from files, or the new messages of a
    Maildir, which it marks as read. An unsubscribe request comes from the unsubscribe link of an email:
    the token in its subject, or else in its recipient, identifies the reader and the digest. A bounce is a
    server's report that a message did not arrive, or a provider's report that a reader marked it as
    junk. Its token identifies the reader. A reader who complains, or whose mailbox does not exist, is not
    mailed any more. For each message, the command prints one line without addresses. It never replies.
    It exits with 0 even if there was nothing to do, and with 75 ("try again later") if a message could
    not be processed now.
    """
    try:
        with session.app() as app:
            for place, message in _messages(files or (Path("-"),)):
                click.echo(f"{place}: {take_in(app, message, now=clock_of(now)())}")
    except DigestError as error:
        for line in str(error).splitlines():
            click.echo(f"digest: {line}", err=True)
        raise click.exceptions.Exit(_TRY_LATER) from error


def _messages(files: tuple[Path, ...]) -> Iterator[tuple[str, bytes]]:
    for path in files:
        if path == Path("-"):
            yield "stdin", read_message(sys.stdin.buffer)
        else:
            yield from ((place.name, message) for place, message in messages_at(path))
