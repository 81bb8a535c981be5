"""Commands about the list: subscribers add, list, import, export, remove, suppress, bounces."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, TextIO

import click

from digest.cli import show
from digest.cli.bounces import bounces
from digest.cli.history import history
from digest.cli.session import Session, clock_of, json_option, now_option, pass_session

if TYPE_CHECKING:
    from digest.app.readers import Imported
    from subscribers.csvlines import Fault
    from subscribers.model import Preferences, Reader


@click.group()
def subscribers() -> None:
    """Keep the list of readers.

    Who is on it, and who must not be mailed. Addresses are shown only where they are asked for: here by
    `list`, `history`, `bounces` and `export`.
    """


@subscribers.command(epilog="Example: digest subscribers add ada@example.org --digest daily --topics city")
@click.argument("address")
@click.option(
    "--digest", "digests", multiple=True, help="A digest they get; may be repeated.  [default: all]"
)
@click.option("--topics", default="", help='"city,green": only these. "-city": all but this. None: all.')
@click.option("--hour", default="", help='Their own hour, "07:30".  [default: when the edition goes]')
@click.option("--zone", default="", help='Their time zone, "Europe/Berlin".  [default: that of the digest]')
@click.option(
    "--frequency",
    type=click.Choice(("each", "daily", "weekly")),
    default="each",
    show_default=True,
    help="Each edition, or gathered, where the digest offers it.",
)
@click.option(
    "--source", default="command line", show_default=True, help="Where they agreed; kept as evidence."
)
@now_option
@pass_session
def add(
    session: Session,
    address: str,
    digests: tuple[str, ...],
    topics: str,
    hour: str,
    zone: str,
    frequency: str,
    source: str,
    now: datetime | None,
) -> None:
    """Add a reader who has agreed elsewhere.

    Who left or is suppressed stays out.
    """
    from digest.app.readers import add_reader, wish

    with session.app() as app:
        chosen = digests or tuple(digest.slug for digest in app.config.digests)
        for slug in chosen:
            app.config.digest(slug)
        wishes = [wish(slug, topics=topics, hour=hour, zone=zone, frequency=frequency) for slug in chosen]
        outcome = add_reader(app, address, wishes, source=source, now=clock_of(now)())
    click.echo(_OUTCOMES[outcome])
    if outcome in ("left", "suppressed"):
        raise click.exceptions.Exit(1)


_OUTCOMES = {
    "new": "added",
    "added": "was on the list already, and gets one digest more",
    "known": "is on the list already; nothing was changed",
    "left": "has left, and stays out until they sign up anew themselves",
    "gone": "noted as left elsewhere",
    "suppressed": "is suppressed and will not be mailed",
}


@subscribers.command("list", epilog="Example: digest subscribers list --digest daily --state active")
@click.option("--digest", help="Only those who ever chose this digest.")
@click.option(
    "--state", type=click.Choice(("pending", "active", "unsubscribed")), help="Only those in this state."
)
@click.option("--begins", default="", metavar="TEXT", help="Only addresses that begin so.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@json_option
@pass_session
def list_(
    session: Session, digest: str | None, state: str | None, begins: str, limit: int, as_json: bool
) -> None:
    """List readers with what each asked for."""
    from digest.app.readers import find_readers

    with session.app() as app:
        found = find_readers(app, digest=digest, state=state, prefix=begins, limit=limit)
    if as_json:
        show.facts([_reader_facts(reader) for reader in found])
        return
    rows = [_reader_row(reader) for reader in found]
    show.table(("address", "state", "digests"), rows)


def _reader_row(reader: Reader) -> tuple[object, ...]:
    assert reader.subscriber is not None
    digests = [
        f"{each.digest}{f' ({chosen})' if (chosen := _chosen(each.preferences)) else ''}"
        for each in reader.subscriptions
        if reader.reads(each.digest)
    ]
    state = "suppressed" if reader.suppression else reader.subscriber.state
    return reader.subscriber.address, state, digests


def _chosen(preferences: Preferences) -> str:
    frequency = "" if preferences.frequency == "each" else preferences.frequency
    hour = f"at {preferences.hour}" if preferences.hour else ""
    return " ".join(part for part in (frequency, str(preferences.topics), hour) if part)


def _reader_facts(reader: Reader) -> dict[str, object]:
    assert reader.subscriber is not None
    return {
        "id": str(reader.subscriber.id),  # beyond what a number holds in JavaScript
        "address": reader.subscriber.address,
        "state": reader.subscriber.state,
        "language": reader.subscriber.language,
        "format": reader.subscriber.format,
        "suppressed": reader.suppression.reason if reader.suppression else None,
        "confirmed_at": reader.subscriber.confirmed_at,
        "digests": [
            {
                "digest": each.digest,
                "state": each.state,
                "topics": str(each.preferences.topics),
                "hour": each.preferences.hour,
                "zone": each.preferences.zone,
                "frequency": each.preferences.frequency,
                "paused_until": each.paused_until,
            }
            for each in reader.subscriptions
        ],
    }


@subscribers.command("import", epilog='Example: digest subscribers import list.csv --source "May fair"')
@click.argument("file", type=click.File("rb"))
@click.option("--source", required=True, help="Where these readers agreed; kept as evidence of consent.")
@click.option("--digest", "digests", multiple=True, help="For lines that name no digest; may be repeated.")
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
    """Take in a CSV file of readers.

    They have agreed elsewhere; "-" reads from standard input. The first line names the columns:
    address (or email), and if you like digest, topics, hour, zone, frequency, state, format, language.
    A line that cannot be used is named with its number, and the rest is taken in. Who left here, or is
    suppressed, stays out. Exits with 1 when no line could be used.
    """
    from digest.app.readers import import_readers

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
        notices = [{"line": each.line, "text": each.text} for each in imported.notices]
        show.facts(
            {
                "outcomes": {str(outcome): count for outcome, count in imported.outcomes.items()},
                "faults": faults,
                "notices": notices,
            }
        )
        return
    for notice in imported.notices:
        click.echo(f"line {notice.line}: {notice.text}", err=True)
    for (column, reason), lines in _by_reason(imported.faults).items():
        where = f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines[:_LINES_NAMED]))}"
        if more := len(lines[_LINES_NAMED:]):
            where += f" and {more:,} more"
        click.echo(f"{where}: {column}: {reason}" if column else f"{where}: {reason}", err=True)
    parts = [f"{count:,} {_BECAME[outcome]}" for outcome, count in imported.outcomes.items()]
    if left_out := len(imported.faults):
        parts.append(f"{left_out:,} line{'s' if left_out > 1 else ''} left out")
    click.echo(", ".join(parts))


_LINES_NAMED = 20  # with one fault; more are a wall of numbers, and --json has them all
_BECAME = {
    "new": "new",
    "added": "with a digest more",
    "known": "known already",
    "left": "left here before and stay out",
    "gone": "noted as left elsewhere",
    "suppressed": "suppressed and stay out",
}


def _by_reason(faults: Iterable[Fault]) -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = {}
    for fault in faults:
        found.setdefault((fault.field, fault.reason), []).append(fault.line)
    return found


@subscribers.command(epilog="Example: digest subscribers export --out list.csv")
@click.option(
    "--out", type=click.File("w", encoding="utf-8", atomic=True), default="-", help="A file.  [default: -]"
)
@pass_session
def export(session: Session, out: TextIO) -> None:
    """Write the whole list as CSV.

    What was written, `import` reads again.
    """
    from digest.app.readers import export_csv

    with session.app() as app:
        for piece in export_csv(app):
            out.write(piece.replace("\r\n", "\n"))


@subscribers.command(epilog="Example: digest subscribers remove ada@example.org --digest daily")
@click.argument("address")
@click.option("--digest", help="Only this digest.  [default: all]")
@click.option(
    "--forget", is_flag=True, help="Erase all that is kept; only a keyed hash stays, which keeps them out."
)
@now_option
@pass_session
def remove(session: Session, address: str, digest: str | None, forget: bool, now: datetime | None) -> None:
    """Take a reader off the list.

    Off one digest or all; no import brings them back.
    """
    from digest.app.readers import remove_reader

    if forget and digest:
        raise click.UsageError("--forget erases everything: leave --digest out")
    with session.app() as app:
        remove_reader(app, address, digest, forget=forget, now=clock_of(now)())
    click.echo("forgotten" if forget else "removed")


@subscribers.command(epilog='Example: digest subscribers suppress ada@example.org --note "asked by phone"')
@click.argument("address")
@click.option("--note", default="", help="Why; kept.")
@click.option("--lift", is_flag=True, help="Let the address be mailed again instead.")
@now_option
@pass_session
def suppress(session: Session, address: str, note: str, lift: bool, now: datetime | None) -> None:
    """Never mail an address.

    Whether it is on the list or not.
    """
    from digest.app.readers import lift_suppression, suppress_address

    with session.app() as app:
        if not lift:
            suppress_address(app, address, note=note, now=clock_of(now)())
            click.echo("suppressed")
            return
        was_suppressed = lift_suppression(app, address)
    click.echo("not suppressed any more" if was_suppressed else "was not suppressed")


subscribers.add_command(history)
subscribers.add_command(bounces)

COMMANDS: tuple[click.Command, ...] = (subscribers,)
