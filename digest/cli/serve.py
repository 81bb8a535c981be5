"""The command serve: do what is due, and serve the pages, until it is stopped."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from threading import Event

import click

from digest.cli import log_everything
from digest.cli.session import (
    Session,
    pass_session,
    stop_on_signals,
)
from digest.scheduler.service import serve as keep_serving
from digest.web.serving import serving


@click.command(epilog="Example: digest serve")
@click.option("--no-web", is_flag=True, help="Do not serve the readers' pages.")
@pass_session
def serve(session: Session, no_web: bool) -> None:
    """Do everything when it is due, and serve the pages.

    The command runs until it is stopped with SIGTERM or Ctrl-C. It then finishes the messages that are in
    flight; all others are sent after the next start. Several processes may use one database: each date of
    a schedule is done once, and each reader is mailed once.
    """
    log_everything()
    session.config().mail.require_passwords()
    bell = Event()  # the pages ring it when they have queued a notice
    pages = nullcontext if no_web else partial(serving, wake=bell.set)
    with session.app() as app, stop_on_signals() as stop, pages(app):
        keep_serving(app, stop, bell=bell)
