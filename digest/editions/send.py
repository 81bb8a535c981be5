"""Send editions, run dry, send a test message, and retry failed deliveries."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from functools import partial
from secrets import token_hex

from digest.editions.approval import ready_to_send
from digest.editions.clocks import check_clock
from digest.editions.parts import EditionParts
from digest.editions.preflight import settings_for
from digest.editions.preview import NOBODY, PreviewError
from digest.message.build import MessageBuilder
from digest.model.deliveries import AnswerCount, Delivery, DeliveryState, Recipient
from digest.model.editions import EditionRecord, EditionState, StepCause, StepKind, refusal
from digest.model.messages import Receipt
from digest.model.publication import Review
from digest.model.run_context import EventKind, RunContext, RunEvent, utc_now
from digest.schedule.policy import POLICY, review_of
from digest.send.addressing import Addressed, address
from digest.send.dry_run import DryRun, dry_run_of
from digest.send.finish import Sent, finish
from digest.send.send import send, send_one
from digest.storage.database import Database
from digest.storage.editions.records import load_edition, lock_edition
from digest.storage.editions.steps import note_step, reopen
from digest.storage.ledger.outcomes import by_code, list_deliveries, retry
from subscribers.address import parse_address

_ENDED = {EditionState.SENT: EventKind.SENT, EditionState.CANCELLED: EventKind.CANCELLED}


def send_edition(parts: EditionParts, edition_id: str, context: RunContext, by: str = POLICY) -> Sent:
    """Send the due deliveries of an edition, and report the result; `by` approves it if it is a draft.

    Raises ClockError if the clock of this machine is wrong, PreflightError before the first message if the
    email cannot be sent as it is, and VoidError if its approval does not cover it any more.
    """
    record = _approved(parts, edition_id, context, by)
    sent = send(
        parts.database,
        edition_id,
        outbox=parts.outbox(),
        clock=context.clock,
        stop=context.stop,
        progress=partial(context.progress, edition_id),
        seen=record,
    )
    _report(sent, context)
    return sent


def address_edition(parts: EditionParts, edition_id: str, context: RunContext, addressed: Addressed) -> None:
    """Begin to send an edition: address it in slices; `addressed` is called in the same transaction.

    Raises the same errors as `send_edition`.
    """
    record = _approved(parts, edition_id, context, POLICY)
    now = context.clock()
    address(parts.database, edition_id, parts.outbox(), now=now, seen=record, addressed=addressed)


def finish_edition(parts: EditionParts, edition_id: str, context: RunContext) -> None:
    """End an edition if nothing of it is open, and report the result. Raises NotFoundError."""
    sent = finish(parts.database, edition_id, context.clock())
    if sent.record.state is not EditionState.SENDING:
        _report(sent, context)


def _approved(parts: EditionParts, edition_id: str, context: RunContext, by: str) -> EditionRecord:
    """Return an edition whose approval covers it as it is now; one that has begun stays as it is."""
    check_clock(parts.database, utc_now())
    with parts.database.read() as connection:
        record = load_edition(connection, edition_id)
    if record.is_ahead and not record.paused_at:
        record = ready_to_send(parts, record, context, by)
    return record


def _report(sent: Sent, context: RunContext) -> None:
    kind = EventKind.PAUSED if sent.record.paused_at else _ENDED.get(sent.record.state, EventKind.SENDING)
    detail = "; ".join(part for part in (_detail(sent), sent.dead) if part)
    subject = sent.record.edition.id
    context.report(RunEvent(kind=kind, subject=subject, detail=detail, counts=sent.counts))


def _detail(sent: Sent) -> str:
    found = ", ".join(f"{count:,} {state}" for state, count in sent.counts.by_state if count)
    return f"{found or 'no readers'}{f'; {sent.outlook}' if sent.outlook else ''}"


def send_by_hand(parts: EditionParts, record: EditionRecord, context: RunContext) -> Sent:
    """Send an edition now, whatever its send time; a draft is sent only if its digest needs no approval.

    Raises StateError, VoidError, PreflightError, TransportError.
    """
    edition_id = record.edition.id
    if record.paused_at or record.state in (EditionState.SKIPPED, EditionState.CANCELLED):
        raise refusal(record, "sent")
    draft = record.state is EditionState.DRAFT
    if draft and review_of(record, parts.config.digest(record.edition.digest)) is not Review.SEND:
        raise refusal(record, "sent")
    return send_edition(parts, edition_id, context, by="sent by hand")


def dry_run_edition(parts: EditionParts, edition_id: str, now: datetime) -> DryRun:
    """Count the readers who would get an edition; nothing changes."""
    return dry_run_of(
        parts.database, edition_id, message_settings=parts.message_settings(), now=now, offers=parts.offers()
    )


def send_test(
    parts: EditionParts, record: EditionRecord, address: str, seen_by: Recipient = NOBODY
) -> Receipt:
    """Send one copy to any address, marked as a test in subject, body and header.

    It is the copy that `seen_by` would get. It is not in the ledger, and its links change nothing. Raises
    AddressError, TransportError, and PreviewError if there is nothing in the topics of `seen_by`.
    """
    reader = seen_by._replace(subscriber_id=0, address=parse_address(address).address)
    message_settings = replace(settings_for(parts, record), test=token_hex(8))
    message = MessageBuilder(record, message_settings).message(reader)
    if message is None:
        raise PreviewError(f"{record.edition.id} has no story in the topics that this reader chose")
    return send_one(parts.transport(), message)


def note_test(database: Database, edition_id: str, now: datetime, *, by: str = "", seen_as: str = "") -> None:
    """Note in the history of an edition that a test was sent, and as whose copy; its address is not kept."""
    with database.write() as connection:
        lock_edition(connection, edition_id)
        detail = f"as {seen_as or 'a reader of all topics'}"
        note_step(connection, edition_id, StepKind.TESTED, StepCause(at=now, by=by, why=detail))


def deliveries_of(
    database: Database,
    edition_id: str,
    states: Collection[DeliveryState],
    *,
    code: int | None = None,
    domain: str | None = None,
    after: int,
    limit: int,
) -> tuple[Delivery, ...]:
    """Return a page of an edition's deliveries, in the order of the subscribers' ids."""
    with database.read() as connection:
        return list_deliveries(
            connection, edition_id, states=states, code=code, domain=domain, after=after, limit=limit
        )


def failures_of(database: Database, edition_id: str) -> tuple[AnswerCount, ...]:
    """Count rejected, deferred and uncertain deliveries by state and code."""
    with database.read() as connection:
        return by_code(connection, edition_id)


def try_again(
    database: Database,
    edition_id: str,
    states: Collection[DeliveryState],
    *,
    now: datetime,
    code: int | None = None,
    domain: str | None = None,
    only: int | None = None,
) -> int:
    """Queue failed deliveries again and return their number; a sent edition is then being sent again.

    Raises StateError for an edition that was cancelled or has never begun to be sent.
    """
    with database.write() as connection:
        # Without the lock, the edition could become `sent` meanwhile, with deliveries that are queued again.
        record = lock_edition(connection, edition_id)
        if record.state not in (EditionState.SENDING, EditionState.SENT):
            raise refusal(record, "sent again")
        count = retry(connection, edition_id, states, now=now, code=code, domain=domain, only=only)
        if count:
            reopen(connection, edition_id)
        return count
