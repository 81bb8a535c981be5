"""Run the preflight of one edition, and print what it found."""

from __future__ import annotations

import click

from digest.cli.terminal import show
from digest.cli.terminal.session import Session, clock_of
from digest.editions.checks.links import check_links
from digest.editions.editions import find_edition
from digest.editions.preflight import Inspection, ask_spamassassin, inspection_of
from digest.model.editions import Edition
from digest.model.run_context import RunContext
from digest.render.preflight.findings import Finding, Level
from digest.render.preflight.rules import passed

_CLIPPED = 102  # KB of the HTML that Gmail shows
_SIZES = 12  # choices of topics; of more, the largest are shown


def check_edition(session: Session, name: str, *, as_json: bool) -> None:
    """Ask the links of an edition and SpamAssassin, and print all findings; exit with 1 if one blocks it."""
    with session.app() as app:
        clock = clock_of(None)
        record = find_edition(app.database, app.config, name)
        with show.bar("links") as bar:
            context = RunContext(clock=clock)
            check_links(app.database, app.config, [record.edition], context, progress=bar.to)
        ask_spamassassin(app, record, clock(), program=True)
        inspection = inspection_of(app, record, clock())
    if as_json:
        show.facts(_facts(inspection, record.edition))
    else:
        _show(inspection, record.edition)
    if inspection.blocks:
        raise click.exceptions.Exit(1)


def _show(inspection: Inspection, edition: Edition) -> None:
    click.echo(f"{edition.id}: {inspection.summary}")
    for finding in inspection.findings:
        level = "WRONG" if finding.level is Level.BLOCK else "warn "
        place = finding.place.text(edition)
        click.echo(
            f"{level}  {finding.rule}: {finding.message}{f' ({place})' if place else ''} {finding.fix}"
        )
    for rule, reason in inspection.off.items():
        click.echo(f"off    {rule}: {reason}")
    click.echo(f"ok     {', '.join(passed(inspection.findings, inspection.off))}")
    rows = [
        (each.choice or "all topics", f"{each.bytes / 1024:.0f}", f"{each.bytes / 1024 / _CLIPPED:.0%}")
        for each in sorted(inspection.sizes, key=lambda size: -size.bytes)[:_SIZES]
    ]
    click.echo()
    show.table(("topics", "KB", f"of {_CLIPPED}"), rows, right=("KB", f"of {_CLIPPED}"))


def _facts(inspection: Inspection, edition: Edition) -> dict[str, object]:
    return {
        "edition": edition.id,
        "hash": inspection.hash,
        "blocked": inspection.blocks,
        "findings": [_fact(finding, edition) for finding in inspection.findings],
        "off": dict(inspection.off),
        "sizes": [
            {"topics": each.choice, "bytes": each.bytes, "language": each.language}
            for each in inspection.sizes
        ],
    }


def _fact(finding: Finding, edition: Edition) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "level": finding.level,
        "message": finding.message,
        "fix": finding.fix,
        "where": finding.place.text(edition),
        "place": finding.place,
        "actions": finding.actions,
    }
