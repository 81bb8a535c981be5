"""Commands about feeds: show the state of each, find and add them, import and export lists of them."""

from __future__ import annotations

import sys
from typing import BinaryIO, TextIO

import click

from digest.cli.terminal import show
from digest.cli.terminal.session import Session, clock_of, json_option, pass_session
from digest.collect.discovery.find import REQUESTS, find_feeds
from digest.collect.discovery.found import Found
from digest.config.edit import feed_block
from digest.editions.feeds import FeedStatus, list_feeds
from digest.model.links import public_url, without_secrets
from digest.model.posts import FeedRow, FetchLimits
from digest.sources.add import Addition, feed_of, newest_posts, plan_feeds, problems_of
from digest.sources.opml import LONGEST, no_feed_elsewhere, read_opml, write_opml
from digest.sources.topics import TopicReport, proposed

_POSTS_SHOWN = 3
_TOPICS_SHOWN = 8


@click.group(invoke_without_command=True, epilog="Example: digest feeds --json")
@json_option
@click.pass_context
@pass_session
def feeds(session: Session, context: click.Context, *, as_json: bool) -> None:
    """Show the state of each feed.

    The command shows when each feed was last fetched without an error, how often and why it is asked, when
    it is asked next, and what is wrong with it: a failure, posts that are held, or posts that may be missing.
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
        detail = each.row.detail if each.row and not each.row.failures else ""  # a failure is in its state
        for sentence in filter(None, (each.state, detail, *each.notes)):
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
        "state": status.state,
        "detail": row.detail if row else "",
        "failures": row.failures if row else 0,
        "last_fetch_at": row.last_fetch_at if row else None,
        "last_ok_at": row.last_ok_at if row else None,
        "next_fetch_at": row.next_fetch_at if row else None,
        "held": status.held,
        "notes": status.notes,
    }


# ── find and add ────────────────────────────────────────────────────────────────────────────


_digest_option = click.option(
    "--digest",
    "digests",
    multiple=True,
    metavar="SLUG",
    help="Let this digest take the feeds too, although it lists its feeds; may be repeated.",
)
_dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print what would be added, and write nothing."
)


@feeds.command("add", epilog="Example: digest feeds add www.example.org")
@click.argument("address")
@_digest_option
@_dry_run_option
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
    addition = plan_feeds(config, [feed_of(each) for each in chosen], digests)
    if not dry_run and addition.changes:
        addition.draft.write()
    _show_addition(addition, dry_run=dry_run)
    show_topics(proposed(chosen, config.site))


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
    _show_takers(addition)
    if not dry_run:
        click.echo("to fetch the posts: digest collect")


def show_topics(report: TopicReport) -> None:
    """Show the topics that were found in the posts of new feeds, and what the operator could write."""
    if report.topics:
        named = ", ".join(f"{each.title} ({each.stories})" for each in report.topics[:_TOPICS_SHOWN])
        more = f" and {report.unplaced} under none" if report.unplaced else ""
        click.echo(f"topics in the posts: {named}{more}")
    for sentence in report.advice:
        click.echo(f"note: {sentence}")


def _show_takers(addition: Addition) -> None:
    if addition.takers:
        click.echo(f"taken by {_and(addition.takers)}")
    if addition.others:
        listed = "lists its feeds" if len(addition.others) == 1 else "list their feeds"
        click.echo(f"{_and(addition.others)} {listed}; to let a digest take more, add --digest SLUG")


def _and(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


# ── lists of feeds ──────────────────────────────────────────────────────────────────────────


@feeds.command("import", epilog="Example: digest feeds import feeds.opml")
@click.argument("file", type=click.File("rb"))
@click.option("--yes", is_flag=True, help="Import without a question, as scripts need.")
@_digest_option
@_dry_run_option
@pass_session
def import_(session: Session, file: BinaryIO, yes: bool, digests: tuple[str, ...], dry_run: bool) -> None:
    """Add the feeds of an OPML file to config.toml.

    Most feed readers export OPML. The file "-" is standard input. The innermost folder of a feed becomes its
    tag, which all its posts get, so that topics can claim them. A feed whose address the configuration has
    is not added again. The feeds are not fetched: `digest check` asks them.

    First the feeds are listed, and the command asks whether to add them. If there is nobody to ask, they
    are added. A line that cannot be used is reported, and the others are added. The command exits with 1
    if no line could be used.
    """
    config = session.config()
    listed = read_opml(file.read(LONGEST + 1))
    for sentence in (*listed.faults, *filter(None, [listed.failure])):
        click.echo(f"digest: {sentence}", err=True)
    if not listed.feeds:
        raise click.exceptions.Exit(1)
    addition = plan_feeds(config, listed.feeds, digests)
    rows = [(each.name, without_secrets(each.url), each.tags) for each in addition.feeds]
    if rows:
        show.table(("feed", "address", "tags"), rows)
    if addition.changes and not dry_run:
        asks = not yes and sys.stdin.isatty()
        if asks and not click.confirm(f"Add {show.counted(len(rows), 'feed')} to {config.path.name}?"):
            click.echo("nothing was added", err=True)
            raise click.exceptions.Exit(1)
        addition.draft.write()
    counts = (
        (len(rows), "would be added" if dry_run else "added"),
        (len(addition.known), "in the configuration already"),
        (len(listed.faults), "left out"),
    )
    click.echo(", ".join(f"{count:,} {text}" for count, text in counts if count))
    _show_takers(addition)


@feeds.command(epilog="Example: digest feeds export feeds.opml")
@click.argument("file", type=click.File("w", encoding="utf-8", atomic=True), default="-")
@pass_session
def export(session: Session, file: TextIO) -> None:
    """Write the feeds as OPML, for other programs.

    The default FILE "-" is standard output. Each tag of a feed becomes a folder. Names, passwords and
    tokens in addresses are left out, and so are files, folders, pages and WordPress sites, which other
    programs do not read as feeds. The command reports what it leaves out. The command `digest feeds import`
    can read the file again.
    """
    config = session.config()
    public = []
    for feed in config.feeds:
        if reason := no_feed_elsewhere(feed):
            click.echo(f"note: {feed.name} {reason}, so it is left out", err=True)
            continue
        public.append(feed)
        if public_url(feed.url) != feed.url:
            click.echo(f"note: the address of {feed.name} is written without its password or token", err=True)
    file.write(write_opml(public, config.site.name, clock_of(None)()))
