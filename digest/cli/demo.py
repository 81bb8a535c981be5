"""The command demo: the whole line, for real, on this machine alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from digest.demo.run import Summary
    from digest.model import Counts, FeedReport


@click.command(epilog="Example: digest demo")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Where everything is written.",
)
def demo(folder: Path) -> None:
    """Show the main job for real: invented feeds in, mails out, all on this machine.

    A second run mails nothing, for nothing is new. Change a file in demo/feeds and run it again.
    """
    from digest.demo.run import run

    _conclude(run(folder, _Screen(), lambda: datetime.now(UTC)))


class _Screen:
    """Tell the demo's progress on the terminal."""

    def step(self, title: str) -> None:
        click.secho(f"\n{title}", bold=True)

    def line(self, text: str) -> None:
        click.echo(f"  {text}")

    def feed(self, report: FeedReport) -> None:
        found = report.detail or f"{report.new} new, {report.updated} updated"
        self.line(f"{report.feed}: {report.status}, {found}")

    def progress(self, edition_id: str, counts: Counts) -> None:
        """A handful of readers needs no bar; `digest send` has one."""


def _conclude(summary: Summary) -> None:
    if not summary.mails:
        click.secho("\nNothing was new, so nobody was mailed.", bold=True)
        click.echo(f"Add a post to a file in {summary.workspace.feeds} and run it again.")
        click.echo(f"Or begin anew: remove {summary.workspace.folder}")
        return
    sent = "1 mail was" if len(summary.mails) == 1 else f"{len(summary.mails)} mails were"
    click.secho(f"\n{sent} sent. Look at", bold=True)
    for kind, paths in (
        ("HTML", [page for page in summary.pages if page.suffix == ".html"]),
        ("text", [page for page in summary.pages if page.suffix == ".txt"]),
        ("raw mail", list(summary.mails[:2])),
    ):
        for path in paths:
            click.echo(f"  {kind:<9} {path}")
    click.echo(f"  and {len(summary.mails)} raw mails in {summary.workspace.mail}")


COMMANDS: tuple[click.Command, ...] = (demo,)
