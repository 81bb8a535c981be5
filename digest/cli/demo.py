"""The command demo: the whole program at work, on this machine alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from digest.cli import show
from digest.demo.run import Summary, run
from digest.model.deliveries import Counts
from digest.model.posts import FeedReport


@click.command(epilog="Example: digest demo")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="The folder for all files of the demo.",
)
def demo(folder: Path) -> None:
    """Show the program at work, on this machine alone.

    The demo collects invented feeds, composes editions and sends emails to a local server. A second run
    sends nothing, because nothing is new. Add a post to a file in demo/feeds and run the demo again.
    """
    _conclude(run(folder, _Screen(), lambda: datetime.now(UTC)))


class _Screen:
    """Print the demo's progress on the terminal."""

    def step(self, title: str) -> None:
        click.secho(f"\n{title}", bold=True)

    def line(self, text: str) -> None:
        click.echo(f"  {text}")

    def feed(self, report: FeedReport) -> None:
        found = report.detail or f"{report.new} new, {report.updated} updated"
        self.line(f"{report.feed}: {report.status}, {found}")

    def progress(self, edition_id: str, counts: Counts) -> None:
        """Do nothing: a handful of readers needs no progress bar; `digest send` has one."""


def _conclude(summary: Summary) -> None:
    if not summary.emails:
        click.secho("\nNothing was new, so no email was sent.", bold=True)
        click.echo(f"Add a post to a file in {summary.workspace.feeds} and run the demo again.")
        click.echo(f"To start over, remove {summary.workspace.folder}")
        return
    were = "was" if len(summary.emails) == 1 else "were"
    click.secho(f"\n{show.counted(len(summary.emails), 'email')} {were} sent. Look at:", bold=True)
    for kind, paths in (
        ("HTML", [page for page in summary.pages if page.suffix == ".html"]),
        ("text", [page for page in summary.pages if page.suffix == ".txt"]),
        ("source", list(summary.emails[:2])),
    ):
        for path in paths:
            click.echo(f"  {kind:<7} {path}")
    click.echo(f"All messages are in {summary.workspace.mail}")
