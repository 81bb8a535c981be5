"""Commands that edit the words of a whole edition, and that list and undo edits: intro to edits."""

from __future__ import annotations

from datetime import datetime

import click

from digest.cli.edits.apply import edit_options, make_edits
from digest.cli.terminal import show
from digest.cli.terminal.session import Session, json_option, pass_session
from digest.compose.edits.operations import (
    Advertise,
    Introduce,
    Operation,
    Preheader,
    Retitle,
    Subject,
    Undo,
)
from digest.editions.editions import find_edition
from digest.editions.edits.edits import EditedEdition, read_edits
from digest.model.publication import Sponsor


@click.command(epilog='Example: digest intro daily "Good morning. The **ferry** is back."')
@click.argument("edition")
@click.argument("text")
@edit_options
def intro(session: Session, edition: str, text: str, *, by: str, now: datetime | None) -> None:
    """Replace the introduction of an edition.

    TEXT is a small part of Markdown: emphasis, links, lists. An empty text removes the introduction.
    """
    make_edits(session, edition, lambda _: [Introduce(text=text)], by, now)


@click.command(epilog='Example: digest subject daily "The ferry is back" --preheader "And apples are ripe"')
@click.argument("edition")
@click.argument("text", required=False)
@click.option("--preheader", metavar="TEXT", help="The line that mail programs show after the subject.")
@edit_options
def subject(
    session: Session, edition: str, text: str | None, *, preheader: str | None, by: str, now: datetime | None
) -> None:
    """Replace the subject or the preheader of an edition.

    Both may use the variables of `subject` in the configuration, like {{ lead.title }}, which fit each
    reader's topics. With an empty text, the email has the subject or preheader of an edition without one.
    """
    new: list[Operation] = [Subject(text=text)] if text is not None else []
    new += [Preheader(text=preheader)] if preheader is not None else []
    if not new:
        raise click.UsageError("give a TEXT or --preheader")
    make_edits(session, edition, lambda _: new, by, now)


@click.command(
    epilog='Example: digest sponsor daily --name "Quay Books" --text Maps. --url https://quay.test'
)
@click.argument("edition")
@click.option("--name", help="The name of the sponsor.")
@click.option("--text", help="The words of the advertisement: emphasis, links, lists in Markdown.")
@click.option("--url", metavar="ADDRESS", help="The address to which the advertisement leads.")
@click.option("--link", metavar="WORDS", default="", help="The words of the link.  [default: the name]")
@click.option("--none", "no_sponsor", is_flag=True, help="Show no sponsor.")
@edit_options
def sponsor(
    session: Session,
    edition: str,
    *,
    name: str | None,
    text: str | None,
    url: str | None,
    link: str,
    no_sponsor: bool,
    by: str,
    now: datetime | None,
) -> None:
    """Replace the sponsor of an edition.

    The email and the web copy always say that it is an advertisement.
    """
    if no_sponsor == bool(name and text and url):
        raise click.UsageError("give --name, --text and --url, or --none")
    new = None if no_sponsor else Sponsor(name=name or "", text=text or "", url=url or "", link=link)
    make_edits(session, edition, lambda _: [Advertise(sponsor=new)], by, now)


@click.command(epilog='Example: digest heading daily green "Orchards & gardens"')
@click.argument("edition")
@click.argument("topic")
@click.argument("title")
@edit_options
def heading(session: Session, edition: str, topic: str, title: str, *, by: str, now: datetime | None) -> None:
    """Give a topic another title in an edition.

    TOPIC is its slug, as `digest editions EDITION` shows it.
    """
    make_edits(session, edition, lambda _: [Retitle(topic=topic, title=title)], by, now)


@click.command(epilog="Example: digest undo daily 3")
@click.argument("edition")
@click.argument("number", type=int, required=False)
@edit_options
def undo(session: Session, edition: str, number: int | None, *, by: str, now: datetime | None) -> None:
    """Undo an edit.

    NUMBER is the number of the edit, as `digest edits` shows it; without it, the last edit is undone that
    is in force. To undo an undo is to make the edit again.
    """

    def make(seen: EditedEdition) -> list[Operation]:
        last = seen.last_in_force()
        if number is None and last is None:
            raise click.UsageError(f"{seen.record.edition.id} has no edit that could be undone")
        return [Undo(number=last or 0 if number is None else number)]

    make_edits(session, edition, make, by, now)


@click.command(epilog="Example: digest edits daily")
@click.argument("edition")
@json_option
@pass_session
def edits(session: Session, edition: str, *, as_json: bool) -> None:
    """List the edits of an edition.

    The last column names the edits that were undone, those whose story is not in the edition any more, and
    rewrites of texts that the publisher has changed since.
    """
    with session.app() as app:
        edited = read_edits(app.database, find_edition(app.database, app.config, edition).edition.id)
    remarks = edited.remarks()
    if as_json:
        show.facts(
            [
                {
                    "number": each.number,
                    "at": each.at,
                    "by": each.by,
                    "edit": edited.sentence(each),
                    "remark": remarks.get(each.number, ""),
                }
                for each in edited.edits
            ]
        )
        return
    rows = [
        (each.number, each.at, each.by, edited.sentence(each), remarks.get(each.number, ""))
        for each in edited.edits
    ]
    show.table(("edit", "at", "by", "what", "remark"), rows, right=("edit",))
