"""Commands about the list: subscribers add, list, import, export, remove, suppress, bounces, resend."""

from __future__ import annotations

from datetime import datetime

import click

from digest.cli.people.imports import export, import_
from digest.cli.terminal import show
from digest.cli.terminal.session import Session, clock_of, json_option, limit_option, now_option, pass_session
from digest.inbound.bounces import bounces_listed
from digest.model.deliveries import DeliveryState
from digest.model.run_context import EventKind, RunContext, RunEvent
from digest.readers.data import subscription_facts
from digest.readers.history import history_of
from digest.readers.notices import repeat_confirmation
from digest.readers.subscribers import (
    add_reader,
    find_readers,
    lift_suppression,
    remove_reader,
    requested,
    suppress_address,
)
from subscribers.model import Preferences, Reader
from subscribers.rules.bounces import BounceKind


@click.group()
def subscribers() -> None:
    """Manage the list of readers.

    The list holds the readers and the addresses that must not be mailed. Only `list`, `history`,
    `bounces` and `export` show addresses.
    """


@subscribers.command(epilog="Example: digest subscribers add ada@example.org --digest daily --topics city")
@click.argument("address")
@click.option(
    "--digest",
    "digests",
    multiple=True,
    help="A digest that the reader gets; may be repeated.  [default: all]",
)
@click.option(
    "--topics",
    default="",
    help='"city,green": only these topics. "-city": all topics but this one.  [default: all topics]',
)
@click.option(
    "--hour",
    default="",
    help='The hour at which the reader is mailed, "07:30".  [default: the edition\'s send time]',
)
@click.option(
    "--zone", default="", help='The reader\'s time zone, "Europe/Berlin".  [default: the zone of the digest]'
)
@click.option(
    "--frequency",
    type=click.Choice(("each", "daily", "weekly")),
    default="each",
    show_default=True,
    help="Each edition, or a gathered edition if the digest offers one.",
)
@click.option(
    "--source",
    default="command line",
    show_default=True,
    help="Where the reader agreed; it is kept as evidence of consent.",
)
@now_option
@pass_session
def add(
    session: Session,
    address: str,
    digests: tuple[str, ...],
    topics: str,
    hour: str,
    zone: str,
    frequency: str,
    source: str,
    now: datetime | None,
) -> None:
    """Add a reader who has agreed elsewhere.

    People who unsubscribed or are suppressed are not added.
    """
    with session.app() as app:
        chosen = digests or tuple(digest.slug for digest in app.config.digests)
        for slug in chosen:
            app.config.digest(slug)
        requests = [
            requested(slug, topics=topics, hour=hour, zone=zone, frequency=frequency) for slug in chosen
        ]
        outcome = add_reader(app, address, requests, source=source, now=clock_of(now)())
    click.echo(_OUTCOMES[outcome])
    if outcome in ("left", "suppressed"):
        raise click.exceptions.Exit(1)


_OUTCOMES = {
    "new": "added",
    "added": "was already on the list, and now gets another digest",
    "known": "is already on the list; nothing was changed",
    "left": "has unsubscribed and is not added; only the reader can sign up again",
    "gone": "recorded as unsubscribed",
    "suppressed": "is suppressed and will not be mailed",
}


@subscribers.command("list", epilog="Example: digest subscribers list --digest daily --state active")
@click.option("--digest", help="List only readers who have ever chosen this digest.")
@click.option(
    "--state",
    type=click.Choice(("pending", "active", "unsubscribed")),
    help="List only readers in this state.",
)
@click.option("--begins", default="", metavar="TEXT", help="List only addresses that begin with TEXT.")
@limit_option("readers", 100)
@json_option
@pass_session
def list_(
    session: Session, digest: str | None, state: str | None, begins: str, limit: int, as_json: bool
) -> None:
    """List readers with the digests and topics that each has chosen."""
    with session.app() as app:
        found = find_readers(app.database, app.config, digest=digest, state=state, prefix=begins, limit=limit)
    if as_json:
        show.facts([_reader_facts(reader) for reader in found])
        return
    rows = [_reader_row(reader) for reader in found]
    show.table(("address", "state", "digests"), rows)


def _reader_row(reader: Reader) -> tuple[object, ...]:
    assert reader.subscriber is not None
    digests = [
        f"{each.digest}{f' ({chosen})' if (chosen := _chosen(each.preferences)) else ''}"
        for each in reader.subscriptions
        if reader.reads(each.digest)
    ]
    state = "suppressed" if reader.suppression else reader.subscriber.state
    return reader.subscriber.address, state, digests


def _chosen(preferences: Preferences) -> str:
    frequency = "" if preferences.frequency == "each" else preferences.frequency
    hour = f"at {preferences.hour}" if preferences.hour else ""
    return " ".join(part for part in (frequency, str(preferences.topics), hour) if part)


