"""Write, send, list and repeat notices: messages to readers about their account, and to the staff."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from email.utils import parseaddr
from functools import lru_cache, partial
from typing import Protocol

from digest.config import Config
from digest.config.parts import Parts
from digest.editions.notices.standing import Inspect, inspected
from digest.editions.notices.write import staff_email
from digest.message.compile import Envelope, plain_message
from digest.message.headers import wire_address
from digest.message.reader_links import (
    FOR_NOTICES,
    FOR_PREFERENCES,
    confirmation_url,
    data_url,
    preferences_url,
)
from digest.model.deliveries import DeliveryState, NoticeRecord
from digest.model.errors import DigestError, NotFoundError, OutageError
from digest.model.messages import Email, Message
from digest.model.publication import Digest
from digest.model.run_context import EventKind, RunContext, RunEvent
from digest.readers.descriptions import described
from digest.readers.subscribers import NoReaderError, keys_of
from digest.render.languages.languages import Words, words_for
from digest.render.notices import Notice, render_notice
from digest.send import notices as sending
from digest.send.outbox import Outbox
from digest.storage.database import Database
from digest.storage.ledger.notices import has_open_notices, list_notices, notices_of
from subscribers.model import Reader
from subscribers.rules.decisions import SignupLimits, SubscriptionRequest
from subscribers.rules.notices import NoticeKind
from subscribers.rules.signup import changed_by
from subscribers.store import signup
from subscribers.store.readers import reader_at, reader_of
from subscribers.tokens import notice_token, reader_seal, reader_token

LIMITS = SignupLimits()


class SendingParts(Parts, Protocol):
    """The parts that sending notices needs."""

    def outbox(self) -> Outbox:
        """Return everything that sending needs besides the database."""


class NothingToConfirmError(DigestError):
    """An operator repeats a confirmation that nobody waits for; the text omits the address."""


def send_notices(parts: SendingParts, context: RunContext) -> bool:
    """Send the notices that are due, and report what became of them; False if no server could be used.

    Raises OutageError.
    """
    with parts.database.read() as connection:
        if not has_open_notices(connection, now=context.clock()):
            return True
    # Several people are told about one edition, which is inspected once in a run.
    write = partial(write_notice, parts, inspect=lru_cache(maxsize=8)(partial(inspected, parts)))
    try:
        found = sending.send_notices(
            parts.database, write, outbox=parts.outbox(), clock=context.clock, stop=context.stop
        )
    except OutageError:
        raise
    except DigestError as error:
        context.report(RunEvent(kind=EventKind.FAILED, subject="notices", detail=str(error)))
        return False
    if found:
        detail = ", ".join(f"{count:,} {state}" for state, count in sorted(found.items()))
        context.report(RunEvent(kind=EventKind.NOTICES, subject="notices", detail=detail))
    return True


def latest_notices(
    database: Database, states: Collection[DeliveryState], limit: int
) -> tuple[NoticeRecord, ...]:
    """Return the latest notices, the newest first."""
    with database.read() as connection:
        return list_notices(connection, states=states, limit=limit)


def repeat_confirmation(parts: SendingParts, address: str, context: RunContext) -> NoticeRecord:
    """Send a new link to a reader who has not confirmed yet, at once and whatever the limits say.

    Returns the notice as it is afterwards. Raises AddressError, NoReaderError, NothingToConfirmError.
    """
    folded, key = keys_of(parts.secret, address)
    parts.outbox()  # an error in its configuration is raised before anything changes
    with parts.database.write() as connection:
        decision = signup.confirm_again(
            connection, folded, key, secret=parts.secret, limits=LIMITS, now=context.clock()
        )
        reader = reader_at(connection, folded, key)
    if decision.withheld:
        raise NothingToConfirmError("that address is suppressed and must not be mailed")
    if reader.subscriber is None:
        raise NoReaderError
    if not decision.confirm:
        raise NothingToConfirmError("nothing waits for a confirmation by that address")
    send_notices(parts, context)
    with parts.database.read() as connection:
        return notices_of(connection, reader.subscriber.id)[-1]


def write_notice(parts: Parts, notice: NoticeRecord, inspect: Inspect | None = None) -> Message:
    """Write the message of a notice, in its reader's language; each try gives the same Message-ID.

    Its link is made here, and is kept nowhere. Raises NotFoundError, TemplateError, ObsoleteError for a
    message to the staff, and ValueError, without the address in its text, if the address cannot be written.
    """
    if notice.address is None:
        raise NotFoundError("address of a notice", notice.name)
    if notice.kind is NoticeKind.STAFF:
        email, sender = staff_email(parts, notice.id, inspect or partial(inspected, parts))
    else:
        email, sender = _to_reader(parts, notice)
    seal = reader_seal(parts.secret, notice.id, FOR_NOTICES).hex()
    address = wire_address(parseaddr(sender.sender)[1])
    envelope = Envelope(
        sender=sender.sender,
        recipient=notice.address,
        message_id=f"{notice.name}.{seal}@{address.rpartition('@')[2]}",
        date=notice.made_at,
        reply_to=sender.reply_to,
    )
    return_path = (parts.config.mail.bounce_address or address).replace("{token}", seal)
    return Message.whole(notice.id, return_path, wire_address(notice.address), plain_message(email, envelope))


def _to_reader(parts: Parts, notice: NoticeRecord) -> tuple[Email, Digest]:
    with parts.database.read() as connection:
        reader = reader_of(connection, notice.subscriber_id or 0)
    if reader.subscriber is None:
        raise NotFoundError("reader of a notice", notice.name)
    say = words_for(notice.language)
    written = _WRITERS[notice.kind](parts, notice, reader, say)
    email = render_notice(parts.templates, written, parts.config.site, say)
    return email, _sender_of(parts.config, notice, reader)


def _sender_of(config: Config, notice: NoticeRecord, reader: Reader) -> Digest:
    """Return the digest whose sender is used: one that the notice is about, one of the reader's, or any."""
    slugs = [requested.digest for requested in notice.requests]
    if not slugs:
        slugs = [each.digest for each in reader.subscriptions] + [each.slug for each in config.digests]
    known = {digest.slug: digest for digest in config.digests}
    found = next((known[slug] for slug in slugs if slug in known), None)
    if found is None:
        raise NotFoundError("digest", ", ".join(slugs))
    return found


