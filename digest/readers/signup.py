"""Sign readers up: take requests and confirm links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.config import Config
from digest.config.parts import Parts
from digest.message import reader_links
from digest.message.reader_links import FOR_PREFERENCES
from digest.readers.subscribers import check_frequencies, offered
from digest.storage.database import Database
from subscribers.address import parse_address
from subscribers.model import Format, Origin
from subscribers.rules.decisions import Confirmation, Purpose, Refused, SignupLimits, SubscriptionRequest
from subscribers.rules.signup import Confirmed, SignupRequest, check_requests, requests_from_json
from subscribers.store import signup as store
from subscribers.store.confirmations import BATCH, count_attempt, expire, read_confirmation
from subscribers.store.readers import reader_of
from subscribers.tokens import address_hash, reader_token, token_hash

LIMITS = SignupLimits()


def request_for(
    config: Config,
    secret: bytes,
    address: str,
    requests: Sequence[SubscriptionRequest],
    *,
    language: str,
    form: Format,
    origin: Origin,
) -> SignupRequest:
    """Check a filled-in form and return its request. Raises AddressError, or ChoiceError with the field."""
    check_requests(tuple(requests), offered(config))
    check_frequencies(config, requests)
    parsed = parse_address(address)
    return SignupRequest(
        address=parsed,
        address_hash=address_hash(secret, parsed.folded),
        requests=tuple(requests),
        language=language,
        format=form,
        origin=origin,
    )


def sign_up(parts: Parts, request: SignupRequest, now: datetime) -> None:
    """Record a sign-up, and queue its confirmation if there is one."""
    with parts.database.write() as connection:
        store.sign_up(connection, request, secret=parts.secret, limits=LIMITS, now=now)


def fresh_link(parts: Parts, old_token: str, now: datetime) -> None:
    """Queue a message with a new link that replaces an old one, to the address of the sign-up."""
    with parts.database.write() as connection:
        store.fresh_link(connection, token_hash(old_token), secret=parts.secret, limits=LIMITS, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """The state of a confirmation link ("open", "expired", "used" or "unknown"), and its request."""

    state: str
    purpose: Purpose = Purpose.SIGN_UP
    requests: tuple[SubscriptionRequest, ...] = ()
    language: str | None = None


def look_at_link(database: Database, token: str, now: datetime) -> LinkState:
    """Return what a confirmation link would do, without changing anything."""
    with database.read() as connection:
        found = read_confirmation(connection, token_hash(token))
        if found is None or found.purpose is Purpose.DATA:
            return LinkState(state="unknown")
        reader = reader_of(connection, found.subscriber_id)
    requests = requests_from_json(found.payload["wishes"]) if found.purpose is Purpose.SIGN_UP else ()
    language = reader.subscriber.language if reader.subscriber else None
    return LinkState(
        state=_state(found, now),
        purpose=found.purpose,
        requests=requests,
        language=found.payload.get("language", language),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A confirmed reader, and the digests that the sign-up was about."""

    subscriber_id: int
    requests: tuple[SubscriptionRequest, ...]


def confirm(parts: Parts, token: str, *, origin: Origin, now: datetime) -> Joined | Refused:
    """Confirm a sign-up; from now on, the reader is on the list. Returns Refused for an unusable link."""
    hashed = token_hash(token)
    with parts.database.write() as connection:
        found = read_confirmation(connection, hashed)
        decision = store.confirm(
            connection, hashed, origin=origin, secret=parts.secret, limits=LIMITS, now=now
        )
    if found is None or not isinstance(decision, Confirmed):
        return decision if isinstance(decision, Refused) else Refused(reason="expired")
    return Joined(subscriber_id=found.subscriber_id, requests=decision.requests)


def preferences_url(config: Config, secret: bytes, subscriber_id: int) -> str:
    """Return the URL of a reader's preferences."""
    return reader_links.preferences_url(
        config.site.base_url, reader_token(secret, subscriber_id, FOR_PREFERENCES)
    )


def _state(found: Confirmation, now: datetime) -> str:
    if found.used_at is not None:
        return "used"
    return "expired" if now >= found.expires_at else "open"


def expire_signups(database: Database, now: datetime) -> int:
    """Erase sign-ups that were not confirmed in time, with their links; return their number.

    Each batch has a transaction of its own, so that other writers do not wait long.
    """
    erased = 0
    while True:
        with database.write() as connection:
            found = expire(connection, LIMITS, now)
        erased += found
        if found < BATCH:
            return erased


def count_request(database: Database, key: str, window: timedelta, now: datetime) -> int:
    """Count one request under a key, and return the number of requests in the window."""
    with database.write() as connection:
        return count_attempt(connection, key, window=window, now=now)
