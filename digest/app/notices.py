"""Write single mails to readers: addressed, rendered in their language, ready for the wire."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from email.utils import parseaddr
from urllib.parse import quote

from digest.app.times import Settled, next_copy, settled_ahead
from digest.app.wiring import App
from digest.errors import NotFoundError
from digest.model import Letter
from digest.publication import Digest
from digest.render.dates import appointment, place
from digest.render.languages import Words
from digest.render.notices import Notice, render_notice
from digest.render.rhythm import as_sentence, describe
from digest.schedule_text import parse_schedule
from digest.send.headers import wire_address
from digest.send.message import Envelope, plain_message
from subscribers.decisions import Wish
from subscribers.model import Preferences
from subscribers.tokens import reader_token


def write_letter(app: App, notice: Notice, *, to: str, digest: Digest, say: Words, now: datetime) -> Letter:
    """Return the letter of a notice, from the sender of `digest`.

    Raises ValueError, without the address, for one that cannot be written.
    """
    sender = wire_address(parseaddr(digest.sender)[1])
    envelope = Envelope(
        sender=digest.sender,
        recipient=to,
        message_id=f"{notice.name}.{secrets.token_hex(12)}@{sender.rpartition('@')[2]}",
        date=now,
        reply_to=digest.reply_to,
    )
    mail = render_notice(app.templates, notice, app.config.site, say)
    return Letter.whole(0, sender, wire_address(to), plain_message(mail, envelope))


def page_url(app: App, kind: str, *parts: str) -> str:
    """Return the address of one of our pages: "c" and a token, "u" and a digest and a token."""
    return "/".join([app.config.site.base_url, kind, *(quote(part) for part in parts)])


def digest_of(app: App, wishes: Sequence[Wish]) -> Digest:
    """Return the digest whose sender speaks for all that was wished: the first that there still is."""
    known = {digest.slug: digest for digest in app.config.digests}
    found = next((known[wish.digest] for wish in wishes if wish.digest in known), None)
    if found is None:
        raise NotFoundError("digest", ", ".join(wish.digest for wish in wishes))
    return found


def described(
    app: App, wishes: Sequence[Wish], say: Words, now: datetime, *, subscriber_id: int = 0
) -> tuple[dict[str, str], ...]:
    """Return what a mail or page says of each digest: title, rhythm, next, archive, this reader's way out."""
    known = {digest.slug: digest for digest in app.config.digests}
    settled = settled_ahead(app, now)
    return tuple(
        {
            "slug": wish.digest,
            "title": known[wish.digest].title,
            "rhythm": rhythm_text(known[wish.digest], wish.preferences, say),
            "next": next_text(known[wish.digest], wish.preferences, say, now, settled=settled),
            "archive": page_url(app, "d", wish.digest),
            "leave": page_url(
                app, "u", wish.digest, reader_token(app.secret, subscriber_id, f"u:{wish.digest}")
            ),
        }
        for wish in wishes
        if wish.digest in known
    )


def sample_digests() -> tuple[dict[str, str], ...]:
    """Return what `described` does, invented: to check templates with."""
    url = "https://news.example.org"
    return (
        {
            "slug": "daily",
            "title": "Daily",
            "rhythm": "Every day at 07:00",
            "next": "Tuesday 07:00",
            "archive": f"{url}/d/daily",
            "leave": f"{url}/u/daily/x",
        },
    )


def rhythm_text(digest: Digest, preferences: Preferences, say: Words) -> str:
    """Return how often a digest comes out: "Weekdays at 07:00"; for who has another clock with the place."""
    rhythm = as_sentence(describe(parse_schedule(digest.schedule_of(preferences.frequency)), say))
    if preferences.hour is None and preferences.zone in (None, digest.zone):
        return rhythm
    return say("{rhythm}, {place}", rhythm=rhythm, place=place(digest.zone, say.language))


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
    """Return when the next copy comes, now or `after` a pause: "Tuesday 07:00, Berlin"; empty when none does.

    `since` is when the reader chose these preferences; `settled` is from `settled_ahead`.
    """
    at = next_copy(digest, preferences, max(now, after or now), since=since, settled=settled)
    if at is None:
        return ""
    zone = preferences.zone or digest.zone
    return appointment(at, now=now, zone=zone, language=say.language)
