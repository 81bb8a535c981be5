"""Send editions, rehearse it, send a test, and try again what failed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import partial

from digest.app.bounces import note_refusals
from digest.app.fitness import refuse_unfit
from digest.app.policy import review_of
from digest.app.watch import Happening, Kind, Watch
from digest.app.wiring import App
from digest.errors import StateError
from digest.model import Delivery, DeliveryState, EditionRecord, EditionState, Receipt
from digest.publication import Review
from digest.send.letters import Press
from digest.send.message import Addressee
from digest.send.rehearsal import Rehearsal, rehearse
from digest.send.send import Sent, send, send_one
from digest.standing import refusal
from digest.storage.editions import load_edition
from digest.storage.outcomes import by_code, list_deliveries, retry
from digest.storage.steps import advance, reopen
from subscribers.address import parse_address

_ENDED = {EditionState.SENT: Kind.SENT, EditionState.CANCELLED: Kind.CANCELLED}


def send_edition(app: App, edition_id: str, watch: Watch) -> Sent:
    """Send what is due of an approved edition, and report how it stands then.

    Raises UnfitError before the first letter, when the mail must not go as it is.
    """
    with app.database.read() as connection:
        record = load_edition(connection, edition_id)
    if record.state is EditionState.APPROVED:
        refuse_unfit(app, record)
    sent = send(
        app.database,
        edition_id,
        outbox=app.outbox(),
        clock=watch.clock,
        stop=watch.stop,
        progress=partial(watch.progress, edition_id),
    )
    kind = _ENDED.get(sent.record.state, Kind.SENDING)
    ended = kind is Kind.SENT
    dead = note_refusals(app, edition_id, sent.counts, now=watch.clock()) if ended else ""
    detail = "; ".join(part for part in (_detail(sent), dead) if part)
    watch.report(Happening(kind=kind, subject=edition_id, detail=detail, counts=sent.counts))
    return sent


def _detail(sent: Sent) -> str:
    found = ", ".join(f"{count:,} {state}" for state, count in sent.counts.by_state if count)
    return f"{found or 'no readers'}{f'; {sent.outlook}' if sent.outlook else ''}"


def send_by_hand(app: App, record: EditionRecord, watch: Watch) -> Sent:
    """Send an edition at once, whatever its send time; a draft only where its digest needs no approval.

    Raises StateError, TransportError.
    """
    edition_id = record.edition.id
    if record.paused_at or record.state in (EditionState.SKIPPED, EditionState.CANCELLED):
        raise refusal(record, "sent")
    if record.state is EditionState.DRAFT:
        if review_of(record, app.config.digest(record.edition.digest)) is not Review.SEND:
            raise refusal(record, "sent")
        _approve(app, edition_id, watch.clock())
    return send_edition(app, edition_id, watch)


def _approve(app: App, edition_id: str, now: datetime) -> None:
    """Approve a draft, or find that another sender of it was quicker."""
    try:
        with app.database.write() as connection:
            advance(connection, edition_id, EditionState.APPROVED, now, by="sent by hand")
    except StateError as error:
        if error.state not in (EditionState.APPROVED, EditionState.SENDING, EditionState.SENT):
            raise


def rehearse_edition(app: App, edition_id: str, now: datetime) -> Rehearsal:
    """Count who an edition would go to, and change nothing."""
    return rehearse(app.database, edition_id, stationery=app.stationery(), now=now, offers=app.offers())


def send_test(app: App, record: EditionRecord, address: str) -> Receipt:
    """Send one copy with all topics to any address, outside the ledger; its links change nothing.

    Raises AddressError, TransportError.
    """
    reader = Addressee(0, parse_address(address).address)
    letter = Press(record, app.stationery()).letter(reader)
    assert letter is not None, "an edition has at least one topic"
    return send_one(app.transport(), letter)


def deliveries_of(
    app: App,
    edition_id: str,
    states: Collection[DeliveryState],
    *,
    code: int | None = None,
    domain: str | None = None,
    after: int,
    limit: int,
) -> tuple[Delivery, ...]:
    """Return a page of an edition's deliveries, in the order of subscribers' ids."""
    with app.database.read() as connection:
        return list_deliveries(
            connection, edition_id, states=states, code=code, domain=domain, after=after, limit=limit
        )


def trouble_of(app: App, edition_id: str) -> tuple[tuple[DeliveryState, int | None, int, str], ...]:
    """Count what failed, was put off or is in doubt, by state and code, each with one of its replies."""
    with app.database.read() as connection:
        return by_code(connection, edition_id)


def try_again(
    app: App,
    edition_id: str,
    states: Collection[DeliveryState],
    *,
    now: datetime,
    code: int | None = None,
    domain: str | None = None,
) -> int:
    """Queue failed deliveries again and return how many; a sent edition is being sent again then.

    Raises StateError for an edition whose sending never began, or was cancelled.
    """
    with app.database.write() as connection:
        record = load_edition(connection, edition_id)
        if record.state not in (EditionState.SENDING, EditionState.SENT):
            raise refusal(record, "sent again")
        count = retry(connection, edition_id, states, now=now, code=code, domain=domain)
        if count:
            reopen(connection, edition_id)
        return count
