"""What every command is given: the configuration it works with, and the options all commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:  # what commands import when they run would make every start slow
    from digest.app import App
    from digest.config import Config


@dataclass(frozen=True, slots=True)
class Session:
    """One call of the command line."""

    config_path: Path

    def config(self) -> Config:
        """Read the configuration; raises ConfigError."""
        from digest.config import load

        return load(self.config_path, os.environ)

    @contextmanager
    def app(self) -> Iterator[App]:
        """Give all the parts, and close them at the end."""
        from digest.app import open_app

        with open_app(self.config()) as app:
            yield app


pass_session = click.make_pass_decorator(Session)


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
            self.fail(f"{value!r} is not a time: write for example {example}", param, ctx)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def now_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--now TIME`: do as if it were that time, to replay a day."""
    help_text = "Do as if it were that time (ISO 8601, UTC without a zone)."
    return click.option("--now", type=Moment(), metavar="TIME", help=help_text)(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`: print facts for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")(command)


def clock_of(now: datetime | None) -> Callable[[], datetime]:
    """Return a clock that stands still at `now`, or the machine's own."""
    if now is None:
        return lambda: datetime.now(UTC)
    return lambda: now
