"""Make edits for a command, and print what they have done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

from digest.app import App
from digest.cli.terminal.session import Session, by_option, clock_of, now_option, pass_session
from digest.compose.edits.operations import Operation
from digest.editions.compose import stories_text
from digest.editions.editions import find_edition
from digest.editions.edits.edits import EditedEdition, Editor, edit, read_edits

Make = Callable[[EditedEdition], Sequence[Operation]]
MakeWith = Callable[[App, EditedEdition], Sequence[Operation]]


def edit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that edits: `--by` and `--now`; the first argument is the Session."""
    return by_option(now_option(pass_session(command)))


def make_edits(session: Session, edition: str, make: Make, by: str, now: datetime | None) -> None:
    """Append the edits that `make` returns for an edition, and print them.

    `edition` is an id, or the slug of a digest, which stands for its newest edition.
    """
    make_edits_with(session, edition, lambda _, seen: make(seen), by, now)


def make_edits_with(session: Session, edition: str, make: MakeWith, by: str, now: datetime | None) -> None:
    """Do the same as `make_edits` with a `make` that looks something up."""
    with session.app() as app:
        found = find_edition(app.database, app.config, edition).edition.id
        seen = read_edits(app.database, found)
        operations = make(app, seen)
        editor = Editor(name=by, seen=len(seen.edits), now=clock_of(now)())
        edited = edit(app.database, found, operations, editor)
    for each in edited.edits[-len(operations) :]:
        click.echo(f"edit {each.number}: {edited.sentence(each)}")
    click.echo(f"{found} is a draft with {stories_text(edited.record.edition)}; to undo: digest undo {found}")
