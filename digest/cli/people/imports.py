"""The commands subscribers import and subscribers export: read the list from CSV, and write it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, TextIO

import click

from digest.cli.terminal import show
from digest.cli.terminal.session import Session, clock_of, json_option, now_option, pass_session
from digest.readers.imports import Imported, ImportRequest, export_csv, open_import
from subscribers.files.csv_lines import Fault
from subscribers.rules.imports import ImportOutcome

_LINES_NAMED = 20  # for each fault, because more are a wall of numbers; --json has them all
_BECAME = {
    ImportOutcome.NEW: "new",
    ImportOutcome.ADDED: "added to another digest",
    ImportOutcome.KNOWN: "already known",
    ImportOutcome.LEFT: "unsubscribed earlier and not added",
    ImportOutcome.GONE: "recorded as unsubscribed",
    ImportOutcome.BOUNCED: "bounced and now suppressed",
    ImportOutcome.COMPLAINED: "complained and now suppressed",
    ImportOutcome.UNCONFIRMED: "not confirmed and not added",
    ImportOutcome.SUPPRESSED: "suppressed and not added",
}
# A list with these outcomes alone says of nobody that they must not be mailed, so nothing can be misread.
_PLAIN = frozenset(
    {
        ImportOutcome.NEW,
        ImportOutcome.ADDED,
        ImportOutcome.KNOWN,
        ImportOutcome.LEFT,
        ImportOutcome.SUPPRESSED,
    }
)
_WOULD = (
    ((ImportOutcome.NEW, ImportOutcome.ADDED), "would be active"),
    ((ImportOutcome.KNOWN,), "known already: nothing would change"),
    ((ImportOutcome.GONE, ImportOutcome.LEFT), "unsubscribed: would not be mailed"),
    ((ImportOutcome.BOUNCED,), "bounced: would be suppressed"),
    ((ImportOutcome.COMPLAINED,), "complained: would be suppressed"),
    ((ImportOutcome.UNCONFIRMED,), "not confirmed: would not be added"),
    ((ImportOutcome.SUPPRESSED,), "suppressed already: would not be added"),
)


@click.command("import", epilog='Example: digest subscribers import list.csv --source "May fair"')
@click.argument("file", type=click.File("rb"))
@click.option(
    "--source", required=True, help="Where these readers agreed; it is kept as evidence of consent."
)
@click.option(
    "--digest", "digests", multiple=True, help="The digest for lines that name none; may be repeated."
)
@click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="TAG=DIGEST:TOPIC",
    help='"Sport=daily:sport": readers with the tag Sport in the file get the digest daily with the topic '
    "sport; may be repeated.",
)
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="COLUMN",
    help="A column that is not read, because it does not say who may be mailed; may be repeated.",
)
@click.option("--yes", is_flag=True, help="Import without the dry run and the question, as scripts need.")
@now_option
@json_option
@pass_session
def import_(
    session: Session,
    file: BinaryIO,
    source: str,
    digests: tuple[str, ...],
    tags: tuple[str, ...],
    ignored: tuple[str, ...],
    yes: bool,
    now: datetime | None,
    as_json: bool,
) -> None:
    """Import readers from a CSV file.

    The readers must have agreed elsewhere. The file "-" is standard input. The file may be an export of
    Mailchimp, listmonk, Ghost, Substack, Buttondown, MailPoet, Mailtrain or Mailman, or any list whose first
    line names the columns: address (or email), and optionally digest, topics, hour, zone, frequency, state,
    format, language. People who unsubscribed, have not confirmed or are suppressed are not added. Addresses
    that bounced or complained elsewhere are suppressed. If an address is in several lines, the most
    restrictive line counts. If a column may say who must not be mailed and is not understood, nothing is
    imported.

    First a dry run shows what would happen, and the command asks whether to import. If there is nobody to
    ask, a plain list of readers is imported. A file that says of anybody that they must not be mailed needs
    --yes; without it, the command exits with 2. Lines that cannot be used are reported by number. The
    command exits with 1 if no line could be used.
    """
    at = clock_of(now)()
    with session.app() as app:
        only = tuple(digest.slug for digest in app.config.digests)
        request = ImportRequest(
            source=source,
            digests=digests or (only if len(only) == 1 else ()),
            ignored=ignored,
            tags=tags,
            file_name=Path(str(getattr(file, "name", ""))).name,
        )
        with open_import(app, file, request) as listed:
            if not yes:
                with show.bar("lines") as bar:
                    planned = listed.plan(at, _moving(bar))
                _show_plan(planned, as_json)
                _fail_if_empty(planned)
                _ask(planned, as_json)
            with show.bar("lines") as bar:
                imported = listed.write(at, _moving(bar))
    _show_import(imported, as_json, remarks=yes)
    _fail_if_empty(imported)


def _moving(bar: show.Bar) -> Callable[[int], None]:
    return lambda line: bar.to(line) if line % 1000 == 0 else None


def _fail_if_empty(imported: Imported) -> None:
    if not imported.outcomes:
        raise click.exceptions.Exit(1)


def _ask(planned: Imported, as_json: bool) -> None:
    """Ask whether to import. Where nobody can be asked, a plain list needs no answer."""
    if as_json or not sys.stdin.isatty():
        if not as_json and planned.outcomes.keys() <= _PLAIN:
            return
        click.echo("digest: nothing was imported; add --yes to import without a question", err=True)
        raise click.exceptions.Exit(2)
    if not click.confirm("Import these readers?"):
        click.echo("nothing was imported", err=True)
        raise click.exceptions.Exit(1)


def _show_plan(planned: Imported, as_json: bool) -> None:
    if as_json:
        show.facts({"dry_run": True, **_facts(planned)})
        return
    _show_remarks(planned)
    rows = [(sum(planned.outcomes[each] for each in outcomes), text) for outcomes, text in _WOULD]
    rows.append((len(planned.faults), "cannot be read: would be left out"))
    show.table(
        ("lines", "outcome"), [(f"{count:,}", text) for count, text in rows if count], right=("lines",)
    )


def _show_import(imported: Imported, as_json: bool, *, remarks: bool) -> None:
    if as_json:
        show.facts(_facts(imported))
        return
    if remarks:
        _show_remarks(imported)
    parts = [f"{count:,} {_BECAME[outcome]}" for outcome, count in imported.outcomes.items()]
    if left_out := len(imported.faults):
        parts.append(f"{show.counted(left_out, 'line')} left out")
    click.echo(", ".join(parts))


def _facts(imported: Imported) -> dict[str, object]:
    faults = [{"line": each.line, "column": each.field, "reason": each.reason} for each in imported.faults]
    return {
        "outcomes": {str(outcome): count for outcome, count in imported.outcomes.items()},
        "faults": faults,
        "notices": [{"line": each.line, "text": each.text} for each in imported.remarks],
    }


def _show_remarks(imported: Imported) -> None:
    for remark in imported.remarks:
        click.echo(f"line {remark.line}: {remark.text}", err=True)
    for (column, reason), lines in _by_reason(imported.faults).items():
        where = f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines[:_LINES_NAMED]))}"
        if more := len(lines[_LINES_NAMED:]):
            where += f" and {more:,} more"
        click.echo(f"{where}: {column}: {reason}" if column else f"{where}: {reason}", err=True)


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
