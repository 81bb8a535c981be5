"""Commands about feeds and posts: collect, feeds, posts."""

from __future__ import annotations

from datetime import datetime

import click

from digest.cli import show
from digest.cli.session import Session, chosen_clock, json_option, now_option, pass_session, yes_option
from digest.editions.clocks import release_ahead
from digest.editions.feeds import collect_due, list_feeds, list_posts
from digest.editions.schedules import begin_digests
from digest.model.posts import FeedReport, FeedRow
from digest.model.run_context import RunContext

_STATES = ("waiting", "reserved", "used", "dropped", "deferred")


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
    rows = [(each.feed, each.status, each.new, each.updated, each.detail) for each in reports]
    show.table(("feed", "status", "new", "updated", "detail"), rows, right=("new", "updated"))


@click.command(epilog="Example: digest feeds --json")
@json_option
@pass_session
def feeds(session: Session, as_json: bool) -> None:
    """Show the state of each feed.

    The command shows when each feed was last fetched without an error, when it is fetched next, and what
    is wrong with it.
    """
    with session.app() as app:
        found = list_feeds(app.database, app.config)
    if as_json:
        show.facts([_feed_facts(name, row) for name, row in found])
        return
    titles = ("feed", "status", "last success", "next fetch", "failures")
    show.table(titles, [_feed_row(name, row) for name, row in found], right=("failures",))
    for name, row in found:  # a sentence needs a line of its own
        detail = row.detail if row else "not collected yet"
        if detail:
            click.echo(f"{name}: {detail}")


def _feed_row(name: str, row: FeedRow | None) -> tuple[object, ...]:
    if row is None:
        return name, "new", None, None, 0
    return name, row.status, row.last_ok_at, row.next_fetch_at, row.failures


def _feed_facts(name: str, row: FeedRow | None) -> dict[str, object]:
    """Return a feed's state without its address, which may hold a password."""
    return {
        "name": name,
        "status": row.status if row else "new",
        "detail": row.detail if row else "",
        "failures": row.failures if row else 0,
        "last_fetch_at": row.last_fetch_at if row else None,
        "last_ok_at": row.last_ok_at if row else None,
        "next_fetch_at": row.next_fetch_at if row else None,
    }


@click.command(epilog="Example: digest posts --digest daily --state waiting")
@click.option("--feed", help="List only posts of this feed.")
@click.option("--digest", "digest_slug", help="List only posts of this digest.")
@click.option("--state", type=click.Choice(_STATES), help="List only posts with this state in a digest.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="List at most this many posts.",
)
@json_option
@pass_session
def posts(
    session: Session, feed: str | None, digest_slug: str | None, state: str | None, limit: int, as_json: bool
) -> None:
    """List the posts that were found last.

    Each post is shown with its state in each digest: waiting, reserved by an edition, used, deferred, or
    dropped, with the reason.
    """
    with session.app() as app:
        found = list_posts(app.database, app.config, limit, feed=feed, digest=digest_slug, state=state)
    if as_json:
        show.facts(found)
        return
    rows = [
        (each.post.first_seen_at, each.feed_name, each.post.title, _states_text(each.states))
        for each in found
    ]
    show.table(("first seen", "feed", "title", "state"), rows)


def _states_text(states: tuple[tuple[str, str, str], ...]) -> str:
    return ", ".join(
        f"{digest}: {state}{f' ({reason})' if reason else ''}" for digest, state, reason in states
    )
