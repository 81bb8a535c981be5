"""Commands about feeds and posts: collect, feeds, posts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from digest.cli import show
from digest.cli.session import Session, clock_of, json_option, now_option, pass_session

if TYPE_CHECKING:
    from digest.model import FeedReport, FeedRow

_STATES = ("waiting", "reserved", "used", "dropped", "deferred")


@click.command(epilog="Example: digest collect")
@click.option("--due", is_flag=True, help="Leave out feeds that were just fetched or are backed off from.")
@now_option
@json_option
@pass_session
def collect(session: Session, due: bool, now: datetime | None, as_json: bool) -> None:
    """Fetch the feeds and keep what is new.

    A feed that fails is shown with the reason, and the others go on. Exits with 1 when every feed
    failed.
    """
    from digest.app import Watch
    from digest.app.begin import begin_digests
    from digest.app.run import collect_due

    with session.app() as app, show.bar("feeds") as bar:
        total, done = len(app.config.feeds), 0

        def move(_: FeedReport) -> None:
            nonlocal done
            done += 1
            bar.to(done, total)

        watch = Watch(clock=clock_of(now), feed=move)
        begin_digests(app, watch.clock())
        reports = collect_due(app, watch, force=not due).feeds
    if as_json:
        show.facts(reports)
    else:
        _show_reports(reports)
    if reports and all(report.status in ("failed", "gone") for report in reports):
        raise click.exceptions.Exit(1)


def _show_reports(reports: tuple[FeedReport, ...]) -> None:
    if not reports:
        click.echo("no feeds are configured: add a [[feed]] to the configuration")
        return
    rows = [(each.feed, each.status, each.new, each.updated, each.detail) for each in reports]
    show.table(("feed", "status", "new", "updated", "detail"), rows, right=("new", "updated"))


@click.command(epilog="Example: digest feeds --json")
@json_option
@pass_session
def feeds(session: Session, as_json: bool) -> None:
    """Show how each feed fares.

    When it was last fetched, when it is next due, and what is wrong.
    """
    from digest.storage.feeds import feed_rows

    with session.app() as app:
        with app.database.read() as connection:
            rows = {row.name: row for row in feed_rows(connection)}
        found = [(feed.name, rows.get(feed.name)) for feed in app.config.feeds]
    if as_json:
        show.facts([_feed_facts(name, row) for name, row in found])
        return
    titles = ("feed", "status", "last good", "next", "failures")
    show.table(titles, [_feed_row(name, row) for name, row in found], right=("failures",))
    for name, row in found:  # a sentence needs the whole line
        detail = row.detail if row else "not collected yet"
        if detail:
            click.echo(f"{name}: {detail}")


def _feed_row(name: str, row: FeedRow | None) -> tuple[object, ...]:
    if row is None:
        return name, "new", None, None, 0
    return name, row.status, row.last_ok_at, row.next_fetch_at, row.failures


def _feed_facts(name: str, row: FeedRow | None) -> dict[str, object]:
    """Return what may be shown: an address may hold a password, so none is."""
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
@click.option("--feed", help="Only posts of this feed.")
@click.option("--digest", "digest_slug", help="Only posts of this digest.")
@click.option("--state", type=click.Choice(_STATES), help="Only posts that stand so in a digest.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
@pass_session
def posts(
    session: Session, feed: str | None, digest_slug: str | None, state: str | None, limit: int, as_json: bool
) -> None:
    """List the posts seen last.

    Each with where it stands in each digest: waiting, reserved by an edition, used, or dropped and why.
    """
    from digest.errors import NotFoundError
    from digest.model import PostState
    from digest.storage.posts import recent_posts

    with session.app() as app:
        names = tuple(each.name for each in app.config.feeds)
        if feed is not None and feed not in names:
            raise NotFoundError("feed", feed, names)
        if digest_slug is not None:
            app.config.digest(digest_slug)
        with app.database.read() as connection:
            wanted = PostState(state) if state else None
            found = recent_posts(connection, limit, feed=feed, digest=digest_slug, state=wanted)
    if as_json:
        show.facts(found)
        return
    rows = [
        (each.post.first_seen_at, each.feed_name, each.post.title, _standing(each.states)) for each in found
    ]
    show.table(("first seen", "feed", "title", "stands"), rows)


def _standing(states: tuple[tuple[str, str, str], ...]) -> str:
    return ", ".join(
        f"{digest}: {state}{f' ({reason})' if reason else ''}" for digest, state, reason in states
    )


COMMANDS: tuple[click.Command, ...] = (collect, feeds, posts)
