"""Commands that make and show editions: compose, editions, preview."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import click

from digest.app import App
from digest.cli.terminal import show
from digest.cli.terminal.session import (
    Session,
    chosen_clock,
    clock_of,
    json_option,
    limit_option,
    now_option,
    pass_session,
    yes_option,
)
from digest.editions.approval import Standing, approvals_of, in_words, standing
from digest.editions.compose import merge_offer, stories_text, waiting_together
from digest.editions.editions import (
    compose_now,
    delivery_counts,
    find_edition,
    reader_count,
    recent_editions,
)
from digest.editions.edits.correct import changes_text
from digest.editions.edits.edits import read_edits
from digest.editions.edits.refresh import refresh
from digest.editions.preflight import Inspection, inspection_of
from digest.editions.schedules import coming_skips
from digest.model.deliveries import Counts
from digest.model.editions import Composed, DamagedEdition, Edition, EditionRecord
from digest.render.preflight import Level
from subscribers.model import Frequency

_NAMED = 5  # editions; of more, only the number is shown


@click.command(epilog="Example: digest compose daily")
@click.argument("digest")
@click.option(
    "--gather",
    type=click.Choice(("daily", "weekly")),
    help="Compose the gathered edition of this frequency instead.",
)
@click.option("--again", is_flag=True, help="Plan the newest draft again, with the posts that wait now.")
@now_option
@yes_option
@json_option
@pass_session
def compose(
    session: Session,
    digest: str,
    *,
    gather: str | None,
    again: bool,
    now: datetime | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Compose the next edition of DIGEST now.

    The edition is a draft for the next date of the schedule, composed before its cutoff. The scheduler
    does not compose that date again. If there is nothing to publish, there is no edition, and the
    command says why. With --again, the newest edition is planned again instead, if it has not begun to be
    sent: new posts and new settings come into it, and its edits are applied again.
    """
    if again and gather:
        raise click.UsageError("--again is for drafts that were made from posts, not from editions")
    with session.app() as app:
        clock = chosen_clock(app, now, yes=yes)
        frequency = Frequency(gather or "each")
        composed = (
            refresh(app, digest, clock()) if again else compose_now(app, digest, clock(), frequency=frequency)
        )
        remarks = (composed.reason, *_remarks(app, composed.record)) if again else ()
        inspection = inspection_of(app, composed.record, clock()) if composed.record else None
    if as_json:
        _show_as_json(composed, inspection)
    elif composed.record is None:
        click.echo(f"no edition: {composed.reason}")
    else:
        _show_composed(composed, composed.record, gathers=gather is not None, remarks=remarks)
        if inspection:
            show.findings(each for each in inspection.findings if each.level is Level.WARN)
            inspection.require()


def _show_as_json(composed: Composed, inspection: Inspection | None) -> None:
    stands = Standing(hash=inspection.hash if inspection else "")
    summary = _summary(composed.record, stands) if composed.record else None
    counted = {"used": composed.used, "carried": composed.carried, "dropped": composed.dropped}
    show.facts({"edition": summary, "reason": composed.reason, **counted})


def _show_composed(
    composed: Composed, record: EditionRecord, *, gathers: bool, remarks: Sequence[str]
) -> None:
    edition = record.edition
    send_at = show.local(edition.send_at, edition.zone)
    click.echo(f"{edition.id}: {stories_text(edition)}, to be sent {send_at}")
    if not gathers:
        click.echo(
            f"posts: {composed.used} used, {composed.carried} carried over, {composed.dropped} dropped"
        )
    for line in filter(None, remarks):
        click.echo(line)
    click.echo(f"to look at it: digest preview {edition.id}")


def _remarks(app: App, record: EditionRecord | None) -> tuple[str, ...]:
    """Return a line for each edit of an edition that an editor should look at."""
    if record is None:
        return ()
    edited = read_edits(app.database, record.edition.id)
    remarks, undone = edited.remarks(), edited.applied.undone
    return tuple(
        f"edit {each.number} {remarks[each.number]} ({each.by} {edited.sentence(each)})"
        for each in edited.edits
        if each.number in remarks and each.number not in undone
    )


