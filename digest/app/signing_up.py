"""Take sign-ups, confirm them by mail, and welcome: what is done for a stranger, step by step."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from digest.app.notices import described, digest_of, page_url, sample_digests, write_letter
from digest.app.readers import check_frequencies, offered
from digest.app.wiring import App
from digest.model import Letter
from digest.render.languages import Words, words_for
from digest.render.notices import Notice
from subscribers import acts
from subscribers.address import parse_address
from subscribers.decisions import Confirmation, Limits, Purpose, Refused, Wish
from subscribers.model import Format, Origin, Reader
from subscribers.pending import read_confirmation
from subscribers.signup import Confirmed, Request, check_wishes, wishes_from_json
from subscribers.store import reader_of
from subscribers.tokens import address_hash, confirmation_token, reader_token, token_hash

LIMITS = Limits()


def request_for(
    app: App, address: str, wishes: Sequence[Wish], *, language: str, form: Format, origin: Origin
) -> Request:
    """Make a request of what was filled in; raises AddressError and ChoiceError, naming the field."""
    check_wishes(tuple(wishes), offered(app.config))
    check_frequencies(app.config, wishes)
    parsed = parse_address(address)
    return Request(
        address=parsed,
        address_hash=address_hash(app.secret, parsed.folded),
        wishes=tuple(wishes),
        language=language,
        format=form,
        origin=origin,
    )


def sign_up(app: App, request: Request, now: datetime) -> tuple[Letter, ...]:
    """Take a request, and return the confirmation to be mailed, if there is one.

    How long it takes tells who is on the list: call it after the answer has gone out.
    """
    token = _fresh_token()
    with app.database.write() as connection:
        decision = acts.sign_up(connection, request, token_hash=token_hash(token), limits=LIMITS, now=now)
    if not decision.confirm:
        return ()
    return (_confirmation_letter(app, request.address.address, request.wishes, token, request.language, now),)


def fresh_link(app: App, old_token: str, now: datetime) -> tuple[Letter, ...]:
    """Return a mail with a new link for who holds an old one; it goes to the address only."""
    token = _fresh_token()
    with app.database.write() as connection:
        decision = acts.fresh_link(
            connection, token_hash(old_token), token_hash=token_hash(token), limits=LIMITS, now=now
        )
        if decision.confirmation is None:
            return ()
        reader = reader_of(connection, decision.confirmation.subscriber_id)
    if reader.subscriber is None:
        return ()
    payload = decision.confirmation.payload
    wishes = wishes_from_json(payload["wishes"])
    return (_confirmation_letter(app, reader.subscriber.address, wishes, token, payload["language"], now),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a link that confirms would do: "open", "expired", "used" or "unknown"."""

    state: str
    purpose: Purpose = Purpose.SIGN_UP
    wishes: tuple[Wish, ...] = ()
    language: str | None = None


def look_at_link(app: App, token: str, now: datetime) -> Seen:
    """Say what a link would do, and change nothing."""
    with app.database.read() as connection:
        found = read_confirmation(connection, token_hash(token))
        if found is None:
            return Seen(state="unknown")
        reader = reader_of(connection, found.subscriber_id)
    wishes = wishes_from_json(found.payload["wishes"]) if found.purpose is Purpose.SIGN_UP else ()
    language = reader.subscriber.language if reader.subscriber else None
    return Seen(
        state=_state(found, now),
        purpose=found.purpose,
        wishes=wishes,
        language=found.payload.get("language", language),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A confirmed reader, and the mails to welcome them: none when they had confirmed before."""

    subscriber_id: int
    wishes: tuple[Wish, ...]
    letters: tuple[Letter, ...]


def confirm(app: App, token: str, *, origin: Origin, now: datetime) -> Joined | Refused:
    """Do what the button behind a link says: from here on the reader is on the list."""
    hashed = token_hash(token)
    with app.database.write() as connection:
        found = read_confirmation(connection, hashed)
        decision = acts.confirm(connection, hashed, origin=origin, now=now)
        if found is None or not isinstance(decision, Confirmed):
            return decision if isinstance(decision, Refused) else Refused(reason="expired")
        reader = reader_of(connection, found.subscriber_id)
    letters = (_welcome_letter(app, reader, decision.wishes, now),) if decision.change else ()
    return Joined(subscriber_id=found.subscriber_id, wishes=decision.wishes, letters=letters)


def preferences_url(app: App, subscriber_id: int) -> str:
    """Return a reader's own link to preferences."""
    return page_url(app, "p", reader_token(app.secret, subscriber_id, "p"))


def samples() -> tuple[Notice, ...]:
    """Return the mails of a sign-up with invented values: to check templates with."""
    shared = {"digests": sample_digests(), "link": "https://news.example.org/x"}
    return (
        Notice(name="confirm", subject="Subject", values={**shared, "days": LIMITS.link_life.days}),
        Notice(name="welcome", subject="Subject", values=shared),
    )


def _state(found: Confirmation, now: datetime) -> str:
    if found.used_at is not None:
        return "used"
    return "expired" if now >= found.expires_at else "open"


def _fresh_token() -> str:
    return confirmation_token(secrets.token_bytes(24))


def _confirmation_letter(
    app: App, address: str, wishes: Sequence[Wish], token: str, language: str, now: datetime
) -> Letter:
    say = words_for(language)
    values = {
        "digests": described(app, wishes, say, now),
        "link": page_url(app, "c", token),
        "days": LIMITS.link_life.days,
    }
    notice = Notice(name="confirm", subject=say("Please confirm your subscription"), values=values)
    return write_letter(app, notice, to=address, digest=digest_of(app, wishes), say=say, now=now)


def _welcome_letter(app: App, reader: Reader, wishes: Sequence[Wish], now: datetime) -> Letter:
    assert reader.subscriber is not None, "somebody has just confirmed"
    say: Words = words_for(reader.subscriber.language)
    values = {
        "digests": described(app, wishes, say, now, subscriber_id=reader.subscriber.id),
        "link": preferences_url(app, reader.subscriber.id),
    }
    notice = Notice(name="welcome", subject=say("Welcome"), values=values)
    return write_letter(
        app, notice, to=reader.subscriber.address, digest=digest_of(app, wishes), say=say, now=now
    )
