"""The command demo: run the program once on invented feeds, or leave its newsroom open."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import click

from digest.cli.terminal import show
from digest.cli.terminal.session import stop_on_signals
from digest.demo.newsroom import newsroom
from digest.demo.run import Summary, run
from digest.model.deliveries import Counts
from digest.model.posts import FeedReport
from digest.model.run_context import utc_now
from digest.scheduler.service import Service
from digest.web.trial import trial


@click.command(epilog="Example: digest demo")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="The folder for all files of the demo.",
)
@click.option("--serve", is_flag=True, help="Leave the newsroom open: its pages, and the desk with a draft.")
def demo(folder: Path, *, serve: bool) -> None:
    """Show the program at work, on this machine alone.

    The demo collects invented feeds, composes editions and sends emails to a local server. A second run
    sends nothing, because nothing is new. Add a post to a file in demo/feeds and run the demo again.

    With --serve, the newsroom stays open until it is stopped with Ctrl-C: the feeds, the readers' pages, and
    the desk with a draft that goes out in half an hour. The links that are printed sign you in, once each.
    It begins anew each time.
    """
    if serve:
        _serve(folder / "open")
    else:
        _conclude(run(folder, _Screen(), utc_now))


def _serve(folder: Path) -> None:
    bell = Event()  # the pages ring it when they have queued a notice
    with (
        stop_on_signals() as stop,
        newsroom(folder, _Screen(), utc_now) as opened,
        trial(opened.app, opened.people, bell.set) as links,
    ):
        edition = opened.draft.edition
        click.secho("\nThe newsroom is open. Its draft goes out by itself", bold=True, nl=False)
        click.secho(f" at {edition.send_at:%H:%M} UTC, if nobody stops it.", bold=True)
        for person, link in zip(opened.people, links, strict=True):
            click.echo(f"  {f'{person.name}, {person.role}':<26} {link}")
        click.echo(f"  {'Readers':<26} {opened.url}/")
        click.echo(f"  {'Emails':<26} {opened.mail}")
        click.echo("Each link signs in once. To stop: Ctrl-C")
        Service(app=opened.app, stop=stop, bell=bell).run()


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
    click.echo("To see the editors' desk: digest demo --serve")
