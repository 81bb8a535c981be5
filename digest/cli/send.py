"""Commands that send, and that show the result: send, deliveries, retry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, astuple
from datetime import datetime

import click

from digest.app import App
from digest.cli.terminal import show
from digest.cli.terminal.session import (
    Session,
    chosen_clock,
    clock_of,
    json_option,
    now_option,
    pass_session,
    stop_on_signals,
    yes_option,
)
from digest.editions.editions import delivery_counts, find_edition
from digest.editions.send import (
    deliveries_of,
    dry_run_edition,
    failures_of,
    note_test,
    send_by_hand,
    send_test,
    try_again,
)
from digest.model.deliveries import Counts, Delivery, DeliveryState
from digest.model.editions import EditionRecord, EditionState, status_text
from digest.model.messages import Outcome
from digest.model.run_context import EventKind, RunContext, RunEvent
from digest.send.dry_run import DryRun

_STATES = ("queued", "claimed", "wire", "accepted", "deferred", "rejected", "uncertain", "skipped")
_RETRYABLE = ("rejected", "uncertain", "deferred")
_PAGE = 1_000
_CODE = click.option(
    "--code", type=click.IntRange(200, 599), help="Only deliveries that were answered with this code."
)
_DOMAIN = click.option("--domain", help="Only deliveries to addresses at this domain.")


@click.command(epilog="Example: digest send daily-2026-11-23 --dry-run")
@click.argument("edition")
@click.option(
    "--test-to",
    metavar="ADDRESS",
    help="Send one copy to this address and to nobody else; its links do nothing.",
)
@click.option(
    "--dry-run", is_flag=True, help="Show how many readers would get which topics, and send nothing."
)
@now_option
@yes_option
@json_option
@pass_session
def send(
    session: Session,
    edition: str,
    *,
    test_to: str | None,
    dry_run: bool,
    now: datetime | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Send an edition now, whatever its send time.

    The edition is sent to every reader who has not received it yet. It must be approved, unless its
    digest has review = "send". EDITION is an id, or the slug of a digest, which stands for its newest
    edition. The options --test-to and --dry-run change nothing in the database.
    """
    if test_to and dry_run:
        raise click.UsageError("--test-to sends a message and --dry-run sends none: use only one of them")
    with session.app() as app:
        record = find_edition(app.database, app.config, edition)
        if dry_run:
            _show_dry_run(dry_run_edition(app, record.edition.id, clock_of(now)()), as_json)
        elif test_to:
            _send_test(app, record, test_to, clock_of(now)())
        else:
            _send_all(app, record, chosen_clock(app, now, yes=yes), as_json)


def _show_dry_run(found: DryRun, as_json: bool) -> None:
    if as_json:
        readers = [{"topics": topics, "format": form, "readers": n} for topics, form, n in found.readers]
        show.facts({"mails": found.total, "skipped": found.skipped, "readers": readers})
        return
    rows = [(count, form, ", ".join(topics)) for topics, form, count in found.readers]
    show.table(("readers", "format", "topics"), rows, right=("readers",))
    click.echo(
        f"{show.counted(found.total, 'email')} would be sent; "
        f"{show.counted(found.skipped, 'reader')} would get none, because no story is in their topics"
    )


def _send_test(app: App, record: EditionRecord, address: str, now: datetime) -> None:
    receipt = send_test(app, record, address)
    click.echo(f"test message {receipt.outcome}: {receipt.code or ''} {receipt.reply}".rstrip())
    if receipt.outcome is not Outcome.ACCEPTED:
        raise click.exceptions.Exit(1)
    note_test(app.database, record.edition.id, now)


def _send_all(app: App, record: EditionRecord, clock: Callable[[], datetime], as_json: bool) -> None:
    edition_id, trouble, paused = record.edition.id, "", False
    if record.state is EditionState.SENT:
        counts, state = (
            delivery_counts(app.database, edition_id),
            "has already been sent, and nobody is mailed twice",
        )
    else:
        app.config.mail.require_passwords()  # before a draft is approved
        with show.bar(edition_id) as bar, stop_on_signals() as stop:
            context = RunContext(
                clock=clock,
                stop=stop.is_set,
                report=_warn,
                progress=lambda _, counts: bar.to(counts.total - counts.open, counts.total),
            )
            sent = send_by_hand(app, record, context)
        counts, paused = sent.counts, sent.record.paused_at is not None
        state = "is sent" if sent.record.state is EditionState.SENT else f"is {sent.record.state}"
        if sent.outlook:
            state = f"is {sent.outlook}" if paused else f"{state}; {sent.outlook}"
        trouble = sent.trouble
    if trouble:
        click.echo(f"{edition_id}: {trouble}", err=as_json)
    if as_json:
        show.facts({"edition": edition_id, "deliveries": show.counts_facts(counts)})
    else:
        click.echo(f"{edition_id} {state}: {show.counts_text(counts)}")
    if trouble or paused:
        raise click.exceptions.Exit(1)


