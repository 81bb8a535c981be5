"""Commands on the clock: run does what is due now, serve keeps doing it."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING

import click

from digest.cli import show
from digest.cli.logs import log_everything
from digest.cli.session import Session, clock_of, json_option, now_option, pass_session

if TYPE_CHECKING:
    from digest.app import Happening
    from digest.model import FeedReport


@click.command(epilog="Example: digest run --now 2026-11-23T07:00+01:00")
@now_option
@json_option
@pass_session
def run(session: Session, now: datetime | None, as_json: bool) -> None:
    """Do what is due now, and end.

    Collect, compose, send, try again: for those who prefer cron. Each date of a schedule is done
    once, however often this runs, and by however many at once. Exits with 1 when something failed
    that somebody must mend.
    """
    from digest.app import Kind, Watch
    from digest.app.begin import next_times
    from digest.app.run import run_due
    from digest.cli.stopping import stop_on_signals

    happenings: list[Happening] = []
    feeds: list[FeedReport] = []

    def report(happening: Happening) -> None:
        happenings.append(happening)
        if not as_json:
            click.echo(str(happening), err=happening.kind is Kind.FAILED)

    with session.app() as app, show.bar("sending") as bar, stop_on_signals() as stop:
        watch = Watch(
            clock=clock_of(now),
            stop=stop.is_set,
            report=report,
            feed=feeds.append,
            progress=lambda _, counts: bar.to(counts.total - counts.open, counts.total),
        )
        run_due(app, watch)
        coming = next_times(app, watch.clock())
    if as_json:
        facts = [_facts(happening) for happening in happenings]
        show.facts({"feeds": feeds, "happenings": facts, "next": dict(coming)})
    else:
        _show_feeds(feeds)
        for digest in [] if happenings else app.config.digests:
            when = show.local(coming[digest.slug], digest.zone)
            click.echo(f"{digest.slug}: nothing was due; the next is due {when}")
    if any(happening.kind is Kind.FAILED for happening in happenings):
        raise click.exceptions.Exit(1)


def _facts(happening: Happening) -> dict[str, object]:
    facts: dict[str, object] = {
        "kind": happening.kind,
        "subject": happening.subject,
        "detail": happening.detail,
    }
    return facts | {"deliveries": show.counts_facts(happening.counts)} if happening.counts else facts


def _show_feeds(feeds: list[FeedReport]) -> None:
    failed = [report for report in feeds if report.status in ("failed", "gone")]
    for report in failed:
        click.echo(f"{report.feed}: {report.status}: {report.detail}", err=True)
    fetched = [report for report in feeds if report.status in ("ok", "unchanged")]
    new = sum(report.new for report in feeds)
    click.echo(
        f"feeds: {len(fetched)} fetched, {len(failed)} failed, {new} new post{'' if new == 1 else 's'}"
    )


@click.command(epilog="Example: digest serve")
@click.option("--no-web", is_flag=True, help="Without the readers' pages: another process serves them.")
@pass_session
def serve(session: Session, no_web: bool) -> None:
    """Keep doing what is due, and serve the pages.

    Until told to stop, by SIGTERM or Ctrl-C. Then what is on the wire is finished, and the rest waits
    for the next start. Any number of these may run on one database: each date of a schedule is done
    once, each reader mailed once.
    """
    from digest.cli.stopping import stop_on_signals
    from digest.scheduler import serve as keep_serving
    from digest.web.serving import serving

    log_everything()
    with session.app() as app, stop_on_signals() as stop, nullcontext() if no_web else serving(app):
        keep_serving(app, stop)


COMMANDS: tuple[click.Command, ...] = (run, serve)
