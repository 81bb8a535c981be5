"""The command receive: mails that come back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from digest.cli.session import Session, clock_of, now_option, pass_session
from digest.errors import DigestError

_TRY_LATER = 75  # EX_TEMPFAIL: a mail server keeps the mail and calls again, where 1 would bounce it


@click.command(epilog="Example: digest receive mail/Maildir")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@now_option
@pass_session
def receive(session: Session, files: tuple[Path, ...], now: datetime | None) -> None:
    """Take in mails that come back: goodbyes, and bounces.

    Reads one from standard input, or from files, or the new ones of a Maildir, which then count as read.
    A goodbye answers the unsubscribe link of a digest: the token in its subject, else in its recipient,
    says who leaves what. A bounce is a server's report that a mail did not arrive, or a provider's that a
    reader called it junk: its token says whose mail it was, and who is gone or complains is not mailed any
    more. Says one line for each, without any address, and answers none. Exits with 0 also when there was
    nothing to do, and with 75, "try again later", when it could not be done now.
    """
    from digest.app.inbox import take_in

    try:
        with session.app() as app:
            for place, mail in _mails(files or (Path("-"),)):
                click.echo(f"{place}: {take_in(app, mail, now=clock_of(now)())}")
    except DigestError as error:
        for line in str(error).splitlines():
            click.echo(f"digest: {line}", err=True)
        raise click.exceptions.Exit(_TRY_LATER) from error


def _mails(files: tuple[Path, ...]) -> Iterator[tuple[str, bytes]]:
    from digest.app.inbox import mails_at, read_mail

    for path in files:
        if path == Path("-"):
            yield "mail", read_mail(sys.stdin.buffer)
        else:
            yield from ((place.name, mail) for place, mail in mails_at(path))


COMMANDS: tuple[click.Command, ...] = (receive,)
