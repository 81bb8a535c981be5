"""Save a reader's preferences: digests and choices, and pauses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time

from digest.config import Config
from digest.message.reader_links import FOR_PREFERENCES
from digest.readers.signup import LIMITS
from digest.readers.subscribers import offered
from digest.schedule.schedule import instant_of
from digest.storage.database import Database
from subscribers.errors import TokenError
from subscribers.model import Format, Origin, Reader, Subscriber
from subscribers.rules import preferences as changes
from subscribers.rules.decisions import Change, SubscriptionRequest
from subscribers.rules.signup import check_requests
from subscribers.rules.unsubscribe import unsubscribe
from subscribers.store.operations import change_reader
from subscribers.store.readers import reader_of
from subscribers.tokens import read_token


def reader_by_link(database: Database, secret: bytes, token: str) -> Reader:
    """Return the reader of a preferences link. Raises TokenError, also for an erased reader."""
    return reader_by_id(database, read_token(secret, token, FOR_PREFERENCES))


def reader_by_id(database: Database, subscriber_id: int) -> Reader:
    """Return a reader. Raises TokenError for an erased reader."""
    with database.read() as connection:
        reader = reader_of(connection, subscriber_id)
    if reader.subscriber is None:
        raise TokenError("used")
    return reader


def subscriber_of(reader: Reader) -> Subscriber:
    """Return the subscriber of a reader who is on the list."""
    assert reader.subscriber is not None, "readers come from reader_by_link"
    return reader.subscriber


def save_choices(
    database: Database,
    config: Config,
    reader: Reader,
    requests: Sequence[SubscriptionRequest],
    *,
    language: str,
    form: Format,
    origin: Origin,
    now: datetime,
) -> None:
    """Save the requested subscriptions, and end all others. Raises ChoiceError.

    A reader who unsubscribed from everything is not subscribed again, so old links are harmless.
    """
    if requests:
        check_requests(tuple(requests), offered(config))
    wanted = {requested.digest for requested in requests}
    ended = [each.digest for each in reader.subscriptions if each.digest not in wanted]

    def choose(held: Reader) -> Change | None:
        return changes.choose(held, tuple(requests), language=language, format=form, origin=origin, now=now)

    def end(slug: str) -> Callable[[Reader], Change | None]:
        return lambda held: unsubscribe(held, slug, origin=origin, now=now) if held.reads(slug) else None

    with database.write() as connection:
        for decide in (choose, *map(end, ended)):
            change_reader(connection, subscriber_of(reader).id, decide, now)


def pause_until(
    database: Database, reader: Reader, day: date | None, zone: str, *, origin: Origin, now: datetime
) -> None:
    """Pause everything until `day` begins in `zone`; None ends every pause. Raises ChoiceError."""

    def decide(held: Reader) -> Change | None:
        if day is None:
            return changes.resume(held, origin=origin, now=now)
        until = instant_of(day, time.min, zone)
        return changes.pause(held, until, limits=LIMITS, origin=origin, now=now)

    with database.write() as connection:
        change_reader(connection, subscriber_of(reader).id, decide, now)
