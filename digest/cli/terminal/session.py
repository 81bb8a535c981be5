"""The session that every command is given, and the options that commands share."""

from __future__ import annotations

import getpass
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import update_wrapper
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from types import FrameType
from typing import Any

import click

from digest.app import App, open_app
from digest.config import Config, load
from digest.editions.clocks import known_time


@dataclass(frozen=True, slots=True)
class Session:
    """One call of the command line, with the configuration file that it uses."""

    config_path: Path

    def config(self) -> Config:
        """Read the configuration; raises ConfigError."""
        return load(self.config_path, os.environ)

    @contextmanager
    def app(self) -> Iterator[App]:
        """Open the parts of the program, and close them at the end."""
        with open_app(self.config()) as app:
            yield app


def pass_session(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command its Session as the first argument."""

    @click.pass_obj
    def run(config_path: Path, *args: Any, **options: Any) -> Any:
        return command(Session(config_path), *args, **options)

    return update_wrapper(run, command)


class Moment(click.ParamType[datetime]):
    """A time in ISO 8601; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read the text of an option."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(str(value).strip())
        except ValueError:
            example = "2026-11-23T07:00 or 2026-11-23T07:00+01:00"
            self.fail(f"{value!r} is not a time. Examples: {example}", param, ctx)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def now_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option `--now TIME`, which replays a day."""
    help_text = "Run as if the current time were TIME (ISO 8601; UTC if no zone is given)."
    return click.option("--now", type=Moment(), metavar="TIME", help=help_text)(command)


def by_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option `--by NAME`, which names the person who acts."""
    help_text = "The name of the person who does this.  [default: your user name]"
    return click.option("--by", default=_user, metavar="NAME", help=help_text)(command)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "command line"


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option `--json`, which prints the result for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def limit_option(things: str, default: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds the option `--limit N`, which shortens a list of `things`."""
    return click.option(
        "--limit",
        type=click.IntRange(1, 10_000),
        default=default,
        show_default=True,
        help=f"List at most this many {things}.",
    )


def clock_of(now: datetime | None) -> Callable[[], datetime]:
    """Return a clock that stands still at `now`, or the machine's own."""
    if now is None:
        return lambda: datetime.now(UTC)
    return lambda: now


def yes_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option `--yes`, which answers the question about a `--now` that is far from the clock."""
    help_text = "Do not ask whether a --now that is far from the clock is meant, as scripts need."
    return click.option("--yes", is_flag=True, help=help_text)(command)


_FAR = timedelta(hours=25)  # from the clock: a day, also where it has 25 hours


def chosen_clock(app: App, now: datetime | None, *, yes: bool) -> Callable[[], datetime]:
    """Return the clock for a command that changes what is due; ask if `now` can only be a mistake.

    Mail would really go out, and rows of a far future hold up everything until that time. A database in which
    the last run was near `now`, as in a replay of past days, needs no question. A script gets a sentence
    instead of the question, and the exit code 2.
    """
    if now is None or yes or not app.config.mail.servers:
        return clock_of(now)
    clock = datetime.now(UTC)
    if all(abs(now - known) > _FAR for known in (clock, known_time(app.database)) if known):
        _ask(now, clock)
    return clock_of(now)


def _ask(now: datetime, clock: datetime) -> None:
    days = abs(now - clock).days
    side = "ahead of" if now > clock else "behind"
    what = f"--now {now:%Y-%m-%dT%H:%MZ} is {days:,} {'day' if days == 1 else 'days'} {side} the clock"
    if not sys.stdin.isatty():
        advice = "correct the time, or add --yes if this time is meant"
        click.echo(f"digest: {what}, and this configuration mails by SMTP: {advice}", err=True)
        raise click.exceptions.Exit(2)
    if not click.confirm(f"{what}, and mail is sent by SMTP. Run as if it were that time?"):
        click.echo("nothing was done", err=True)
        raise click.exceptions.Exit(1)


@contextmanager
def hangups() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether SIGHUP has arrived since its last call; SIGHUP ends nothing."""
    arrived: SimpleQueue[bool] = SimpleQueue()  # as in `stop_on_signals`
    before = signal.signal(signal.SIGHUP, lambda _number, _frame: arrived.put(True))

    def hung_up() -> bool:
        found = not arrived.empty()
        while not arrived.empty():
            arrived.get()
        return found

    try:
        yield hung_up
    finally:
        signal.signal(signal.SIGHUP, before)


_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_on_signals(
    numbers: Sequence[signal.Signals] = _SIGNALS, *, is_child: bool = False
) -> Iterator[Event]:
    """Give an event that the first signal sets; a second one ends the process as usual.

    A second one does nothing to a child, because systemd stops parent and child, and then the parent stops
    the child too. The child must be able to finish the messages in flight.
    """
    stop = Event()
    # A handler runs between any two steps of the main thread, perhaps while that thread holds the lock of
    # the event; setting the event there would wait for ever. A SimpleQueue can be used from any place.
    signals: SimpleQueue[bool] = SimpleQueue()
    listener = Thread(target=_listen, args=(signals, stop), name="signals", daemon=True)
    before = {number: signal.SIG_IGN if is_child else signal.getsignal(number) for number in numbers}

    def handle(_number: int, _frame: FrameType | None) -> None:
        signals.put(True)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    listener.start()
    for number in numbers:
        signal.signal(number, handle)
    try:
        yield stop
    finally:
        restore()
        signals.put(False)
        listener.join()


def _listen(signals: SimpleQueue[bool], stop: Event) -> None:
    if signals.get():
        stop.set()
