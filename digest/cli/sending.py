"""Commands that send and tell how it went: send, deliveries, retry."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from digest.cli import show
from digest.cli.session import Session, clock_of, json_option, now_option, pass_session

if TYPE_CHECKING:
    from digest.app import App
    from digest.model import Counts, Delivery, EditionRecord
    from digest.send.rehearsal import Rehearsal

_STATES = ("queued", "claimed", "wire", "accepted", "deferred", "rejected", "uncertain", "skipped")
_RETRYABLE = ("rejected", "uncertain", "deferred")
_PAGE = 1_000
_CODE = click.option("--code", type=click.IntRange(200, 599), help="Only those answered with this code.")
_DOMAIN = click.option("--domain", help="Only addresses at this domain.")


@click.command(epilog="Example: digest send daily-2026-11-23 --dry-run")
@click.argument("edition")
@click.option(
    "--test-to", metavar="ADDRESS", help="Send one copy there and to nobody else; its links do nothing."
)
@click.option("--dry-run", is_flag=True, help="Say who would get what, and send nothing.")
@now_option
@json_option
@pass_session
def send(
    session: Session, edition: str, test_to: str | None, dry_run: bool, now: datetime | None, as_json: bool
) -> None:
    """Send an edition at once.

    Whatever its send time, to every reader who has not had it yet. EDITION is an id, or the slug of a
    digest for its newest edition. It must be approved, unless its digest has review = "send". The options
    --test-to and --dry-run change nothing in the database.
    """
    from digest.app.editions import find_edition
    from digest.app.sending import rehearse_edition

    if test_to and dry_run:
        raise click.UsageError("--test-to sends a mail and --dry-run sends none: choose one")
    with session.app() as app:
        record = find_edition(app, edition)
        if dry_run:
            _show_rehearsal(rehearse_edition(app, record.edition.id, clock_of(now)()), as_json)
        elif test_to:
            _send_test(app, record, test_to)
        else:
            _send_all(app, record, now, as_json)


def _show_rehearsal(rehearsal: Rehearsal, as_json: bool) -> None:
    if as_json:
        readers = [{"topics": topics, "format": form, "readers": n} for topics, form, n in rehearsal.readers]
        show.facts({"mails": rehearsal.total, "skipped": rehearsal.skipped, "readers": readers})
        return
    rows = [(count, form, ", ".join(topics)) for topics, form, count in rehearsal.readers]
    show.table(("readers", "format", "topics"), rows, right=("readers",))
    click.echo(
        f"{rehearsal.total:,} mails would be sent; {rehearsal.skipped:,} readers have nothing in their topics"
    )


def _send_test(app: App, record: EditionRecord, address: str) -> None:
    from digest.app.sending import send_test
    from digest.model import Outcome

    receipt = send_test(app, record, address)
    click.echo(f"test mail {receipt.outcome}: {receipt.code or ''} {receipt.reply}".rstrip())
    if receipt.outcome is not Outcome.ACCEPTED:
        raise click.exceptions.Exit(1)


def _send_all(app: App, record: EditionRecord, now: datetime | None, as_json: bool) -> None:
    from digest.app import Watch
    from digest.app.editions import delivery_counts
    from digest.app.sending import send_by_hand
    from digest.cli.stopping import stop_on_signals
    from digest.model import EditionState

    edition_id = record.edition.id
    if record.state is EditionState.SENT:
        counts, state = delivery_counts(app, edition_id), "was sent already, and nobody is mailed twice"
    else:
        with show.bar(edition_id) as bar, stop_on_signals() as stop:
            watch = Watch(
                clock=clock_of(now),
                stop=stop.is_set,
                progress=lambda _, counts: bar.to(counts.total - counts.open, counts.total),
            )
            sent = send_by_hand(app, record, watch)
        counts = sent.counts
        state = "is sent" if sent.record.state is EditionState.SENT else f"is {sent.record.state}"
        if sent.outlook:
            state += f"; {sent.outlook}"
    if as_json:
        show.facts({"edition": edition_id, "deliveries": show.counts_facts(counts)})
    else:
        click.echo(f"{edition_id} {state}: {show.counts_text(counts)}")


@click.command(epilog="Example: digest deliveries daily-2026-11-23 --state rejected")
@click.argument("edition")
@click.option(
    "--state", "states", multiple=True, type=click.Choice(_STATES), help="Only these; may be repeated."
)
@_CODE
@_DOMAIN
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="0: all.")
@click.option("--addresses", is_flag=True, help="Show whose they are.")
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
    """Show what became of an edition's mails.

    First how many are in which state; then what failed, was put off or is uncertain, by the server's
    code; then each with the server's answer.
    """
    from digest.app.editions import delivery_counts, find_edition
    from digest.app.sending import trouble_of

    with session.app() as app:
        record = find_edition(app, edition)
        edition_id = record.edition.id
        counts, trouble = delivery_counts(app, edition_id), trouble_of(app, edition_id)
        found = _pages(app, edition_id, states, code, domain, limit=limit)
    if as_json:
        facts = [_delivery_facts(each, addresses) for each in found]
        failed = [dict(zip(("state", "code", "count", "reply"), each, strict=True)) for each in trouble]
        tallies = {"counts": show.counts_facts(counts), "trouble": failed}
        show.facts({"edition": edition_id, "state": record.state, **tallies, "deliveries": facts})
        return
    click.echo(_headline(record, counts))
    if trouble:
        titles = ("trouble", "code", "mails", "for example")
        show.table(titles, trouble, right=("code", "mails"))
        click.echo()
    if found:
        rows = [
            (each.address if addresses else each.subscriber_id, each.state, each.tries, each.code, each.reply)
            for each in found
        ]
        show.table(("subscriber", "state", "tries", "code", "reply"), rows, right=("tries", "code"))
        if len(found) == limit < counts.total:
            click.echo(f"the first {limit:,}; --limit 0 shows all")


def _headline(record: EditionRecord, counts: Counts) -> str:
    from digest.model import EditionState
    from digest.standing import standing

    edition_id = record.edition.id
    if record.state in (EditionState.DRAFT, EditionState.APPROVED):
        return f"{edition_id} has not begun to go: digest send {edition_id} --dry-run tells who it is for"
    return f"{edition_id} is {standing(record)}: {show.counts_text(counts)}"


def _pages(
    app: App, edition_id: str, states: tuple[str, ...], code: int | None, domain: str | None, *, limit: int
) -> list[Delivery]:
    from digest.app.sending import deliveries_of
    from digest.model import DeliveryState

    chosen = [DeliveryState(state) for state in states]
    found: list[Delivery] = []
    while True:
        want = min(_PAGE, limit - len(found)) if limit else _PAGE
        after = found[-1].subscriber_id if found else 0
        page = deliveries_of(app, edition_id, chosen, code=code, domain=domain, after=after, limit=want)
        found += page
        if len(page) < want or len(found) == limit:
            return found


def _delivery_facts(delivery: Delivery, addresses: bool) -> dict[str, object]:
    facts: dict[str, object] = {
        "subscriber_id": str(delivery.subscriber_id),  # beyond what a number holds in JavaScript
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
    help="Which; may be repeated.  [default: rejected, deferred]",
)
@_CODE
@_DOMAIN
@now_option
@json_option
@pass_session
def retry(
    session: Session,
    edition: str,
    states: tuple[str, ...],
    code: int | None,
    domain: str | None,
    now: datetime | None,
    as_json: bool,
) -> None:
    """Try failed deliveries again, at once.

    Uncertain ones, which may have arrived, only when named with --state.
    """
    from digest.app.editions import find_edition
    from digest.app.sending import try_again
    from digest.model import DeliveryState

    with session.app() as app:
        edition_id = find_edition(app, edition).edition.id
        chosen = [DeliveryState(state) for state in states or ("rejected", "deferred")]
        count = try_again(app, edition_id, chosen, now=clock_of(now)(), code=code, domain=domain)
        if not count:
            click.echo("nothing to try again", err=as_json)
        if count or as_json:
            _send_all(app, find_edition(app, edition_id), now, as_json)


COMMANDS: tuple[click.Command, ...] = (send, deliveries, retry)
