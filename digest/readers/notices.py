"""Write single messages to readers: addressed, rendered in their language and ready to send."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from email.utils import parseaddr

from digest.config import Config
from digest.config.parts import Parts
from digest.message.compile import Envelope, plain_message
from digest.message.headers import wire_address
from digest.message.reader_links import archive_url, for_unsubscribing, unsubscribe_url
from digest.model.errors import NotFoundError
from digest.model.messages import Message
from digest.model.publication import Digest
from digest.render.languages.cadences import as_sentence, describe
from digest.render.languages.dates import appointment, place
from digest.render.languages.languages import Words
from digest.render.notices import Notice, render_notice
from digest.render.templates import Templates
from digest.schedule.next_copy import Settled, next_copy
from digest.schedule.text import parse_schedule
from digest.storage.database import Database
from digest.storage.editions import settled_after
from subscribers.model import Preferences, Reader, Subscriber
from subscribers.rules.decisions import SubscriptionRequest
from subscribers.tokens import reader_token


def write_message(
    config: Config,
    templates: Templates,
    notice: Notice,
    *,
    to: str,
    digest: Digest,
    say: Words,
    now: datetime,
) -> Message:
    """Return the message of a notice, from the sender of `digest`.

    Raises ValueError, without the address in its text, when the message cannot be written.
    """
    sender = wire_address(parseaddr(digest.sender)[1])
    envelope = Envelope(
        sender=digest.sender,
        recipient=to,
        message_id=f"{notice.name}.{secrets.token_hex(12)}@{sender.rpartition('@')[2]}",
        date=now,
        reply_to=digest.reply_to,
    )
    email = render_notice(templates, notice, config.site, say)
    return Message.whole(0, sender, wire_address(to), plain_message(email, envelope))


def digest_of(config: Config, requests: Sequence[SubscriptionRequest]) -> Digest:
    """Return the digest whose sender is used for these requests: the first that is still configured."""
    known = {digest.slug: digest for digest in config.digests}
    found = next((known[requested.digest] for requested in requests if requested.digest in known), None)
    if found is None:
        raise NotFoundError("digest", ", ".join(requested.digest for requested in requests))
    return found


def described(
    parts: Parts,
    requests: Sequence[SubscriptionRequest],
    say: Words,
    now: datetime,
    *,
    subscriber_id: int = 0,
) -> tuple[dict[str, str], ...]:
    """Return each digest for a page or email: title, cadence, next edition, archive and unsubscribe link."""
    known = {digest.slug: digest for digest in parts.config.digests}
    settled = settled_ahead(parts.database, now)
    return tuple(
        {
            "slug": requested.digest,
            "title": known[requested.digest].title,
            "rhythm": cadence_text(known[requested.digest], requested.preferences, say),
            "next": next_text(known[requested.digest], requested.preferences, say, now, settled=settled),
            "archive": archive_url(parts.config.site.base_url, requested.digest),
            "leave": unsubscribe_url(
                parts.config.site.base_url,
                requested.digest,
                reader_token(parts.secret, subscriber_id, for_unsubscribing(requested.digest)),
            ),
        }
        for requested in requests
        if requested.digest in known
    )


def cadence_text(digest: Digest, preferences: Preferences, say: Words) -> str:
    """Return the cadence: "Weekdays at 07:00"; with the place, if the reader has another hour or zone."""
    cadence = as_sentence(describe(parse_schedule(digest.schedule_of(preferences.frequency)), say))
    if preferences.hour is None and preferences.zone in (None, digest.zone):
        return cadence
    return say("{rhythm}, {place}", rhythm=cadence, place=place(digest.zone, say.language))


def next_text(
    digest: Digest,
    preferences: Preferences,
    say: Words,
    now: datetime,
    *,
    after: datetime | None = None,
    since: datetime | None = None,
    settled: Settled,
) -> str:
    """Return the time of the next copy, from now or `after` a pause: "Tuesday 07:00, Berlin"; or "".

    `since` is when the reader chose these preferences; `settled` comes from `settled_ahead`.
    """
    at = next_copy(digest, preferences, max(now, after or now), since=since, settled=settled)
    if at is None:
        return ""
    zone = preferences.zone or digest.zone
    return appointment(at, now=now, zone=zone, language=say.language)


def settled_ahead(database: Database, now: datetime) -> Settled:
    """Return the future send times whose edition was already sent, skipped or cancelled."""
    with database.read() as connection:
        return settled_after(connection, now)


def sender_for(config: Config, reader: Reader) -> Digest:
    """Return the digest whose sender is used for a reader: one of theirs, otherwise any."""
    slugs = [each.digest for each in reader.subscriptions] + [each.slug for each in config.digests]
    return digest_of(config, [SubscriptionRequest(digest=slug) for slug in slugs])


def subscriber_of(reader: Reader) -> Subscriber:
    """Return the subscriber of a reader who is on the list."""
    assert reader.subscriber is not None, "readers come from reader_by_link"
    return reader.subscriber
