"""The command work: do the jobs of one node, until it is stopped."""

from __future__ import annotations

import logging
import os
import signal
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path

import click

from digest.app import open_app
from digest.check.server import require_own_sessions
from digest.cli import log_everything, log_faults
from digest.cli.terminal.session import Session, hangups, pass_session, stop_on_signals
from digest.config import Config
from digest.engine.supervisor import supervise
from digest.engine.worker import Terms
from digest.model.errors import ConfigError, DigestError, OutageError
from digest.model.nodes import SPARE_CONNECTIONS
from digest.schedule.jobs import QUEUES
from digest.scheduler.node import work as work_as_node

log = logging.getLogger(__name__)

_AWAY = 75  # the exit code of a child that cannot begin now (EX_TEMPFAIL)


class _Queues(click.ParamType[tuple[str, ...]]):
    name = "queues"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Read a list of queues."""
        if isinstance(value, tuple):
            return value
        names = tuple(filter(None, (name.strip() for name in str(value).split(","))))
        unknown = [name for name in names if name not in QUEUES]
        if unknown or not names:
            self.fail(
                f"{', '.join(unknown) or 'nothing'} is no queue; there are {', '.join(QUEUES)}", param, ctx
            )
        return names


@click.command(epilog="Example: digest work --queues send --lines 40")
@click.option(
    "--queues",
    type=_Queues(),
    default=QUEUES,
    metavar="NAMES",
    help=f"Do only the jobs of these queues, as in send,collect.  [default: all: {', '.join(QUEUES)}]",
)
@click.option(
    "--lines",
    type=click.IntRange(1, 200),
    default=4,
    show_default=True,
    help="How many jobs are done at the same time.",
)
@pass_session
def work(session: Session, queues: tuple[str, ...], lines: int) -> None:
    """Do jobs, as one of several nodes that share a PostgreSQL database.

    `digest serve` finds what is due, and nodes do it: they collect, compose and send. Any number of nodes may
    run, on any number of machines. Each line does one job at a time. A line that sends has its share of the
    connections to the mail server, but at least one.

    The command runs until it is stopped with SIGTERM or Ctrl-C, and then finishes the messages in flight. It
    is its own supervisor: it starts its worker again when that has ended. On SIGHUP, the worker is stopped in
    order, and another one reads config.toml again, unless it has a mistake.
    """
    log_everything()
    _require_engine(session.config())
    _require_database(session)
    start = partial(start_worker, session.config_path, queues, lines)
    with hangups() as hung_up, stop_on_signals() as stop:
        code = supervise(start, stop, lambda: hung_up() and _is_usable(session))
    raise click.exceptions.Exit(code)


def _require_engine(config: Config) -> None:
    """Raise ConfigError if there are no jobs to do."""
    config.mail.require_passwords()
    if config.has_engine:
        return
    if config.database_url.startswith("sqlite:"):
        message = (
            "`digest work` needs PostgreSQL, because several processes share its jobs."
            " With SQLite, `digest serve` does all the work itself"
        )
        raise ConfigError((config.problem("database.url", message),))
    message = (
        '`digest work` has nothing to do while the engine is "none": set engine = "procrastinate" in [jobs]'
    )
    raise ConfigError((config.problem("jobs.engine", message),))


def _require_database(session: Session) -> None:
    """Raise errors that a later start would meet again, such as tables of a newer version.

    A database that is away is no such error.
    """
    try:
        with session.app() as app:
            require_own_sessions(app.database)
    except OutageError as error:
        log.error("%s; it is tried again until it answers", error)


def _is_usable(session: Session) -> bool:
    """Tell whether another worker can begin with config.toml as it is now; log why not."""
    try:
        _require_engine(session.config())
    except DigestError as error:
        for line in str(error).splitlines():
            log.error("not reloaded, the worker goes on with the earlier configuration: %s", line)
        return False
    return True


def start_worker(config_path: Path, queues: tuple[str, ...], lines: int) -> BaseProcess:
    """Start the process that does the jobs; it ends by itself if it cannot begin now."""
    # A new interpreter, because a copy of this one would share its threads' locks and the signal handlers.
    process = get_context("spawn").Process(target=_work, args=(config_path, queues, lines), name="worker")
    process.start()
    return process


def _work(config_path: Path, queues: tuple[str, ...], lines: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor gets it, too, and stops this process
    log_faults()
    log_everything()
    supervisor = parent_process()
    try:
        with stop_on_signals((signal.SIGTERM,), is_child=True) as stop:
            config = Session(config_path).config()
            with open_app(config, connections=lines + SPARE_CONNECTIONS) as app:
                require_own_sessions(app.database)  # the supervisor may have begun while it was away
                code = work_as_node(
                    app,
                    Terms(queues=queues, lines=lines),
                    stop,
                    is_orphan=lambda: supervisor is not None and not supervisor.is_alive(),
                )
    except DigestError as error:
        for line in str(error).splitlines():
            click.echo(f"digest: {line}", err=True)
        code = _AWAY
    except Exception:
        log.exception("the worker has failed")
        code = 1
    os._exit(code)  # a line that does not end must not keep the process alive
