"""Commands that set up: init, check, config."""

from __future__ import annotations

import os
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from digest.cli import show
from digest.cli.session import Session, json_option, pass_session


@click.command(epilog="Example: digest init my-digest")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
def init(folder: Path) -> None:
    """Write a sample config.toml and feeds.

    They go into FOLDER, or here. It runs as it is: mail goes into a folder, and nothing can reach a
    person. Files that are there already are never touched.
    """
    from digest.app.samples import write_samples

    for path, written in write_samples(folder):
        click.echo(f"{'wrote' if written else 'kept '} {path}")
    where = "" if folder == Path() else f"cd {folder} && "
    click.echo(f"\nNext: {where}digest check")


@click.command(epilog="Example: digest check")
@json_option
@pass_session
def check(session: Session, as_json: bool) -> None:
    """Look for anything wrong, and send nothing.

    Looks at the configuration, the templates, the files of feeds, the secret, the database and the
    mail server. Lists what is wrong and what to do about it. Exits with 1 when something is.
    """
    from digest.app.check import check_all
    from digest.web.samples import page_samples

    findings = list(check_all(session.config_path, os.environ, datetime.now(UTC), pages=page_samples()))
    if as_json:
        show.facts([{"subject": each.subject, "ok": each.ok, "detail": each.detail} for each in findings])
    else:
        for each in findings:
            click.echo(f"{'ok   ' if each.ok else 'WRONG'}  {each.subject}: {each.detail}")
    if not all(each.ok for each in findings):
        raise click.exceptions.Exit(1)


@click.command(epilog="Example: digest config | grep digest")
@json_option
@pass_session
def config(session: Session, as_json: bool) -> None:
    """Print every setting in force.

    Each with where it comes from: a line of the file, a variable, or a default. Secrets are hidden.
    """
    settings = session.config().settings
    if as_json:
        show.facts(
            [{"key": each.key, "value": _plain(each.value), "source": each.source} for each in settings]
        )
        return
    for setting in settings:
        click.echo(f"{setting.key} = {setting.value}  # {setting.source}")


def _plain(written: str) -> Any:
    """Return the value of what is written as TOML; what only says that a secret is hidden stays as it is."""
    try:
        return tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        return written


COMMANDS: tuple[click.Command, ...] = (init, check, config)
