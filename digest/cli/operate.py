"""The commands collect, run, nodes, limits, rename, notices: work besides editions and the list."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from digest.cli.terminal import show
from digest.cli.terminal.session import (
    Session,
    chosen_clock,
    clock_of,
    json_option,
    limit_option,
    now_option,
    pass_session,
    stop_on_signals,
    yes_option,
)
from digest.editions.clocks import release_ahead
from digest.editions.editions import rename as do_rename
from digest.editions.feeds import collect_due
from digest.editions.limits import LimitStatus, limit_statuses
from digest.editions.schedules import begin_digests, next_times
from digest.model.deliveries import DeliveryState, NoticeRecord
from digest.model.posts import FeedReport
from digest.model.run_context import RunContext, RunEvent
from digest.monitoring.nodes import NodeStatus, node_statuses, summary
from digest.monitoring.workers import senders_at_work
from digest.readers.notices import latest_notices
from digest.scheduler.run import run_due


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


@click.command(epilog="Example: digest run --now 2026-11-23T07:00+01:00")
@now_option
@yes_option
@json_option
@pass_session
def run(session: Session, now: datetime | None, yes: bool, as_json: bool) -> None:
    """Do everything that is due now, and exit.

    The command collects, composes, sends and retries. Run it from cron if you do not run `digest serve`.
    Each date of a schedule is done once, however often the command runs, and even if it runs several
    times at once. If nothing happened, it prints nothing, so that cron sends no email. It exits with 1 if
    something failed that somebody must fix, or if it has paused an edition.
    """
    events: list[RunEvent] = []
    feeds: list[FeedReport] = []

    def report(event: RunEvent) -> None:
        events.append(event)
        if not as_json:
            click.echo(str(event), err=event.kind.is_a_warning)

    with session.app() as app, show.bar("sending") as bar, stop_on_signals() as stop:
        context = RunContext(
            clock=chosen_clock(app, now, yes=yes),
            stop=stop.is_set,
            report=report,
            feed=feeds.append,
            progress=lambda _, counts: bar.to(counts.total - counts.open, counts.total),
        )
        run_due(app, context)
        coming = next_times(app.database, app.config, context.clock()) if as_json else {}
    if as_json:
        facts = [_facts(event) for event in events]
        show.facts({"feeds": feeds, "happenings": facts, "next": dict(coming)})
    else:
        _show_feeds(feeds, quiet=not events)
    if any(event.kind.needs_somebody for event in events):
        raise click.exceptions.Exit(1)


def _facts(event: RunEvent) -> dict[str, object]:
    facts: dict[str, object] = {
        "kind": event.kind,
        "subject": event.subject,
        "detail": event.detail,
    }
    return facts | {"deliveries": show.counts_facts(event.counts)} if event.counts else facts


def _show_feeds(feeds: list[FeedReport], *, quiet: bool) -> None:
    """Print the failed feeds and a summary; with `quiet`, there is no summary unless a feed has new posts."""
    failed = [report for report in feeds if report.status in ("failed", "gone")]
    for report in failed:
        click.echo(f"{report.feed}: {report.status}: {report.detail}", err=True)
    fetched = [report for report in feeds if report.status in ("ok", "unchanged")]
    new = sum(report.new for report in feeds)
    if quiet and not new:
        return
    click.echo(f"feeds: {len(fetched)} fetched, {len(failed)} failed, {show.counted(new, 'new post')}")


@click.command(epilog="Example: digest nodes")
@json_option
@pass_session
def nodes(session: Session, as_json: bool) -> None:
    """Show which nodes work, on what, since when, and how fast.

    Sentences below the table name the nodes that are silent, that have a wrong clock, or that take no more
    jobs for another reason, and say what to do. Without an engine there are no nodes, because `digest serve`
    does all the work itself. The command then shows the processes that send an edition.
    """
    with session.app() as app:
        has_engine = app.config.has_engine
        found = node_statuses(app.database) if has_engine else ()
        senders = () if has_engine else senders_at_work(app.database)
    said = summary(found, has_engine=has_engine)
    if as_json:
        show.facts({"summary": said, "nodes": [_node_facts(each) for each in found], "senders": senders})
        return
    if found:
        titles = ("node", "version", "queues", "busy lines", "work", "sent", "rate", "last beat")
        show.table(titles, [_node_row(each) for each in found], right=("sent",))
    for sentence in (said, *(f"{each.name} {each.trouble}" for each in found if each.trouble)):
        click.echo(sentence)
    if senders:
        rows = [(each.host, each.edition_id, each.slices, each.wire, each.moved_at) for each in senders]
        numbers = ("slices", "on the wire")
        show.table(("machine", "edition", *numbers, "last moved (UTC)"), rows, right=numbers)


def _node_row(status: NodeStatus) -> tuple[object, ...]:
    node = status.known.node
    sent = f"{node.sent:,}"
    return status.name, node.version, status.queues, status.lines, status.work, sent, status.rate, status.beat


def _node_facts(status: NodeStatus) -> dict[str, object]:
    known = status.known
    facts = {"silent": known.silent, "is_silent": known.is_silent, "trouble": status.trouble}
    return asdict(known.node) | facts


@click.command(epilog="Example: digest limits")
@now_option
@json_option
@pass_session
def limits(session: Session, now: datetime | None, as_json: bool) -> None:
    """Show how much of each sending limit is used.

    If a limit is used up, the command shows when the next message may be sent. It also shows which
    limited domains are slowed down because a mail server asked for less, and the server's answer.
    """
    with session.app() as app:
        found = limit_statuses(app.database, app.config, clock_of(now)())
    if as_json:
        show.facts({"limits": found})
    elif not found:
        click.echo("there are no limits; they can be set in config.toml under [mail]")
    else:
        _show(found)


def _show(found: tuple[LimitStatus, ...]) -> None:
    rows = [
        (status.whom if place == 0 else " ", use.limit, use.used, use.next_at)
        for status in found
        for place, use in enumerate(status.uses)
    ]
    show.table(("to", "limit", "used", "next"), rows, right=("used",))
    for status in found:
        if status.slowed_since:
            since = show.cell(status.slowed_since)
            click.echo(
                f"{status.whom}: slowed down since {since} UTC, now at {status.share} %: {status.reason}"
            )


@click.command(epilog="Example: digest rename daily everyday")
@click.argument("old")
@click.argument("new")
@pass_session
def rename(session: Session, old: str, new: str) -> None:
    """Move the readers of a digest to its new slug.

    Change the slug in config.toml first, and stop `digest serve`. The subscriptions, the waiting posts, the
    dates that are done and the open editions of OLD become those of NEW; an approved edition is a draft
    again. Unsubscribe links in earlier emails keep working. Sent editions stay in the archive of OLD.
    """
    with session.app() as app:
        moved = do_rename(app.database, app.config, old, new)
    click.echo(f"{old} is now {new}: {moved.text()} moved")


_STATES = ("queued", "wire", "accepted", "deferred", "rejected", "uncertain", "skipped")


@click.command(epilog="Example: digest notices --state rejected")
@click.option("--state", "states", type=click.Choice(_STATES), multiple=True, help="List only these states.")
@limit_option("messages", 100)
@json_option
@pass_session
def notices(session: Session, states: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List the latest messages about accounts and to the staff, the newest first.

    Those about accounts are confirmations, welcomes, changes of address and links to a reader's data. Each is
    shown with its kind, its state, its tries and the server's answer. A message without an address was
    withheld, because the address must not be mailed.
    """
    with session.app() as app:
        found = latest_notices(app.database, [DeliveryState(state) for state in states], limit)
    if as_json:
        show.facts([_notice_facts(each) for each in found])
        return
    rows = [
        (
            each.changed_at,
            each.kind,
            each.address or "(withheld)",
            each.state,
            each.tries,
            f"{each.code or ''} {each.reply}".strip(),
            each.due_at,
        )
        for each in found
    ]
    titles = ("when (UTC)", "kind", "address", "state", "tries", "answer", "due (UTC)")
    show.table(titles, rows, right=("tries",))


def _notice_facts(notice: NoticeRecord) -> dict[str, object]:
    return {
        "id": str(notice.id),  # too large for a number in JavaScript
        "kind": notice.kind,
        "address": notice.address,
        "state": notice.state,
        "tries": notice.tries,
        "code": notice.code,
        "reply": notice.reply,
        "made_at": notice.made_at,
        "changed_at": notice.changed_at,
        "due_at": notice.due_at,
        "expires_at": notice.expires_at,
    }
