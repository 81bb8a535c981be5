"""The commands subscribers import and subscribers export: read the list from CSV, and write it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import BinaryIO, TextIO

import click

from digest.cli import show
from digest.cli.session import Session, clock_of, json_option, now_option, pass_session
from digest.readers.imports import Imported, export_csv, import_readers
from subscribers.files.csv_lines import Fault

_LINES_NAMED = 20  # for each fault, because more are a wall of numbers; --json has them all
_BECAME = {
    "new": "new",
    "added": "added to another digest",
    "known": "already known",
    "left": "unsubscribed earlier and not added",
    "gone": "recorded as unsubscribed",
    "suppressed": "suppressed and not added",
}


@click.command("import", epilog='Example: digest subscribers import list.csv --source "May fair"')
@click.argument("file", type=click.File("rb"))
@click.option(
    "--source", required=True, help="Where these readers agreed; it is kept as evidence of consent."
)
@click.option(
    "--digest", "digests", multiple=True, help="The digest for lines that name none; may be repeated."
)
@now_option
@json_option
@pass_session
def import_(
    session: Session,
    file: BinaryIO,
    source: str,
    digests: tuple[str, ...],
    now: datetime | None,
    as_json: bool,
) -> None:
    """Import readers from a CSV file.

    The readers must have agreed elsewhere. The file "-" is standard input. The first line names the
    columns: address (or email), and optionally digest, topics, hour, zone, frequency, state, format,
    language. Lines that cannot be used are reported by number, and all others are imported. People who
    unsubscribed or are suppressed are not added. The command exits with 1 if no line could be used.
    """
    with session.app() as app, show.bar("lines") as bar:
        only = tuple(digest.slug for digest in app.config.digests)
        imported = import_readers(
            app,
            file,
            digests or (only if len(only) == 1 else ()),
            source=source,
            now=clock_of(now)(),
            progress=lambda line: bar.to(line) if line % 1000 == 0 else None,
        )
    _show_import(imported, as_json)
    if not imported.outcomes:
        raise click.exceptions.Exit(1)


def _show_import(imported: Imported, as_json: bool) -> None:
    if as_json:
        faults = [
            {"line": each.line, "column": each.field, "reason": each.reason} for each in imported.faults
        ]
        remarks = [{"line": each.line, "text": each.text} for each in imported.remarks]
        show.facts(
            {
                "outcomes": {str(outcome): count for outcome, count in imported.outcomes.items()},
                "faults": faults,
                "notices": remarks,
            }
        )
        return
    for remark in imported.remarks:
        click.echo(f"line {remark.line}: {remark.text}", err=True)
    for (column, reason), lines in _by_reason(imported.faults).items():
        where = f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines[:_LINES_NAMED]))}"
        if more := len(lines[_LINES_NAMED:]):
            where += f" and {more:,} more"
        click.echo(f"{where}: {column}: {reason}" if column else f"{where}: {reason}", err=True)
    parts = [f"{count:,} {_BECAME[outcome]}" for outcome, count in imported.outcomes.items()]
    if left_out := len(imported.faults):
        parts.append(f"{show.counted(left_out, 'line')} left out")
    click.echo(", ".join(parts))


def _by_reason(faults: Iterable[Fault]) -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = {}
    for fault in faults:
        found.setdefault((fault.field, fault.reason), []).append(fault.line)
    return found


@click.command(epilog="Example: digest subscribers export --out list.csv")
@click.option(
    "--out",
    type=click.File("w", encoding="utf-8", atomic=True),
    default="-",
    help='The file to write; "-" is standard output.  [default: -]',
)
@pass_session
def export(session: Session, out: TextIO) -> None:
    """Write the whole list as CSV.

    The command `digest subscribers import` can read the file again.
    """
    with session.app() as app:
        for piece in export_csv(app.database):
            out.write(piece.replace("\r\n", "\n"))
