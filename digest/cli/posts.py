"""Commands about posts: posts, what an editor decides about them, and the topics found in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

import click

from digest.cli.terminal import show
from digest.cli.terminal.session import Session, clock_of, json_option, limit_option, now_option, pass_session
from digest.editions.edits.correct import drop as do_drop
from digest.editions.feeds import keep as do_keep
from digest.editions.feeds import list_posts
from digest.model.posts import Post
from digest.sources.topics import FoundTopic, topics_of_digest

_STATES = ("waiting", "held", "reserved", "used", "dropped", "deferred")
_SHOWN = 8  # characters of an id
_RULES = 2  # of a topic


@click.group(invoke_without_command=True, epilog="Example: digest posts --digest daily --state waiting")
@click.option("--feed", help="List only posts of this feed.")
@click.option("--digest", "digest_slug", help="List only posts of this digest.")
@click.option("--state", type=click.Choice(_STATES), help="List only posts with this state in a digest.")
@limit_option("posts", 50)
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
    `drop`. The lines below the table name the pictures that are not shown with these posts, and why.
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
    for line in _left_out([row.post for row in found]):
        click.echo(line)


def _left_out(found: Sequence[Post]) -> Iterator[str]:
    """Yield a sentence for each picture that is left out, with the reason and the number of its posts."""
    reasons = Counter((each.url, each.reason) for post in found for each in post.pictures if each.reason)
    for (url, reason), count in reasons.items():
        of = "" if count == 1 else f" of {count} posts"
        yield f"{url} is left out{of}: {reason}."


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
        kept = do_keep(app.database, app.config, names, clock_of(now)())
    click.echo(f"{_count(kept)} for the next edition")


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


@click.command(epilog="Example: digest topics daily")
@click.argument("digest")
@now_option
@json_option
@pass_session
def topics(session: Session, digest: str, now: datetime | None, as_json: bool) -> None:
    """Show the topics of DIGEST, and the rule that found each.

    The command counts the stories of the editions of the last thirty days. Below the table, it names feeds
    whose subject you could set, and the settings that make a found topic one of your own.
    """
    with session.app() as app:
        report = topics_of_digest(app.database, app.config, digest, clock_of(now)())
    if as_json:
        show.facts(report)
        return
    if report.topics:
        rows = [row for each in report.topics for row in _topic_rows(each)]
        show.table(("topic", "slug", "stories", "found by", "feed"), rows, right=("stories",))
    else:
        click.echo(f"no story of {digest} stood under a topic in the last thirty days")
    if report.unplaced:
        stories = "1 story" if report.unplaced == 1 else f"{report.unplaced} stories"
        click.echo(f"{stories} stood under no topic")
    own = [
        f"{each.title} as a [[topic]] of your own: {each.setting}" for each in report.topics if each.setting
    ]
    _show_settings([*report.advice, *own])


def _topic_rows(topic: FoundTopic) -> Iterator[Sequence[object]]:
    """Yield a row for each of the commonest rules; the first of them names the topic."""
    named: Sequence[object] = (topic.title, topic.slug, topic.stories)
    for rule, feed, count in topic.rules[:_RULES]:
        yield *named, rule, f"{feed} ({count})"
        named = " ", " ", " "
    if (more := len(topic.rules) - _RULES) > 0:
        yield *named, show.counted(more, "more rule"), " "


def _show_settings(lines: Sequence[str]) -> None:
    """Print what the operator could write to change the topics."""
    if lines:
        click.echo("\nIn config.toml, you could change this:")
    for line in lines:
        click.echo(f"- {line}")
