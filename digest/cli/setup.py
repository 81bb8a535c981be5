"""Commands to begin with: init, check, config."""

from __future__ import annotations

import os
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from digest.check.check import check_all
from digest.cli.feeds import find_and_choose, show_topics
from digest.cli.terminal import show
from digest.cli.terminal.preflight import check_edition
from digest.cli.terminal.session import Session, json_option, pass_session
from digest.model.posts import FetchLimits
from digest.sources.start import CONFIG, is_quiet, require_none, write_config, write_samples


@click.command(epilog="Example: digest init my-digest --from www.example.org")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option(
    "--from",
    "address",
    metavar="ADDRESS",
    help="Find the feeds of this site and write a config.toml for them, instead of the sample feeds.",
)
def init(folder: Path, address: str | None) -> None:
    """Write a sample config.toml and two sample feeds.

    The files are written into FOLDER, or into the current folder. The sample works without changes:
    emails are written into a folder, and nothing can reach a person. Existing files are not changed.

    With --from, the feeds of a site are found and shown as by `digest feeds add`. The configuration takes
    the name and the language of the first feed, and the topics are the publisher's own sections.
    """
    if address is not None:
        init_from(folder, address, FetchLimits())
        return
    for path, written in write_samples(folder):
        click.echo(f"{'wrote' if written else 'kept '} {path}")
    click.echo(f"\nNext: {_into(folder)}digest check")


def init_from(folder: Path, address: str, limits: FetchLimits) -> None:
    """Find the feeds of a site, and write a configuration for those that are chosen."""
    require_none(folder / CONFIG)
    try:
        chosen = find_and_choose(address, limits, f"digest init {folder} --from")
    except click.exceptions.Exit as ended:
        if ended.exit_code == 1:
            click.echo(
                f"Nothing was written. To begin without a site: digest init {folder}; to add feeds to its "
                "config.toml later: digest feeds add ADDRESS",
                err=True,
            )
        raise
    path, topics = write_config(folder, chosen)
    click.echo(f"\nwrote {path}")
    show_topics(topics)
    if is_quiet(chosen, datetime.now(UTC)):
        click.echo(
            "note: there is no post of the last seven days, so `digest compose` begins with the ten newest"
        )
    click.echo(
        f"\nNext: {_into(folder)}digest collect && digest compose daily && digest preview daily --open"
    )


def _into(folder: Path) -> str:
    return "" if folder == Path() else f"cd {folder} && "


@click.command(epilog="Example: digest check daily-2026-11-23")
@click.argument("edition", required=False)
@json_option
@pass_session
def check(session: Session, edition: str | None, as_json: bool) -> None:
    """Check the installation, or one EDITION, without sending anything.

    The command checks the configuration, the templates, the secret, the database and the mail server. It
    says what a PostgreSQL server can forget in a crash or a failover, and whether it has connections for
    all nodes. It asks each feed for its posts and tags, and says how many of the posts match each topic. It
    renders the emails of each digest, with its own topics and the posts that wait, in each language, and
    checks them as before sending. It lists what is wrong and how to fix it, and exits with 1 if anything is
    wrong. A feed that fails now is a warning.

    With EDITION, which is an id or the slug of a digest, the command runs the preflight of this edition. It
    asks each link once, at most one a second at each host, and SpamAssassin if it is installed. It exits
    with 1 if a finding blocks the edition.
    """
    if edition is not None:
        check_edition(session, edition, as_json=as_json)
        return
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
