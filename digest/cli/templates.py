"""The command templates: list the templates, copy them into a folder of your own, and compare the copies."""

from __future__ import annotations

import click

from digest.cli.terminal import show
from digest.cli.terminal.session import Session, json_option, pass_session
from digest.design.copies import (
    Comparison,
    TemplateStatus,
    compare,
    copies_text,
    copy_templates,
    list_templates,
)

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.group()
def templates() -> None:
    """List, copy and compare the templates of emails and pages."""


@templates.command("list", epilog="Example: digest templates list")
@json_option
@pass_session
def list_all(session: Session, as_json: bool) -> None:
    """List all templates.

    For each template, the command says what it is for, and whether you have replaced it. A copy is of an
    earlier version if the original has changed since the copy was made.
    """
    config = session.config()
    found = list_templates(config)
    if as_json:
        show.facts([_facts(each) for each in found])
        return
    show.table(
        ("template", "what it is for", "yours"), [(each.name, each.purpose, each.text) for each in found]
    )
    if old := copies_text(config):
        click.echo(f"\n{old}")
    click.echo("\nto change one: digest templates copy NAME")


def _facts(status: TemplateStatus) -> dict[str, object]:
    state = status.own.state if status.own else None
    return {"name": status.name, "purpose": status.purpose, "own": state}


@templates.command(epilog="Example: digest templates copy mail/_masthead.html mail/_masthead.txt")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@pass_session
def copy(session: Session, names: tuple[str, ...]) -> None:
    """Copy templates into the folder of your own templates.

    The folder is `templates` under [site] in config.toml. A file that is there already is never
    overwritten. The original is kept in `originals/` beside it, so that a later version of the program can
    say what has changed in the original since you copied it.
    """
    kept = False
    for path, written in copy_templates(session.config(), names):
        click.echo(f"wrote {path}" if written else f"kept  {path}, which exists already", err=not written)
        kept |= not written
    if kept:
        raise click.exceptions.Exit(1)


@templates.command(epilog="Example: digest templates diff mail/_masthead.html")
@click.argument("name")
@pass_session
def diff(session: Session, name: str) -> None:
    """Compare your copy of a template with its original.

    If the original has changed since you copied it, the command also shows your own changes and those of
    the original. To take a new original: move your copy away, copy the template again, and make your
    changes in the new copy.
    """
    for comparison in compare(session.config(), name):
        _show(comparison)


def _show(comparison: Comparison) -> None:
    click.secho(f"# {comparison.title}{'' if comparison.lines else ': they are the same'}", bold=True)
    for line in comparison.lines:
        click.secho(line, fg=_COLOURS.get(line[:1]))
