"""Commands that change what an edition is made of: add, split, merge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from digest.app import App
from digest.cli.edits.apply import edit_options, make_edits, make_edits_with
from digest.cli.terminal import show
from digest.cli.terminal.session import Session, clock_of
from digest.compose.edits.operations import Add, Merge, Operation, Split
from digest.editions.approval import in_words
from digest.editions.compose import merge_waiting, stories_text
from digest.editions.edits.edits import EditedEdition, post_named, posts_of
from digest.editions.preflight import inspection_of
from digest.render.preflight import Level


@click.command(epilog='Example: digest add daily --title "We are open on Sunday" --topic town')
@click.argument("edition")
@click.option("--title", required=True, help="The headline.")
@click.option("--topic", metavar="SLUG", required=True, help="The topic; the story comes to its end.")
@click.option("--blurb", metavar="TEXT", default="", help="The text.")
@click.option("--url", metavar="ADDRESS", help="The address of a web page to which the headline leads.")
@edit_options
def add(
    session: Session,
    edition: str,
    *,
    title: str,
    topic: str,
    blurb: str,
    url: str | None,
    by: str,
    now: datetime | None,
) -> None:
    """Add a story of your own to an edition.

    It is kept as a post, like those of feeds: it is published once, it can be dropped, deferred, moved and
    rewritten, and if the edition is skipped, the next one takes it. It shows no source.
    """
    new = Add(title=title, topic=topic, blurb=blurb, url=url)
    make_edits(session, edition, lambda _: [new], by, now)


@click.command(epilog='Example: digest split daily "ferry returns" --post "Coast Weekly"')
@click.argument("edition")
@click.argument("story")
@click.option("--post", metavar="POST", help="Split off only this post: its feed, headline or id.")
@edit_options
def split(
    session: Session, edition: str, story: str, *, post: str | None, by: str, now: datetime | None
) -> None:
    """Split a story of several posts.

    Each post becomes a story of its own, after the story and under its topic; with --post, only one does.
    """

    def make(app: App, seen: EditedEdition) -> list[Operation]:
        found = seen.story(story)
        named = post_named(post, posts_of(app.database, seen, found)) if post is not None else None
        return [Split(story=found, post=named)]

    make_edits_with(session, edition, make, by, now)


@click.command(epilog='Example: digest merge daily "ferry returns" "ferry fares"')
@click.argument("edition", metavar="EDITION|DIGEST")
@click.argument("stories", metavar="[STORY STORY...]", nargs=-1)
@edit_options
def merge(session: Session, edition: str, stories: tuple[str, ...], *, by: str, now: datetime | None) -> None:
    """Merge stories of an edition, or the editions of DIGEST that wait.

    With stories, the headlines and links of the others stand under the first one from then on.

    Without stories, the editions that wait past their send time become one draft, so that each reader gets
    one message. Each story appears once; stories over the maximum become headlines. The draft needs an
    approval, and earlier approvals are void. Paused editions stay as they are. If one of the editions has
    begun to be sent, nothing is merged.
    """
    if len(stories) == 1:
        raise click.UsageError("name two stories or more")
    if stories:
        _merge_stories(session, edition, stories, by, now)
    else:
        _merge_waiting(session, edition, now)


def _merge_waiting(session: Session, digest: str, now: datetime | None) -> None:
    with session.app() as app:
        merged = merge_waiting(app, digest, clock_of(now)())
        inspection = inspection_of(app, merged.record, clock_of(now)())
    edition = merged.record.edition
    click.echo(f"{edition.id}: {stories_text(edition)}, merged from {in_words(merged.replaced)}")
    if merged.left:
        click.echo(f"not merged, because the email would be too long: {', '.join(merged.left)}")
    click.echo(f"to look at it: digest preview {edition.id}")
    click.echo(f"to approve it: digest approve {edition.id}")
    show.findings(each for each in inspection.findings if each.level is Level.WARN)
    inspection.require()


def _merge_stories(
    session: Session, edition: str, stories: Sequence[str], by: str, now: datetime | None
) -> None:
    def make(seen: EditedEdition) -> list[Operation]:
        into, *others = (seen.story(name) for name in stories)
        return [Merge(story=each, into=into) for each in others]

    make_edits(session, edition, make, by, now)
