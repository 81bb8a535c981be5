"""Commands about feeds: collect them, show the state of each, find and add them."""

from __future__ import annotations

import sys
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
from digest.collect.discovery.find import REQUESTS, find_feeds
from digest.collect.discovery.found import Found
from digest.config.edit import feed_block
from digest.editions.clocks import release_ahead
from digest.editions.feeds import FeedStatus, collect_due, list_feeds
from digest.editions.schedules import begin_digests
from digest.model.links import without_secrets
from digest.model.posts import FeedReport, FeedRow, FetchLimits
from digest.model.publication import Feed
from digest.model.run_context import RunContext
from digest.sources.add import Addition, newest_posts, plan_feeds, problems_of

_POSTS_SHOWN = 3


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


@click.group(invoke_without_command=True, epilog="Example: digest feeds --json")
@json_option
@click.pass_context
@pass_session
def feeds(session: Session, context: click.Context, *, as_json: bool) -> None:
    """Show the state of each feed.

    The command shows when each feed was last fetched without an error, when it is fetched next, and what
    is wrong with it: a failure, posts that are held, or posts that may be missing.
    """
    if context.invoked_subcommand:
        return
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


# ── find and add ────────────────────────────────────────────────────────────────────────────


@feeds.command("add", epilog="Example: digest feeds add www.example.org")
@click.argument("address")
@click.option(
    "--digest",
    "digests",
    multiple=True,
    metavar="SLUG",
    help="Let this digest take the feed too, although it lists its feeds; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be added, and write nothing.")
@pass_session
def add(session: Session, address: str, digests: tuple[str, ...], dry_run: bool) -> None:
    """Find the feeds of a site and add one to config.toml.

    ADDRESS is the address of the site or of the feed; https:// may be left out. The feeds that are found
    are shown with their newest posts and with what an editor should know of them. If the site has several
    feeds, the command asks which to add. If there is nobody to ask, it lists them and exits with 2; call it
    again with the address of a feed. Feeds of readers' comments are never chosen without a question. The
    rest of the file stays as it is, with its comments. Digests that list no feeds take every feed. The
    command exits with 1 if there is no feed.
    """
    config = session.config()
    chosen = find_and_choose(address, config.limits, "digest feeds add")
    wanted = [Feed(name=each.title, url=each.url) for each in chosen]
    addition = plan_feeds(config, wanted, digests)
    if not dry_run and addition.changes:
        addition.draft.write()
    _show_addition(addition, dry_run=dry_run)


def find_and_choose(address: str, limits: FetchLimits, command: str) -> tuple[Found, ...]:
    """Find the feeds of a site, show them, and return those to use; exit if there is none.

    `command` is what to call again with the address of a feed, where nobody can be asked.
    """
    with show.bar("addresses") as bar:
        search = find_feeds(address, limits, clock_of(None)(), asked=lambda count: bar.to(count, REQUESTS))
    for sentence in search.notes:
        click.echo(f"note: {without_secrets(sentence)}", err=True)
    if not search.feeds:
        click.echo(f"digest: {without_secrets(search.failure)}", err=True)
        raise click.exceptions.Exit(1)
    _show_found(search.feeds)
    proposed = [feed for feed in search.feeds if not feed.comments] or list(search.feeds)
    if len(proposed) == 1 and (len(search.feeds) == 1 or not proposed[0].comments):
        return tuple(proposed)
    if not sys.stdin.isatty():
        click.echo(f"digest: there are several feeds; to choose one: {command} ITS-ADDRESS", err=True)
        raise click.exceptions.Exit(2)
    numbers = click.prompt(
        "Which feeds? Numbers, such as 1 or 1,3", default="1", value_proc=_Numbers(len(search.feeds))
    )
    return tuple(search.feeds[number - 1] for number in numbers)


class _Numbers:
    """Read the answer to a question for numbers from 1 to a last one."""

    def __init__(self, last: int) -> None:
        self._last = last

    def __call__(self, text: str) -> tuple[int, ...]:
        words = text.replace(",", " ").split()
        if not words or not all(word.isdecimal() and 0 < int(word) <= self._last for word in words):
            raise click.BadParameter(f"write numbers from 1 to {self._last}")
        return tuple(dict.fromkeys(map(int, words)))


def _show_found(found: tuple[Found, ...]) -> None:
    now = clock_of(None)()
    for number, feed in enumerate(found, start=1):
        click.echo(f"{number}. {feed.title}: {without_secrets(feed.url)}")
        for post in newest_posts(feed, _POSTS_SHOWN):
            date = f"{post.published_at:%Y-%m-%d}" if post.published_at else "no date   "
            click.echo(f"   {date}  {post.title}")
        for problem in problems_of(feed, now):
            click.echo(f"   note: {problem}")


def _show_addition(addition: Addition, *, dry_run: bool) -> None:
    for feed in addition.known:
        click.echo(f"{feed.name} is in the configuration already")
    if not addition.changes:
        return
    path = addition.draft.path.name
    click.echo(f"\n{'would be added' if dry_run else 'added'} to {path}:\n")
    for feed in addition.feeds:
        click.echo(f"{without_secrets(feed_block(feed))}\n")
    if addition.takers:
        click.echo(f"taken by {_and(addition.takers)}")
    if addition.others:
        listed = "lists its feeds" if len(addition.others) == 1 else "list their feeds"
        click.echo(f"{_and(addition.others)} {listed}; to let a digest take this one too, add --digest SLUG")
    if not dry_run:
        click.echo("to fetch the posts: digest collect")


def _and(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
