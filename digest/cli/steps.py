"""Commands that take an edition a step on: from correct to cancel."""

from __future__ import annotations

from datetime import datetime

import click

from digest.cli.terminal import show
from digest.cli.terminal.session import Session, by_option, clock_of, now_option, pass_session
from digest.editions.approval import approvals_missing, approvals_of, in_words
from digest.editions.approval import unapprove as do_unapprove
from digest.editions.archive import add_correction
from digest.editions.compose import merge_offer, stories_text, waiting_together
from digest.editions.editions import approve as do_approve
from digest.editions.editions import cancel as do_cancel
from digest.editions.editions import (
    delivery_counts,
    find_edition,
    pause_edition,
    reader_count,
    resume_edition,
)
from digest.editions.edits.correct import correct as do_correct
from digest.editions.edits.correct import correct_site
from digest.editions.schedules import skip_date, unskip_date
from digest.message.reader_links import edition_url
from digest.model.publication import Review

_NAMED = 5  # editions; of more, only the number is shown


@click.command(epilog="Example: digest correct daily")
@click.argument("edition")
@now_option
@pass_session
def correct(session: Session, edition: str, now: datetime | None) -> None:
    """Take the corrections of publishers into an edition.

    Stories whose posts have changed since the cutoff get the new words, and stories whose posts are gone
    from their feeds are taken out. The edition also gets [site] and [brand] as they are in config.toml now.
    If anything changes, the edition is a draft again, because nobody has approved this.
    """
    with session.app() as app:
        found = find_edition(app.database, app.config, edition).edition
        changes = do_correct(app, found.id, clock_of(now)())
        site_changed = correct_site(app, found.id, clock_of(now)())
    for change in changes:
        click.echo(change.text)
    if site_changed:
        click.echo("its site and its brand are those of config.toml now")
    if changes or site_changed:
        click.echo(f"{found.id} is corrected; to approve it: digest approve {found.id}")
    else:
        click.echo(f"{found.id}: nothing has changed since the cutoff")


@click.command(epilog='Example: digest correction daily-2026-11-22 "The ferry runs on *Monday*."')
@click.argument("edition")
@click.argument("text")
@by_option
@now_option
@pass_session
def correction(session: Session, edition: str, text: str, by: str, now: datetime | None) -> None:
    """Put a correction on the web copy of an edition that has been sent.

    It shows the date, and stands above the stories. TEXT is a small part of Markdown: emphasis, links,
    lists. The email stays as readers have it, and its hash, too.
    """
    with session.app() as app:
        found = find_edition(app.database, app.config, edition).edition
        made = add_correction(app.database, found.id, text, by=by, now=clock_of(now)())
        url = edition_url(app.config.site.base_url, found.digest, found.id)
    click.echo(f"correction {made.number} of {found.id} stands on {url}")


@click.command(epilog="Example: digest approve daily 3f2a9c1b")
@click.argument("edition")
@click.argument("reviewed", required=False, default="", metavar="[HASH]")
@click.option("--hash", "reviewed_hash", metavar="HASH", default="", help="The same as the argument HASH.")
@by_option
@now_option
@pass_session
def approve(
    session: Session, edition: str, *, reviewed: str, reviewed_hash: str, by: str, now: datetime | None
) -> None:
    """Approve a draft.

    The edition is sent at its send time. If that time has passed, the next `digest run` sends it, or
    `digest serve` within a few seconds. The approval covers the stories, the templates and the fixed words.
    If HASH is given, the edition is approved only if it still has the hash that `digest preview` and
    `digest editions` showed; the first eight characters are enough. If `approvals` of the digest is 2, two
    persons must approve the same hash. If other editions of the digest wait past their send time too, the
    command offers to merge them.
    """
    if reviewed and reviewed_hash:
        raise click.UsageError("give HASH once")
    with session.app() as app:
        clock = clock_of(now)
        found = find_edition(app.database, app.config, edition).edition
        record, look = do_approve(app, found.id, by=by, now=clock(), reviewed=reviewed or reviewed_hash)
        readers, own = reader_count(app, record, clock()), app.templates.own(look.templates)
        together = waiting_together(app.database, found.digest, clock())
        given = approvals_of(app.database, found.id)
        missing = approvals_missing(app.config, record, given)
    at = show.local(found.send_at, found.zone)
    if missing:
        names, more = in_words([each.by for each in given]), show.counted(missing, "other person")
        click.echo(f"{found.id} is approved by {names}; before it is sent {at}, {more} must approve it, too")
    else:
        click.echo(f"{found.id} is approved, to be sent {at}; it {show.goes_to(readers)}")
    click.echo(f"hash {look.kept().hash}")
    yours = f", of which {in_words(own)} {'is' if len(own) == 1 else 'are'} yours" if own else ""
    click.echo(
        f"the approval covers {stories_text(found)}, {show.counted(len(look.templates), 'template')}{yours}, "
        f"and the fixed words in {in_words(tuple(look.words))}"
    )
    waiting = tuple(each.edition.id for each in together)
    if found.id in waiting:
        others = tuple(each for each in waiting if each != found.id)
        named = in_words(others) if len(others) <= _NAMED else f"{len(others)} other editions"
        verb = "waits" if len(others) == 1 else "wait"
        click.echo(f"{named} {verb} too, {merge_offer(found.digest, len(waiting))}")