def _reader_facts(reader: Reader) -> dict[str, object]:
    assert reader.subscriber is not None
    return {
        "id": str(reader.subscriber.id),  # too large for a number in JavaScript
        "address": reader.subscriber.address,
        "state": reader.subscriber.state,
        "language": reader.subscriber.language,
        "format": reader.subscriber.format,
        "suppressed": reader.suppression.reason if reader.suppression else None,
        "confirmed_at": reader.subscriber.confirmed_at,
        "digests": [subscription_facts(each) for each in reader.subscriptions],
    }


@subscribers.command(epilog="Example: digest subscribers remove ada@example.org --digest daily")
@click.argument("address")
@click.option("--digest", help="Remove the reader from this digest only.  [default: all]")
@click.option(
    "--forget",
    is_flag=True,
    help="Erase all data of the reader, except a keyed hash that keeps imports from adding them again.",
)
@now_option
@pass_session
def remove(session: Session, address: str, digest: str | None, forget: bool, now: datetime | None) -> None:
    """Remove a reader from the list.

    The reader is removed from one digest or from all of them. No import adds the reader again.
    """
    if forget and digest:
        raise click.UsageError("--forget erases everything, so it cannot be used with --digest")
    with session.app() as app:
        remove_reader(app, address, digest, forget=forget, now=clock_of(now)())
    click.echo("erased" if forget else "removed")


@subscribers.command(epilog='Example: digest subscribers suppress ada@example.org --note "asked by phone"')
@click.argument("address")
@click.option("--note", default="", help="The reason, which is kept.")
@click.option("--lift", is_flag=True, help="Allow the address to be mailed again.")
@now_option
@pass_session
def suppress(session: Session, address: str, note: str, lift: bool, now: datetime | None) -> None:
    """Suppress an address, so that it is never mailed.

    The address does not have to be on the list.
    """
    with session.app() as app:
        if not lift:
            suppress_address(app.database, app.secret, address, note=note, now=clock_of(now)())
            click.echo("suppressed")
            return
        was_suppressed = lift_suppression(app.database, app.secret, address, clock_of(now)())
    click.echo("no longer suppressed" if was_suppressed else "was not suppressed")


_KINDS = ("hard", "soft", "other", "complaint")


@click.command(epilog="Example: digest subscribers bounces --kind complaint")
@click.option("--kind", type=click.Choice(_KINDS), help="List only bounces of this kind.")
@limit_option("bounces", 100)
@json_option
@pass_session
def bounces(session: Session, kind: str | None, limit: int, as_json: bool) -> None:
    """List bounces and complaints, the newest first.

    Each bounce is shown with its reader, its reason, and whether the reader is still mailed. The list
    contains the bounces that `digest receive` has read, and the messages that a server refused during
    sending because the mailbox does not exist.
    """
    with session.app() as app:
        found = bounces_listed(app.database, kind=BounceKind(kind) if kind else None, limit=limit)
    if as_json:
        show.facts(
            [
                {
                    "at": each.bounce.at,
                    "kind": each.bounce.kind,
                    "address": each.address,
                    "edition": each.bounce.edition or None,
                    "source": each.bounce.source,
                    "reason": each.bounce.reason,
                    "suppressed": each.suppressed,
                }
                for each in found
            ]
        )
        return
    rows = [
        (
            each.bounce.at,
            each.address or "(not on the list)",
            each.bounce.kind,
            "not mailed" if each.suppressed else "mailed",
            each.bounce.reason,
        )
        for each in found
    ]
    show.table(("when (UTC)", "address", "kind", "now", "reason"), rows)


@click.command(epilog="Example: digest subscribers history ada@example.org")
@click.argument("address")
@json_option
@pass_session
def history(session: Session, address: str, as_json: bool) -> None:
    """Show the history of one reader, the oldest event first.

    The history contains sign-up and confirmation, with their source and wording, all changes, and the
    messages that were sent to the reader. After an erasure there is no history.
    """
    with session.app() as app:
        reader, events = history_of(app.database, app.secret, address)
    assert reader.subscriber is not None, "history_of raises an error for an unknown address"
    if as_json:
        show.facts({"address": reader.subscriber.address, "state": reader.subscriber.state, "events": events})
        return
    rows = [(event.at, event.what, event.source, event.detail) for event in events]
    show.table(("when (UTC)", "what", "source or edition", "evidence"), rows)


@click.command(epilog="Example: digest subscribers resend ada@example.org")
@click.argument("address")
@now_option
@pass_session
def resend(session: Session, address: str, now: datetime | None) -> None:
    """Send a new confirmation link to a reader who has signed up and not confirmed.

    The message is sent at once, however many the reader got today. Nothing is confirmed until the reader
    presses the button.
    """

    def report(event: RunEvent) -> None:
        if event.kind is EventKind.FAILED:
            click.echo(str(event), err=True)

    with session.app() as app:
        notice = repeat_confirmation(app, address, RunContext(clock=clock_of(now), report=report))
    click.echo(f"confirmation {notice.state}: {notice.code or ''} {notice.reply}".rstrip(" :"))
    if notice.state is not DeliveryState.ACCEPTED:
        raise click.exceptions.Exit(1)


subscribers.add_command(bounces)
subscribers.add_command(resend)
subscribers.add_command(history)
subscribers.add_command(import_)
subscribers.add_command(export)
