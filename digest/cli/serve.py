"""The command serve: do what is due, and serve the pages, until it is stopped."""

from __future__ import annotations

import logging
from contextlib import closing
from threading import Event

import click

from digest.app import App, reopen_app
from digest.check.check import check_templates
from digest.cli import log_everything
from digest.cli.terminal.session import Session, hangups, pass_session, stop_on_signals
from digest.model.errors import DigestError
from digest.scheduler.service import Service
from digest.web.serving import Pages

log = logging.getLogger(__name__)


@click.command(epilog="Example: digest serve")
@click.option("--no-web", is_flag=True, help="Do not serve the readers' pages.")
@pass_session
def serve(session: Session, no_web: bool) -> None:
    """Do everything when it is due, and serve the pages.

    The command runs until it is stopped with SIGTERM or Ctrl-C. It then finishes the messages that are in
    flight; all others are sent after the next start. Several processes may use one database: each date of
    a schedule is done once, and each reader is mailed once.

    On SIGHUP, the command reads config.toml and the templates again and goes on with them. If they have a
    mistake, it logs the mistake and goes on with the earlier ones.
    """
    log_everything()
    session.config().mail.require_passwords()
    bell = Event()  # the pages ring it when they have queued a notice
    with hangups() as hung_up, session.app() as app, stop_on_signals() as stop:
        asked: list[App] = []  # apps of configurations that a page has changed and that are shown already

        def changed_by_a_page() -> App:
            changed = _reopened(session, app, pages)
            asked.append(changed)
            return changed

        pages = Pages(bell.set, changed_by_a_page)
        with closing(pages):
            if not no_web:
                pages.show(app)

            def reloaded(app: App) -> App | None:
                if asked:
                    return asked.pop(0)
                return _reload(session, app, None if no_web else pages) if hung_up() else None

            Service(app=app, stop=stop, bell=bell, serves_pages=not no_web, reloaded=reloaded).run()


def _reopened(session: Session, app: App, pages: Pages | None) -> App:
    """Return the app of the changed configuration, and show its pages. Raises DigestError."""
    config = session.config()
    changed = reopen_app(config, app)
    check_templates(config)
    if pages is not None:
        pages.show(changed)
    return changed


def _reload(session: Session, app: App, pages: Pages | None) -> App | None:
    """Return the app of the changed configuration, or log why it cannot be used."""
    try:
        return _reopened(session, app, pages)
    except DigestError as error:
        for line in str(error).splitlines():
            log.error("not reloaded, the earlier configuration stays in use: %s", line)
        return None
    except Exception:  # a bug must not end a process that is sending
        log.exception("not reloaded, the earlier configuration stays in use")
        return None
