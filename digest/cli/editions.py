"""Commands about editions: compose, editions, preview, approve, pause, resume, cancel."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli import show
from digest.cli.session import Session, clock_of, json_option, now_option, pass_session
from digest.render.spoken import catalogues

if TYPE_CHECKING:
    from digest.model import Counts, Edition, EditionRecord


@click.command(epilog="Example: digest compose daily")
@click.argument("digest")
@click.option(
    "--gather", type=click.Choice(("daily", "weekly")), help="The gathered edition of that frequency instead."
)
@now_option
@json_option
@pass_session
def compose(session: Session, digest: str, gather: str | None, now: datetime | None, as_json: bool) -> None:
    """Compose the next edition of DIGEST now.

    It is a draft for the next date of the schedule, made before its cutoff; the clock then leaves that
    date alone. When there is nothing to tell there is no edition, and a sentence why.
    """
    from digest.app.composing import stories_text
    from digest.app.editions import compose_now
    from subscribers.model import Frequency

    with session.app() as app:
        composed = compose_now(app, digest, clock_of(now)(), frequency=Frequency(gather or "each"))
    if as_json:
        summary = _summary(composed.record) if composed.record else None
        counted = {"used": composed.used, "carried": composed.carried, "dropped": composed.dropped}
        show.facts({"edition": summary, "reason": composed.reason, **counted})
        return
    if composed.record is None:
        click.echo(f"no edition: {composed.reason}")
        return
    edition = composed.record.edition
    send_at = show.local(edition.send_at, edition.zone)
    click.echo(f"{edition.id}: {stories_text(edition)}, to be sent {send_at}")
    if gather is None:
        click.echo(f"posts: {composed.used} used, {composed.carried} carried, {composed.dropped} dropped")
    click.echo(f"look at it: digest preview {edition.id}")


@click.command(epilog="Example: digest editions daily-2026-11-23")
@click.argument("edition", required=False)
@click.option("--digest", help="Only editions of this digest.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@pass_session
def editions(session: Session, edition: str | None, digest: str | None, limit: int, as_json: bool) -> None:
    """List the newest editions, or show one.

    One is shown with its stories, the rule that placed each, and its deliveries. EDITION is an id, or
    the slug of a digest for its newest edition.
    """
    from digest.app.editions import delivery_counts, find_edition, recent_editions

    with session.app() as app:
        if edition is None:
            records = recent_editions(app, digest, limit)
        else:
            record = find_edition(app, edition)
            counts = delivery_counts(app, record.edition.id)
    if edition is None:
        _show_list(records, as_json)
    elif as_json:
        show.facts(_details(record, counts))
    else:
        _show_one(record, counts)


def _show_list(records: tuple[EditionRecord, ...], as_json: bool) -> None:
    if as_json:
        show.facts([_summary(record) for record in records])
        return
    rows = [
        (
            record.edition.id,
            _state(record),
            show.local(record.edition.send_at, record.edition.zone),
            _stories(record.edition),
            _headline(record.edition),
        )
        for record in records
    ]
    show.table(("edition", "state", "send time", "stories", "lead"), rows, right=("stories",))


def _show_one(record: EditionRecord, counts: Counts) -> None:
    edition = record.edition
    click.echo(
        f"{edition.id}  {edition.title}  {_state(record)}{f': {record.reason}' if record.reason else ''}"
    )
    click.echo(f"send time   {show.local(edition.send_at, edition.zone)}")
    if record.approved_by:
        click.echo(f"approved by {record.approved_by}")
    click.echo(f"deliveries  {show.counts_text(counts)}")
    click.echo(f"hash        {record.hash}\n")
    rows = [(story.topic, story.title, story.source, story.rule) for story in edition.stories()]
    show.table(("topic", "story", "source", "placed by"), rows)


def _state(record: EditionRecord) -> str:
    return f"{record.state}, paused" if record.paused_at else record.state


def _summary(record: EditionRecord) -> dict[str, object]:
    edition = record.edition
    return {
        "id": edition.id,
        "digest": edition.digest,
        "frequency": record.frequency,
        "state": record.state,
        "reason": record.reason,
        "local_date": edition.local_date,
        "cutoff_at": edition.cutoff_at,
        "send_at": edition.send_at,
        "stories": _stories(edition),
        "lead": _headline(edition),
        "hash": record.hash,
        "approved_by": record.approved_by,
        "approved_at": record.approved_at,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "paused_at": record.paused_at,
    }


def _details(record: EditionRecord, counts: Counts) -> dict[str, object]:
    edition = record.edition
    return _summary(record) | {
        "deliveries": show.counts_facts(counts),
        "edition": {"lead": edition.lead, "sections": edition.sections},
    }


def _stories(edition: Edition) -> int:
    return sum(1 for _ in edition.stories())


def _headline(edition: Edition) -> str:
    return next((story.title for story in edition.stories()), "")


@click.command(epilog="Example: digest preview daily --subscriber ada@example.org --open")
@click.argument("edition")
@click.option("--subscriber", metavar="ADDRESS", help="As this reader would get it.")
@click.option("--language", type=click.Choice(sorted(catalogues())), help="As one who chose this language.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("preview"),
    show_default=True,
    help="A folder.",
)
@click.option("--open", "open_it", is_flag=True, help="Open the page in the browser.")
@pass_session
def preview(
    session: Session, edition: str, *, subscriber: str | None, language: str | None, out: Path, open_it: bool
) -> None:
    """Write an edition as it would be sent.

    Four files: .html, .txt, the whole mail as .eml, and the .web.html copy. EDITION is an id, or the
    slug of a digest for its newest edition. Nothing in the database changes.
    """
    from digest.app.editions import find_edition
    from digest.app.preview import write_preview

    with session.app() as app:
        record = find_edition(app, edition)
        written = write_preview(app, record, out, address=subscriber, language=language)
    for path in written.paths:
        click.echo(path)
    for finding in written.findings:
        click.echo(f"{finding.level}: {finding.message}", err=True)
    if open_it:
        click.launch(written.paths[0].absolute().as_uri())


@click.command(epilog="Example: digest approve daily")
@click.argument("edition")
@click.option("--by", default="", help="Who approves; kept.  [default: your user name]")
@now_option
@pass_session
def approve(session: Session, edition: str, by: str, now: datetime | None) -> None:
    """Approve a draft.

    It goes at its send time, or with the next `run` or ring of `serve` when that has passed.
    """
    from digest.app.editions import approve as do_approve
    from digest.app.editions import find_edition

    with session.app() as app:
        found = find_edition(app, edition).edition
        do_approve(app, found.id, by=by or _user(), now=clock_of(now)())
    click.echo(f"{found.id} is approved, to be sent {show.local(found.send_at, found.zone)}")


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a name for its user
        return "command line"


@click.command(epilog='Example: digest pause daily --reason "wrong lead?"')
@click.argument("edition")
@click.option("--reason", default="paused by hand", show_default=True, help="Why; kept until it is resumed.")
@now_option
@pass_session
def pause(session: Session, edition: str, reason: str, now: datetime | None) -> None:
    """Hold an edition where it stands.

    A draft or an approved one does not begin. One that is being sent takes no further letter, in any
    process; what is on the wire is finished.
    """
    from digest.app.editions import find_edition, pause_edition

    with session.app() as app:
        found = find_edition(app, edition).edition
        pause_edition(app, found.id, reason=reason, now=clock_of(now)())
    click.echo(f"{found.id} is paused; let it go on with: digest resume {found.id}")


@click.command(epilog="Example: digest resume daily")
@click.argument("edition")
@now_option
@pass_session
def resume(session: Session, edition: str, now: datetime | None) -> None:
    """Let a paused edition go on.

    With the next `run`, or ring of `serve`. One that is approved goes even if its send time has long passed.
    """
    from digest.app.editions import find_edition, resume_edition

    with session.app() as app:
        found = find_edition(app, edition).edition
        state = resume_edition(app, found.id, clock_of(now)()).state
        digest = next((each for each in app.config.digests if each.slug == found.digest), None)
    click.echo(f"{found.id} goes on: it is {'a draft' if state == 'draft' else state}")
    if state == "draft" and digest and found.send_at < clock_of(now)():
        until = show.local(found.send_at + digest.late, found.zone)
        click.echo(f"it goes until {until}; later too once approved: digest approve {found.id}")


@click.command(epilog='Example: digest cancel daily-2026-11-23 --reason "wrong lead"')
@click.argument("edition")
@click.option("--reason", default="cancelled by hand", show_default=True, help="Why; kept.")
@now_option
@pass_session
def cancel(session: Session, edition: str, reason: str, now: datetime | None) -> None:
    """Stop an edition for good.

    Before its sending began, its posts go back to wait for the next. While it is sent, no further letter is
    taken of it: what is on the wire is finished, and what had not gone is skipped.
    """
    from digest.app.editions import cancel as do_cancel
    from digest.app.editions import delivery_counts, find_edition

    with session.app() as app:
        found = find_edition(app, edition).edition
        record = do_cancel(app, found.id, reason=reason, now=clock_of(now)())
        counts = delivery_counts(app, found.id)
    click.echo(f"{found.id} is cancelled{f': {show.counts_text(counts)}' if record.started_at else ''}")


COMMANDS: tuple[click.Command, ...] = (compose, editions, preview, approve, pause, resume, cancel)
