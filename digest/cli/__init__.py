"""The command line: `digest COMMAND`. Each command parses, calls one verb, and shows what it did."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from digest import __version__
from digest.cli import demo, editions, feeds, limits, operate, receive, sending, setup, subscribers
from digest.cli.logs import log_everything, log_faults
from digest.cli.session import Session
from digest.errors import DigestError
from digest.nearest import hint
from subscribers.errors import SubscribersError


class Program(click.Group):
    """The group of all commands: says what was meant, and turns errors into one plain line each."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, or name the nearest one."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            ctx.fail(f"there is no command {name!r}{hint(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what an operator can mend is said in plain words, anything else shows itself."""
        try:
            return super().invoke(ctx)
        except (DigestError, SubscribersError) as error:
            for line in str(error).splitlines():
                click.echo(f"digest: {line}", err=True)
            ctx.exit(1)


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: digest init my-digest",
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("config.toml"),
    envvar="DIGEST_CONFIG",
    show_default=True,
    help="The configuration; also from the variable DIGEST_CONFIG.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show what is done, on stderr.")
@click.version_option(__version__, prog_name="digest")
@click.pass_context
def program(ctx: click.Context, config_path: Path, verbose: bool) -> None:
    """Feeds in, one calm mail a day out: collect posts, compose editions, send them.

    Every command explains itself: digest COMMAND --help
    """
    if verbose:
        log_everything()
    ctx.obj = Session(config_path)


for module in (setup, feeds, editions, sending, limits, operate, subscribers, receive, demo):
    for command in module.COMMANDS:
        program.add_command(command)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 wrong use."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a title in another script must not fail on a plain terminal
            stream.reconfigure(errors="backslashreplace")
    log_faults()
    program(prog_name="digest")
