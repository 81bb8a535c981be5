"""Commands that set up: init, check, config."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from digest.check.check import check_all
from digest.cli import show
from digest.cli.session import Session, json_option, pass_session
from digest.model.errors import DigestError
from digest.model.shipped import shipped

_SAMPLES = ("config.toml", "samples/harbour-gazette.xml", "samples/orchard-notes.json")


class SampleError(DigestError):
    """A sample file cannot be written."""


def write_samples(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Write each sample file under `folder` and yield its path, with False if the file existed already.

    Raises SampleError if the folder or a file cannot be made.
    """
    for name in _SAMPLES:
        target = folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write(shipped(name).read_bytes())
        except FileExistsError:
            yield target, False
        except OSError as error:
            raise SampleError(f"{target}: cannot be written: {error.strerror}") from error
        else:
            yield target, True


@click.command(epilog="Example: digest init my-digest")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
def init(folder: Path) -> None:
    """Write a sample config.toml and two sample feeds.

    The files are written into FOLDER, or into the current folder. The sample works without changes:
    emails are written into a folder, and nothing can reach a person. Existing files are not changed.
    """
    for path, written in write_samples(folder):
        click.echo(f"{'wrote' if written else 'kept '} {path}")
    where = "" if folder == Path() else f"cd {folder} && "
    click.echo(f"\nNext: {where}digest check")


@click.command(epilog="Example: digest check")
@json_option
@pass_session
def check(session: Session, as_json: bool) -> None:
    """Check the installation without sending anything.

    The command checks the configuration, the templates, the secret, the database and the mail server. It
    asks each feed for its posts and tags, and says how many of the posts match each topic. It renders the
    emails of each digest, with its own topics and the posts that wait, in each language, and checks them as
    before sending. It lists what is wrong and how to fix it, and exits with 1 if anything is wrong. A feed
    that fails now is a warning.
    """
    findings = list(check_all(session.config_path, os.environ, datetime.now(UTC)))
    if as_json:
        show.facts(
            [
                {"subject": each.subject, "ok": each.ok, "warning": each.warning, "detail": each.detail}
                for each in findings
            ]
        )
    else:
        for each in findings:
            level = "WRONG" if not each.ok else "warn " if each.warning else "ok   "
            click.echo(f"{level}  {each.subject}: {each.detail}")
    if not all(each.ok for each in findings):
        raise click.exceptions.Exit(1)


@click.command(epilog="Example: digest config | grep digest")
@json_option
@pass_session
def config(session: Session, as_json: bool) -> None:
    """Print all settings.

    Each setting is printed with its source: a line of the file, a variable, or a default. Secrets are
    hidden.
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
    """Return the value of a TOML text; a text that is not TOML, such as "(hidden)", is returned unchanged."""
    try:
        return tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        return written
