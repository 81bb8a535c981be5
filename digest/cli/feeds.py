"""Commands about feeds: collect, and the state of each feed."""

from __future__ import annotations

from datetime import datetime

import click

from digest.cli import show
from digest.cli.session import (
    Session,
    chosen_clock,
    clock_of,
    json_option,
    now_option,
    pass_session,
    yes_option,
)
from digest.editions.clocks import release_ahead
from digest.editions.feeds import FeedStatus, collect_due, list_feeds
from digest.editions.schedules import begin_digests
from digest.model.posts import FeedReport, FeedRow
from digest.model.run_context import RunContext


@click.command(epilog="Example: digest collect")
@click.option("--due", is_flag=True, help="Skip feeds that are not due yet.")
@now_option
@yes_option
@json_option
@pass_session
def collect(session: Session, due: bool, now: datetime | None, yes: bool, as_json: bool) -> None:
    """Fetch the feeds and save new posts.

    If a feed fails, the command shows the reason and continues with the others. It exits with 1 if every
    feed failed.
    """
    with session.app() as app, show.bar("feeds") as bar:
        total, done = len(app.config.feeds), 0

        def move(_: FeedReport) -> None:
            nonlocal done
            done += 1
            bar.to(done, total)

        context = RunContext(clock=chosen_clock(app, now, yes=yes), feed=move)
        for event in release_ahead(app.database, context.clock()):
            click.echo(str(event), err=True)
        begin_digests(app.database, app.config, context.clock())
        reports = collect_due(app.database, app.config, context, force=not due).feeds
    if as_json:
        show.facts(reports)
    else:
        _show_reports(reports)
    if reports and all(report.status in ("failed", "gone") for report in reports):
        raise click.exceptions.Exit(1)


def _show_reports(reports: tuple[FeedReport, ...]) -> None:
    if not reports:
        click.echo("no feeds are configured: add a [[feed]] to config.toml")
        return
    numbers = ("new", "updated", "dropped", "held")
    rows = [
        (each.feed, each.status, each.new, each.updated, each.dropped, each.held, each.detail)
        for each in reports
    ]
    show.table(("feed", "status", *numbers, "detail"), rows, right=numbers)


@click.command(epilog="Example: digest feeds --json")
@json_option
@pass_session
def feeds(session: Session, as_json: bool) -> None:
    """Show the state of each feed.

    The command shows when each feed was last fetched without an error, when it is fetched next, and what
    is wrong with it: a failure, posts that are held, or posts that may be missing.
    """
    with session.app() as app:
        found = list_feeds(app.database, app.config, clock_of(None)())
    if as_json:
        show.facts([_feed_facts(each) for each in found])
        return
    titles = ("feed", "status", "last success", "next fetch", "failures")
    show.table(titles, [_feed_row(each.name, each.row) for each in found], right=("failures",))
    for each in found:  # a sentence needs a line of its own
        detail = each.row.detail if each.row else "not collected yet"
        for sentence in filter(None, (detail, *each.notes)):
            click.echo(f"{each.name}: {sentence}")


def _feed_row(name: str, row: FeedRow | None) -> tuple[object, ...]:
    if row is None:
        return name, "new", None, None, 0
    return name, row.status, row.last_ok_at, row.next_fetch_at, row.failures


def _feed_facts(status: FeedStatus) -> dict[str, object]:
    """Return a feed's state without its address, which may hold a password."""
    row = status.row
    return {
        "name": status.name,
        "status": row.status if row else "new",
        "detail": row.detail if row else "",
        "failures": row.failures if row else 0,
        "last_fetch_at": row.last_fetch_at if row else None,
        "last_ok_at": row.last_ok_at if row else None,
        "next_fetch_at": row.next_fetch_at if row else None,
        "held": status.held,
        "notes": status.notes,
    }