@click.command(epilog="Example: digest editions daily-2026-11-23")
@click.argument("edition", required=False)
@click.option("--digest", help="List only editions of this digest.")
@limit_option("editions", 20)
@json_option
@pass_session
def editions(session: Session, edition: str | None, digest: str | None, limit: int, as_json: bool) -> None:
    """List the newest editions, or show one edition.

    With EDITION, the command shows the edition's stories, the rule that placed each story, the counts of
    its deliveries, and the posts that have changed or gone since the cutoff. EDITION is an id, or the slug
    of a digest, which stands for its newest edition.
    """
    with session.app() as app:
        if edition is None:
            records = [
                (each, standing(app, each) if isinstance(each, EditionRecord) else Standing())
                for each in recent_editions(
                    app.database, None if digest is None else [app.config.digest(digest).slug], limit
                )
            ]
            now = clock_of(None)()
            coming = (*_offers(app, digest, now), *coming_skips(app.database, app.config, now))
        else:
            record = find_edition(app.database, app.config, edition)
            counts = delivery_counts(app.database, record.edition.id)
            readers, stands = reader_count(app, record, clock_of(None)()), standing(app, record)
            changes = changes_text(app, record)
            given = approvals_of(app.database, record.edition.id)
    if edition is None:
        _show_list(records, as_json)
        for line in () if as_json else coming:
            click.echo(line)
    elif as_json:
        ahead = {
            "readers": readers,
            "changes": list(changes),
            "approvals": [{"by": each.by, "at": each.at, "hash": each.look} for each in given],
        }
        show.facts(_details(record, stands, counts) | (ahead if record.is_ahead else {}))
    else:
        names = record.approved_by or in_words([each.by for each in given])
        _show_one(
            record, stands, show.goes_to(readers) if record.is_ahead else show.counts_text(counts), names
        )
        show.changes(record.edition.id, changes)


def _offers(app: App, digest: str | None, now: datetime) -> Iterator[str]:
    """Yield a line for each digest of which several editions wait past their send time."""
    for slug in [each.slug for each in app.config.digests if digest in (None, each.slug)]:
        if count := len(waiting_together(app.database, slug, now)):
            yield f"{count} editions of {slug} wait, {merge_offer(slug, count)}"


def _show_list(records: list[tuple[EditionRecord | DamagedEdition, Standing]], as_json: bool) -> None:
    if as_json:
        show.facts(
            [
                _damage(each) if isinstance(each, DamagedEdition) else _summary(each, stands)
                for each, stands in records
            ]
        )
        return
    show.table(
        ("edition", "state", "send time", "stories", "lead"),
        [_row(each) for each, _ in records],
        right=("stories",),
    )
    for each, stands in records:
        if isinstance(each, DamagedEdition):
            click.echo(f"edition {each.id} is damaged: {each.damage}", err=True)
        elif warning := _warning(each, stands):
            click.echo(f"{each.edition.id}: {warning}", err=True)


def _warning(record: EditionRecord, stands: Standing) -> str:
    """Return what stands in the way of sending an edition as it was approved; empty if nothing does."""
    if stands.problem:
        return f"it cannot be rendered: {stands.problem}"
    if not stands.changes:
        return ""
    return f"approved by {record.approved_by}, but {in_words(stands.changes)} changed after that"


def _row(each: EditionRecord | DamagedEdition) -> tuple[object, ...]:
    if isinstance(each, DamagedEdition):
        return each.id, f"{each.state}, damaged", show.local(each.send_at, "UTC"), "", ""
    edition = each.edition
    send_time = show.local(edition.send_at, edition.zone)
    return edition.id, _state(each), send_time, _stories(edition), _headline(edition)


def _damage(each: DamagedEdition) -> dict[str, object]:
    return {
        "id": each.id,
        "digest": each.digest,
        "state": each.state,
        "send_at": each.send_at,
        "damage": each.damage,
    }


def _show_one(record: EditionRecord, stands: Standing, deliveries: str, approved_by: str) -> None:
    edition = record.edition
    click.echo(
        f"{edition.id}  {edition.title}  {_state(record)}{f': {record.reason}' if record.reason else ''}"
    )
    click.echo(f"send time   {show.local(edition.send_at, edition.zone)}")
    if approved_by:
        click.echo(f"approved by {approved_by}")
    click.echo(f"deliveries  {deliveries}")
    click.echo(f"hash        {stands.hash or '–'}")
    if warning := _warning(record, stands):
        click.echo(f"warning     {warning}")
    click.echo()
    rows = [(", ".join(story.topics), story.title, story.source, story.rule) for story in edition.stories()]
    show.table(("topic", "story", "source", "placed by"), rows)


def _state(record: EditionRecord) -> str:
    return f"{record.state}, paused" if record.paused_at else record.state


def _summary(record: EditionRecord, stands: Standing) -> dict[str, object]:
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
        "hash": stands.hash or None,
        "changed": stands.changes,
        "approved_by": record.approved_by,
        "approved_at": record.approved_at,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "paused_at": record.paused_at,
    }


def _details(record: EditionRecord, stands: Standing, counts: Counts) -> dict[str, object]:
    edition = record.edition
    return _summary(record, stands) | {
        "deliveries": show.counts_facts(counts),
        "edition": {"lead": edition.lead, "sections": edition.sections},
    }


def _stories(edition: Edition) -> int:
    return sum(1 for _ in edition.stories())


def _headline(edition: Edition) -> str:
    return next((story.title for story in edition.stories()), "")
