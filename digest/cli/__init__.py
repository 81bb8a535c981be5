"""The command line, `digest COMMAND`: each command calls one operation and prints the result."""

from __future__ import annotations

import gc
import logging
import os
import re
import sys
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from digest import __version__
from digest.model.errors import DigestError, hint
from subscribers.errors import SubscribersError

# The commands of each module, each with its short help. A module is imported only when one of its
# commands is used, because importing all of them takes longer than most commands run.
COMMANDS = {
    "setup": {
        "init": "Write a sample config.toml and two sample feeds.",
        "check": "Check the installation, or one EDITION, without sending anything.",
        "config": "Print all settings.",
    },
    "demo": {"demo": "Show the program at work, on this machine alone."},
    "feeds": {"feeds": "Show the state of each feed."},
    "posts": {
        "posts": "List the posts that were found last.",
        "topics": "Show the topics of DIGEST, and the rule that found each.",
    },
    "editions": {
        "compose": "Compose the next edition of DIGEST now.",
        "editions": "List the newest editions, or show one edition.",
    },
    "edits.stories": {
        "drop": "Take stories out of an edition for good.",
        "restore": "Take stories back that were dropped or deferred.",
        "defer": "Take stories out of an edition and keep them for a later one.",
        "move": "Put a story under a topic, or before another story.",
        "lead": "Make a story the lead of an edition.",
        "rewrite": "Rewrite the headline or the text of a story.",
        "picture": "Give a story another picture of its post, or none.",
        "note": "Put a note under a story.",
    },
    "edits.made": {
        "add": "Add a story of your own to an edition.",
        "split": "Split a story of several posts.",
        "merge": "Merge stories of an edition, or the editions of DIGEST that wait.",
    },
    "edits.editions": {
        "intro": "Replace the introduction of an edition.",
        "subject": "Replace the subject or the preheader of an edition.",
        "sponsor": "Replace the sponsor of an edition.",
        "heading": "Give a topic another title in an edition.",
        "undo": "Undo an edit.",
        "edits": "List the edits of an edition.",
    },
    "steps": {
        "correct": "Take the corrections of publishers into an edition.",
        "correction": "Put a correction on the web copy of an edition that has been sent.",
        "approve": "Approve a draft.",
        "unapprove": "Take the approval of an edition back.",
        "skip": "Skip one date of DIGEST.",
        "pause": "Pause an edition, before or during sending.",
        "resume": "Resume a paused edition.",
        "cancel": "Cancel an edition for good, before or during sending.",
    },
    "send": {
        "send": "Send an edition now, whatever its send time.",
        "deliveries": "Show the deliveries of an edition.",
        "retry": "Retry failed deliveries now.",
    },
    "operate": {
        "collect": "Fetch the feeds and save new posts.",
        "run": "Do everything that is due now, and exit.",
        "nodes": "Show which nodes work, on what, since when, and how fast.",
        "limits": "Show how much of each sending limit is used.",
        "rename": "Move the readers of a digest to its new slug.",
        "notices": "List the latest messages about accounts and to the staff, the newest first.",
    },
    "design": {
        "preview": "Write an edition to files, exactly as it would be sent.",
        "templates": "List, copy and compare the templates of emails and pages.",
    },
    "serve": {"serve": "Do everything when it is due, and serve the pages."},
    "work": {"work": "Do jobs, as one of several nodes that share a PostgreSQL database."},
    "people.subscribers": {"subscribers": "Manage the list of readers."},
    "people.staff": {"staff": "Manage the accounts of editors and operators."},
    "receive": {"receive": "Process incoming messages: unsubscribe requests and bounces."},
}
_CHATTY = ("apscheduler", "alembic", "httpx2")
_HANDLER = logging.StreamHandler()
_MODULES = {command: module for module, commands in COMMANDS.items() for command in commands}


class Program(click.Group):
    """The group of all commands: it suggests the nearest command and prints each error as one plain line."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(_MODULES)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module and return the command; None if there is no command of this name."""
        if cmd_name not in _MODULES:
            return None
        command: click.Command = getattr(import_module(f"digest.cli.{_MODULES[cmd_name]}"), cmd_name)
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[_MODULES[name]][name]) for name in sorted(_MODULES)])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; refuse one that is not UTF-8, because it could not be stored or printed."""
        for arg in args:
            if re.search("[\ud800-\udfff]", arg):  # Python stands these for bytes that it cannot decode
                shown = os.fsencode(arg).decode("utf-8", "backslashreplace")
                ctx.fail(f"the argument '{shown}' is not valid UTF-8")
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command, or fail and suggest the nearest name."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            ctx.fail(f"there is no command {name!r}{hint(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error that an operator can fix is printed in plain words, any other is a bug."""
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
    help="The configuration file; the variable DIGEST_CONFIG sets it too.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log to stderr what the program does.")
@click.version_option(__version__, prog_name="digest")
@click.pass_context
def program(ctx: click.Context, config_path: Path, verbose: bool) -> None:
    """Turn feeds into one calm email a day: collect posts, compose editions, send them.

    For help on a command: digest COMMAND --help
    """
    if verbose:
        log_everything()
    ctx.obj = config_path


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 wrong usage."""
    # Everything that is imported stays until the end, so looking for garbage in it took a quarter of a start.
    # `get_command` switches collection on again.
    gc.disable()
    if sys.getfilesystemencoding() == "ascii" and sys.executable:
        # Python usually switches to UTF-8 in the C locale, but it can be told not to. The paths and arguments
        # are decoded already, so only a new start helps.
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a title may hold letters that the terminal lacks
            stream.reconfigure(errors="backslashreplace")
    log_faults()
    program(prog_name="digest")


def log_faults() -> None:
    """Log errors only, because the commands print themselves what failed."""
    _HANDLER.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    _HANDLER.setLevel(logging.ERROR)
    logging.getLogger().addHandler(_HANDLER)


def log_everything() -> None:
    """Log what the program does, one line for each step."""
    _HANDLER.setLevel(logging.INFO)
    logging.getLogger().setLevel(logging.INFO)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
