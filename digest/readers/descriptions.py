"""Describe digests to readers, on pages and in notices: title, cadence, next edition and links."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from digest.config.parts import Parts
from digest.message.reader_links import archive_url, for_unsubscribing, unsubscribe_url
from digest.model.publication import Digest
from digest.render.languages.cadences import as_sentence, describe
from digest.render.languages.dates import appointment, place
from digest.render.languages.languages import Words
from digest.schedule.next_copy import Settled, next_copy
from digest.schedule.text import parse_schedule
from digest.storage.database import Database
from digest.storage.editions.due import settled_after
from subscribers.model import Preferences
from subscribers.rules.decisions import SubscriptionRequest
from subscribers.tokens import reader_token


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
