"""The commands of a designer: templates and preview."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import click

from digest.cli.terminal import show
from digest.cli.terminal.session import Session, clock_of, json_option, pass_session, stop_on_signals
from digest.design.copies import (
    Comparison,
    TemplateStatus,
    compare,
    copies_text,
    copy_templates,
    list_templates,
)
from digest.editions.editions import find_edition, reader_count
from digest.editions.edits.correct import changes_text
from digest.editions.outlook.phases import Outlook
from digest.editions.outlook.sentence import sentence
from digest.editions.outlook.timeline import timeline
from digest.editions.preview import write_preview
from digest.model.editions import status_text
from digest.render.languages.languages import catalogues
from digest.web.preview import create_preview, serving_preview

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


# ── preview ─────────────────────────────────────────────────────────────────────────────────


@click.command(epilog="Example: digest preview daily --subscriber ada@example.org --open")
@click.argument("edition", required=False)
@click.option("--subscriber", metavar="ADDRESS", help="Show the edition as this subscriber would get it.")
@click.option(
    "--language",
    type=click.Choice(sorted(catalogues())),
    help="Show the edition as a reader who chose this language would get it.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("preview"),
    show_default=True,
    help="The folder for the files.",
)
@click.option("--open", "open_it", is_flag=True, help="Open the HTML file, or the page, in a browser.")
@click.option("--watch", is_flag=True, help="Show a page on this machine that follows every change.")
@pass_session
def preview(
    session: Session,
    edition: str | None,
    *,
    subscriber: str | None,
    language: str | None,
    out: Path,
    open_it: bool,
    watch: bool,
) -> None:
    """Write an edition to files, exactly as it would be sent.

    There are four files: .html, .txt, the complete message as .eml, and the page of the web archive as
    .web.html. EDITION is an id, or the slug of a digest, which stands for its newest edition. Nothing in
    the database changes.

    With --watch, the command writes no files. It serves a page to this machine alone that shows sample
    editions of your first digest, or of the digest EDITION, and the next real edition. They stand there
    wide and narrow, in light and dark mode, without images, from right to left, and as plain text. The
    page changes within a second when you save a template or config.toml, and shows your mistakes with file
    and line. Ctrl-C ends it.
    """
    if watch:
        _watch(session, edition or "", open_it=open_it)
        return
    if edition is None:
        raise click.UsageError("name an EDITION, or use --watch")
    with session.app() as app:
        record = find_edition(app.database, app.config, edition)
        written = write_preview(app, record, out, address=subscriber, language=language)
        now = clock_of(None)()
        readers = reader_count(app, record, now)
        changes = changes_text(app, record)
        digest = app.config.digest_or_none(record.edition.digest)
    for path in written.paths:
        click.echo(path)
    if record.is_ahead:
        click.echo(f"{record.edition.id} is {status_text(record)}; it {show.goes_to(readers)}")
        click.echo(f"hash {written.hash}")
        outlook = Outlook(record=record, digest=digest, readers=readers)
        line = timeline(outlook, now)
        click.echo(" ".join([sentence(outlook, now), *([line.label] if line else [])]))
    show.findings(written.findings)
    show.changes(record.edition.id, changes, err=True)
    if open_it:
        click.launch(written.paths[0].absolute().as_uri())


def _watch(session: Session, digest: str, *, open_it: bool) -> None:
    """Serve the live preview until Ctrl-C."""
    application = create_preview(session.config_path.absolute(), os.environ, clock_of(None))
    with stop_on_signals() as stop, serving_preview(application) as port:
        address = f"http://127.0.0.1:{port}/{f'?digest={quote(digest)}' if digest else ''}"
        click.echo(f"the live preview is at {address}\nto end it, press Ctrl-C")
        if open_it:
            click.launch(address)
        stop.wait()