def _warn(event: RunEvent) -> None:
    if event.kind is EventKind.DIFFERS:
        click.echo(str(event), err=True)


@click.command(epilog="Example: digest deliveries daily-2026-11-23 --state rejected")
@click.argument("edition")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(_STATES),
    help="Only deliveries in this state; may be repeated.",
)
@_CODE
@_DOMAIN
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    help="List at most this many deliveries; 0 lists all.",
)
@click.option("--addresses", is_flag=True, help="Show addresses instead of subscriber ids.")
@json_option
@pass_session
def deliveries(
    session: Session,
    edition: str,
    states: tuple[str, ...],
    code: int | None,
    domain: str | None,
    limit: int,
    addresses: bool,
    as_json: bool,
) -> None:
    """Show the deliveries of an edition.

    The command first counts the deliveries in each state. Then it groups rejected, deferred and
    uncertain deliveries by the server's code. Then it lists the deliveries, each with the server's
    answer.
    """
    with session.app() as app:
        record = find_edition(app.database, app.config, edition)
        edition_id = record.edition.id
        counts, failures = delivery_counts(app.database, edition_id), failures_of(app.database, edition_id)
        found = _pages(app, edition_id, states, code, domain, limit=limit)
    if as_json:
        facts = [_delivery_facts(each, addresses) for each in found]
        failed = [asdict(each) for each in failures]
        tallies = {"counts": show.counts_facts(counts), "trouble": failed}
        show.facts({"edition": edition_id, "state": record.state, **tallies, "deliveries": facts})
        return
    click.echo(_headline(record, counts))
    if failures:
        titles = ("failures", "code", "emails", "example")
        show.table(titles, [astuple(each) for each in failures], right=("code", "emails"))
        click.echo()
    if found:
        rows = [
            (each.address if addresses else each.subscriber_id, each.state, each.tries, each.code, each.reply)
            for each in found
        ]
        show.table(("subscriber", "state", "tries", "code", "reply"), rows, right=("tries", "code"))
        if len(found) == limit < counts.total:
            click.echo(f"only the first {limit:,} are listed; --limit 0 lists all")


def _headline(record: EditionRecord, counts: Counts) -> str:
    edition_id = record.edition.id
    if record.is_ahead:
        return f"{edition_id} is not being sent yet; to see its readers: digest send {edition_id} --dry-run"
    return f"{edition_id} is {status_text(record)}: {show.counts_text(counts)}"


def _pages(
    app: App, edition_id: str, states: tuple[str, ...], code: int | None, domain: str | None, *, limit: int
) -> list[Delivery]:
    chosen = [DeliveryState(state) for state in states]
    found: list[Delivery] = []
    while True:
        want = min(_PAGE, limit - len(found)) if limit else _PAGE
        after = found[-1].subscriber_id if found else 0
        page = deliveries_of(
            app.database, edition_id, chosen, code=code, domain=domain, after=after, limit=want
        )
        found += page
        if len(page) < want or len(found) == limit:
            return found


def _delivery_facts(delivery: Delivery, addresses: bool) -> dict[str, object]:
    facts: dict[str, object] = {
        "subscriber_id": str(delivery.subscriber_id),  # too large for a number in JavaScript
        "variant": delivery.variant,
        "state": delivery.state,
        "due_at": delivery.due_at,
        "tries": delivery.tries,
        "code": delivery.code,
        "reply": delivery.reply,
        "changed_at": delivery.changed_at,
    }
    return facts | {"address": delivery.address} if addresses else facts


@click.command(epilog="Example: digest retry daily-2026-11-23 --state rejected --code 550")
@click.argument("edition")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(_RETRYABLE),
    help="Retry deliveries in this state; may be repeated.  [default: rejected, deferred]",
)
@_CODE
@_DOMAIN
@now_option
@yes_option
@json_option
@pass_session
def retry(
    session: Session,
    edition: str,
    states: tuple[str, ...],
    code: int | None,
    domain: str | None,
    now: datetime | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Retry failed deliveries now.

    Uncertain deliveries may have arrived, so they are retried only if you name them with --state.
    """
    with session.app() as app:
        clock = chosen_clock(app, now, yes=yes)
        edition_id = find_edition(app.database, app.config, edition).edition.id
        app.config.mail.require_passwords()  # before anything is queued again
        chosen = [DeliveryState(state) for state in states or ("rejected", "deferred")]
        count = try_again(app.database, edition_id, chosen, now=clock(), code=code, domain=domain)
        if not count:
            click.echo("there is nothing to retry", err=as_json)
        if count or as_json:
            _send_all(app, find_edition(app.database, app.config, edition_id), clock, as_json)