@click.command(epilog="Example: digest unapprove daily")
@click.argument("edition")
@by_option
@now_option
@pass_session
def unapprove(session: Session, edition: str, by: str, now: datetime | None) -> None:
    """Take the approval of an edition back.

    The edition is a draft again. At the send time, the digest's `review` decides about it.
    """
    with session.app() as app:
        found = find_edition(app.database, app.config, edition).edition
        do_unapprove(app.database, found.id, by=by, now=clock_of(now)())
        digest = app.config.digest_or_none(found.digest)
    click.echo(f"{found.id} is a draft again; to approve it: digest approve {found.id}")
    if digest and digest.review is Review.SEND:
        at = show.local(found.send_at, found.zone)
        click.echo(f'it is sent {at} all the same, because its digest has review = "send"')
        click.echo(f"to hold it: digest pause {found.id}")


@click.command(epilog='Example: digest skip daily 2026-12-24 --reason "Christmas"')
@click.argument("digest")
@click.argument("date", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE")
@click.option("--reason", help="The reason, which is shown with the date.")
@click.option("--undo", is_flag=True, help="Take the skip of the date back.")
@by_option
@now_option
@pass_session
def skip(
    session: Session,
    digest: str,
    date: datetime,
    *,
    reason: str | None,
    undo: bool,
    by: str,
    now: datetime | None,
) -> None:
    """Skip one date of DIGEST.

    No edition is composed for that date, and its posts wait for the next one. An edition that was composed
    for it already is skipped, unless it has begun to be sent. With --undo, a skip is taken back until the
    send time of its date: the edition is composed at the cutoff, or at once if that has passed.
    """
    if undo == bool(reason):
        raise click.UsageError("give either --reason or --undo")
    with session.app() as app:
        if undo:
            unskip_date(app.database, app.config.digest(digest), date.date(), clock_of(now)())
            click.echo(f"{digest} is not skipped on {date:%Y-%m-%d} any more")
            return
        why = f"{by}: {reason}"
        skipped = skip_date(app.database, app.config.digest(digest), date.date(), why, clock_of(now)())
    what = f"{skipped} is skipped" if skipped else f"{digest} is skipped on {date:%Y-%m-%d}"
    click.echo(f"{what}; its posts wait for the next edition")


@click.command(epilog='Example: digest pause daily --reason "wrong lead?"')
@click.argument("edition")
@click.option(
    "--reason",
    default="paused by hand",
    show_default=True,
    help="The reason, which is shown until the edition is resumed.",
)
@now_option
@pass_session
def pause(session: Session, edition: str, reason: str, now: datetime | None) -> None:
    """Pause an edition, before or during sending.

    A paused edition is not sent, even if it is approved. If it is being sent, no process sends any
    further message of it; messages that are in flight are finished.
    """
    with session.app() as app:
        found = find_edition(app.database, app.config, edition).edition
        pause_edition(app.database, found.id, reason=reason, now=clock_of(now)())
    click.echo(f"{found.id} is paused; to resume it: digest resume {found.id}")


@click.command(epilog="Example: digest resume daily")
@click.argument("edition")
@now_option
@pass_session
def resume(session: Session, edition: str, now: datetime | None) -> None:
    """Resume a paused edition.

    The next `digest run` continues with it, or `digest serve` within a few seconds. An approved edition
    is sent even if its send time passed long ago.
    """
    with session.app() as app:
        found = find_edition(app.database, app.config, edition).edition
        state = resume_edition(app.database, found.id, clock_of(now)()).state
        digest = app.config.digest_or_none(found.digest)
    click.echo(f"{found.id} is resumed: it is {'a draft' if state == 'draft' else state}")
    if state == "draft" and digest and found.send_at < clock_of(now)():
        until = show.local(found.send_at + digest.late, found.zone)
        click.echo(f"it is sent no later than {until}, unless you approve it: digest approve {found.id}")


@click.command(epilog='Example: digest cancel daily-2026-11-23 --reason "wrong lead"')
@click.argument("edition")
@click.option(
    "--reason",
    default="cancelled by hand",
    show_default=True,
    help="The reason, which is shown with the edition.",
)
@now_option
@pass_session
def cancel(session: Session, edition: str, reason: str, now: datetime | None) -> None:
    """Cancel an edition for good, before or during sending.

    If sending has not begun, its posts wait for the next edition. If it is being sent, messages that are
    in flight are finished, and all remaining deliveries are skipped.
    """
    with session.app() as app:
        found = find_edition(app.database, app.config, edition).edition
        record = do_cancel(app.database, found.id, reason=reason, now=clock_of(now)())
        counts = delivery_counts(app.database, found.id)
    click.echo(f"{found.id} is cancelled{f': {show.counts_text(counts)}' if record.started_at else ''}")
