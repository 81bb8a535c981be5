"""Commands about feeds and posts: collect, feeds, posts, and what an editor decides about posts."""

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
from digest.editions.feeds import FeedStatus, collect_due, list_feeds, list_posts
from digest.editions.feeds import drop as do_drop
from digest.editions.feeds import keep as do_keep
from digest.editions.schedules import begin_digests
from digest.model.posts import FeedReport, FeedRow
from digest.model.run_context import RunContext

_STATES = ("waiting", "held", "reserved", "used", "dropped", "deferred")
_SHOWN = 8  # characters of an id


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


@click.group(invoke_without_command=True, epilog="Example: digest posts --digest daily --state waiting")
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
@click.pass_context
@pass_session
def posts(
    session: Session,
    context: click.Context,
    *,
    feed: str | None,
    digest_slug: str | None,
    state: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the posts that were found last.

    Each post is shown with its state in each digest: waiting, held, reserved by an edition, used,
    deferred, or dropped, with the reason. The first column is the beginning of its id, for `keep` and
    `drop`.
    """
    if context.invoked_subcommand:
        return
    with session.app() as app:
        found = list_posts(app.database, app.config, limit, feed=feed, digest=digest_slug, state=state)
    if as_json:
        show.facts(found)
        return
    rows = [
        (
            row.post.id[:_SHOWN],
            row.post.first_seen_at,
            row.feed_name,
            row.post.title,
            _states_text(row.states),
        )
        for row in found
    ]
    show.table(("post", "first seen", "feed", "title", "state"), rows)


def _states_text(states: tuple[tuple[str, str, str], ...]) -> str:
    return ", ".join(
        f"{digest}: {state}{f' ({reason})' if reason else ''}" for digest, state, reason in states
    )


@posts.command(epilog='Example: digest posts keep "Harbour Gazette"')
@click.argument("names", metavar="FEED|POST...", nargs=-1, required=True)
@now_option
@pass_session
def keep(session: Session, names: tuple[str, ...], now: datetime | None) -> None:
    """Keep posts that are held or were dropped: they wait for the next edition.

    FEED is the name of a feed and stands for its held posts. POST is the beginning of a post's id, as
    `digest posts` shows it.
    """
    with session.app() as app:
        decided = do_keep(app.database, app.config, names, clock_of(now)())
    click.echo(f"{_count(decided.posts)} for the next edition")


@posts.command(epilog='Example: digest posts drop "Harbour Gazette"')
@click.argument("names", metavar="FEED|POST...", nargs=-1, required=True)
@now_option
@pass_session
def drop(session: Session, names: tuple[str, ...], now: datetime | None) -> None:
    """Drop posts that are held, waiting or in a draft: they are not mailed.

    FEED is the name of a feed and stands for its held posts. POST is the beginning of a post's id, as
    `digest posts` shows it. A story with such a post is taken out of an edition that has not begun to be
    sent, and the edition is a draft again.
    """
    with session.app() as app:
        decided = do_drop(app.database, app.config, names, clock_of(now)())
    for edition_id in decided.revised:
        click.echo(f"{edition_id} is a draft without the story; to approve it: digest approve {edition_id}")
    if decided.posts or not decided.revised:
        click.echo(f"{'1 post is' if decided.posts == 1 else f'{decided.posts} posts are'} dropped")


def _count(number: int) -> str:
    return "1 post waits" if number == 1 else f"{number} posts wait"