def _confirmation(parts: Parts, notice: NoticeRecord, reader: Reader, say: Words) -> Notice:
    asked = {each.digest: each for each in notice.requests}
    read = [each for each in reader.subscriptions if each.digest in asked and reader.reads(each.digest)]
    already = [SubscriptionRequest(digest=each.digest, preferences=each.preferences) for each in read]
    known = tuple(asked.pop(each.digest) for each in read)
    values = {
        "already": _described(parts, already, say, notice),
        "digests": _described(parts, tuple(asked.values()), say, notice),
        "changes": bool(changed_by(reader, known, notice.made_at)),
        "link": confirmation_url(parts.config.site.base_url, notice_token(parts.secret, notice.id)),
        "days": LIMITS.link_life.days,
    }
    subject = say("Please confirm your subscription") if asked else say("You are already subscribed")
    return Notice(name="confirm", subject=subject, values=values)


def _welcome(parts: Parts, notice: NoticeRecord, reader: Reader, say: Words) -> Notice:
    assert reader.subscriber is not None, "write_notice has checked it"
    number = reader.subscriber.id
    values = {
        "digests": _described(parts, notice.requests, say, notice, subscriber_id=number),
        "link": preferences_url(
            parts.config.site.base_url, reader_token(parts.secret, number, FOR_PREFERENCES)
        ),
    }
    return Notice(name="welcome", subject=say("Welcome"), values=values)


def _move(parts: Parts, notice: NoticeRecord, _reader: Reader, say: Words) -> Notice:
    values = {
        "link": confirmation_url(parts.config.site.base_url, notice_token(parts.secret, notice.id)),
        "new": notice.kind is NoticeKind.NEW_ADDRESS,
        "days": LIMITS.link_life.days,
    }
    return Notice(name="move", subject=say("Please confirm your change of address"), values=values)


def _data(parts: Parts, notice: NoticeRecord, _reader: Reader, say: Words) -> Notice:
    link = data_url(parts.config.site.base_url, notice_token(parts.secret, notice.id))
    return Notice(name="data", subject=say("Link to your data"), values={"link": link})


_WRITERS = {
    NoticeKind.CONFIRMATION: _confirmation,
    NoticeKind.WELCOME: _welcome,
    NoticeKind.OLD_ADDRESS: _move,
    NoticeKind.NEW_ADDRESS: _move,
    NoticeKind.DATA: _data,
}


def _described(
    parts: Parts,
    requests: Sequence[SubscriptionRequest],
    say: Words,
    notice: NoticeRecord,
    *,
    subscriber_id: int = 0,
) -> tuple[Mapping[str, str], ...]:
    return described(parts, requests, say, notice.made_at, subscriber_id=subscriber_id)
