"""Let readers leave by the link in their mail, and take it back when it was a slip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from digest.app.wiring import App
from subscribers.acts import change_reader
from subscribers.decisions import Change, Limits
from subscribers.leaving import come_back, leave
from subscribers.model import Origin, Reader, SubscriptionState
from subscribers.store import reader_of
from subscribers.tokens import read_token

LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """Who left, and what ended by it: empty when there was nothing (any more) to end."""

    subscriber_id: int
    digests: tuple[str, ...]


def unsubscribe_purpose(slug: str) -> str:
    """Return what the link to leave a digest is signed for."""
    return f"u:{slug}"


def check_goodbye(app: App, slug: str, token: str) -> int:
    """Return whose link to leave a digest this is, and change nothing; raises TokenError."""
    return read_token(app.secret, token, unsubscribe_purpose(slug))


def language_of(app: App, subscriber_id: int) -> str | None:
    """Return the language a reader has chosen; None for who has been forgotten."""
    with app.database.read() as connection:
        reader = reader_of(connection, subscriber_id)
    return reader.subscriber.language if reader.subscriber else None


def say_goodbye(
    app: App, slug: str, token: str, *, reason: str = "", origin: Origin, now: datetime
) -> Goodbye:
    """End one digest for the reader whose link it is; twice is like once. Raises TokenError.

    The link stands in mails that are forwarded, so it is good for its digest and never for another.
    """
    subscriber_id = check_goodbye(app, slug, token)
    return _end(
        app, subscriber_id, lambda reader: leave(reader, slug, origin=origin, now=now, reason=reason), now
    )


def say_goodbye_to_all(
    app: App, subscriber_id: int, *, reason: str = "", origin: Origin, now: datetime
) -> Goodbye:
    """End everything a reader gets; whether it is theirs to end is for the caller to see."""
    return _end(app, subscriber_id, lambda reader: leave(reader, origin=origin, now=now, reason=reason), now)


def _end(app: App, subscriber_id: int, decide: Callable[[Reader], Change | None], now: datetime) -> Goodbye:
    with app.database.write() as connection:
        change = change_reader(connection, subscriber_id, decide, now)
    ended = [
        each.digest
        for each in (change.subscriptions if change else ())
        if each.state is SubscriptionState.UNSUBSCRIBED
    ]
    return Goodbye(subscriber_id=subscriber_id, digests=tuple(ended))


def take_back(app: App, subscriber_id: int, slug: str | None, *, origin: Origin, now: datetime) -> bool:
    """Undo a goodbye to one digest or, with None, to all that ended together; False when it is too late."""
    with app.database.write() as connection:
        change = change_reader(
            connection,
            subscriber_id,
            lambda reader: come_back(reader, slug, limits=LIMITS, origin=origin, now=now),
            now,
        )
    return change is not None
