"""Commands that edit stories: drop, restore, defer, move, lead, rewrite, picture, note."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from digest.app import App
from digest.cli.edits.apply import edit_options, make_edits, make_edits_with
from digest.cli.terminal.session import Session
from digest.compose.edits.operations import (
    Defer,
    Drop,
    MakeLead,
    Move,
    Note,
    Operation,
    Part,
    Picture,
    Restore,
    Rewrite,
)
from digest.editions.edits.edits import EditedEdition, picture_of

_DAY = timedelta(days=1)


@click.command(epilog='Example: digest drop daily "ferry returns"')
@click.argument("edition")
@click.argument("stories", metavar="STORY...", nargs=-1, required=True)
@edit_options
def drop(session: Session, edition: str, stories: tuple[str, ...], by: str, now: datetime | None) -> None:
    """Take stories out of an edition for good.

    STORY is the beginning of a headline, some words of it, or the beginning of its post's id. Posts of other
    feeds that tell the same stay out for seven days, too. The edition is a draft again.
    """
    make_edits(session, edition, lambda seen: [Drop(story=seen.story(name)) for name in stories], by, now)


@click.command(epilog='Example: digest restore daily "ferry returns"')
@click.argument("edition")
@click.argument("stories", metavar="STORY...", nargs=-1, required=True)
@edit_options
def restore(session: Session, edition: str, stories: tuple[str, ...], by: str, now: datetime | None) -> None:
    """Take stories back that were dropped or deferred.

    They return to their places. A story that another edition has taken meanwhile cannot come back.
    """
    make_edits(session, edition, lambda seen: [Restore(story=seen.story(name)) for name in stories], by, now)


@click.command(epilog='Example: digest defer daily "apple harvest" --until 2026-11-28')
@click.argument("edition")
@click.argument("stories", metavar="STORY...", nargs=-1, required=True)
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="The first day whose edition may have the story.  [default: the day after the edition]",
)
@edit_options
def defer(
    session: Session,
    edition: str,
    stories: tuple[str, ...],
    *,
    until: datetime | None,
    by: str,
    now: datetime | None,
) -> None:
    """Take stories out of an edition and keep them for a later one.

    The posts wait until the day comes. Editions before that day do not take them.
    """

    def make(seen: EditedEdition) -> list[Operation]:
        day = until.date() if until else seen.record.edition.local_date + _DAY
        return [Defer(story=seen.story(name), until=day) for name in stories]

    make_edits(session, edition, make, by, now)


@click.command(epilog='Example: digest move daily "ferry returns" --topic green')
@click.argument("edition")
@click.argument("story")
@click.option("--topic", metavar="SLUG", help="The topic; the story comes to its end.")
@click.option(
    "--before", metavar="STORY", help="The story before which it comes, under the topic of that story."
)
@edit_options
def move(
    session: Session,
    edition: str,
    story: str,
    *,
    topic: str | None,
    before: str | None,
    by: str,
    now: datetime | None,
) -> None:
    """Put a story under a topic, or before another story.

    A topic shows as many stories in full as before, so a story may become a headline.
    """
    if (topic is None) == (before is None):
        raise click.UsageError("give --topic or --before")

    def make(seen: EditedEdition) -> list[Operation]:
        anchor = seen.story(before) if before else None
        slug = seen.topic_of(anchor) if anchor else str(topic)
        return [Move(story=seen.story(story), topic=slug, before=anchor)]

    make_edits(session, edition, make, by, now)


@click.command(epilog='Example: digest lead daily "ferry returns"')
@click.argument("edition")
@click.argument("story", required=False)
@click.option("--none", "no_lead", is_flag=True, help="Let no story lead.")
@edit_options
def lead(
    session: Session, edition: str, story: str | None, *, no_lead: bool, by: str, now: datetime | None
) -> None:
    """Make a story the lead of an edition.

    The story that led before comes first under its topic.
    """
    if (story is None) != no_lead:
        raise click.UsageError("give a STORY or --none")
    make_edits(session, edition, lambda seen: [MakeLead(story=seen.story(story) if story else None)], by, now)


@click.command(epilog='Example: digest rewrite daily "ferry returns" --headline "The ferry is back"')
@click.argument("edition")
@click.argument("story")
@click.option("--headline", help="The new headline.")
@click.option("--text", help="The new text.")
@edit_options
def rewrite(
    session: Session,
    edition: str,
    story: str,
    *,
    headline: str | None,
    text: str | None,
    by: str,
    now: datetime | None,
) -> None:
    """Rewrite the headline or the text of a story.

    If the publisher changes the original later, `digest edits` shows it.
    """
    new = {part: words for part, words in ((Part.TITLE, headline), (Part.BLURB, text)) if words is not None}
    if not new:
        raise click.UsageError("give --headline or --text")

    def make(seen: EditedEdition) -> list[Operation]:
        found = seen.story(story)
        return [Rewrite(story=found, part=part, text=words) for part, words in new.items()]

    make_edits(session, edition, make, by, now)


@click.command(epilog='Example: digest picture daily "ferry returns" --none')
@click.argument("edition")
@click.argument("story")
@click.option("--url", metavar="ADDRESS", help="The address of another picture that the feed offers.")
@click.option("--none", "no_picture", is_flag=True, help="Show no picture.")
@edit_options
def picture(
    session: Session,
    edition: str,
    story: str,
    *,
    url: str | None,
    no_picture: bool,
    by: str,
    now: datetime | None,
) -> None:
    """Give a story another picture of its post, or none.

    If the address is not one that the feed offers, the command lists the addresses that it does.
    """
    if (url is None) != no_picture:
        raise click.UsageError("give --url or --none")

    def make(app: App, seen: EditedEdition) -> list[Operation]:
        found = seen.story(story)
        return [Picture(story=found, image=picture_of(app.database, found, url) if url else None)]

    make_edits_with(session, edition, make, by, now)


@click.command(epilog='Example: digest note daily "ferry returns" "Our own report comes *tomorrow*."')
@click.argument("edition")
@click.argument("story")
@click.argument("text")
@edit_options
def note(session: Session, edition: str, story: str, text: str, *, by: str, now: datetime | None) -> None:
    """Put a note under a story.

    TEXT is a small part of Markdown: emphasis, links, lists. An empty text removes the note.
    """
    make_edits(session, edition, lambda seen: [Note(story=seen.story(story), text=text)], by, now)
