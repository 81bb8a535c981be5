"""What readers do with the link that is theirs alone: choose, pause, move, see their data, be forgotten."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import date, datetime, time

from digest.app.notices import digest_of, page_url, write_letter
from digest.app.readers import offered
from digest.app.signing_up import LIMITS
from digest.app.wiring import App
from digest.model import Delivery, Letter
from digest.publication import Digest
from digest.render.languages import words_for
from digest.render.notices import Notice
from digest.schedule import instant_of
from digest.storage.outcomes import deliveries_to
from subscribers import acts, changes
from subscribers.acts import MoveRequest, change_reader
from subscribers.address import parse_address
from subscribers.bounced import bounces_of
from subscribers.bounces import Bounce
from subscribers.decisions import Change, Refused, Wish
from subscribers.errors import TokenError
from subscribers.leaving import leave
from subscribers.model import Consent, Format, Origin, Reader, Subscriber
from subscribers.moving import Moved
from subscribers.record import erase
from subscribers.signup import check_wishes
from subscribers.store import history, reader_of
from subscribers.tokens import address_hash, confirmation_token, read_token, token_hash

PURPOSE = "p"


def reader_by_link(app: App, token: str) -> Reader:
    """Return whose link to preferences this is; raises TokenError, also for who has been forgotten."""
    return reader_by_id(app, read_token(app.secret, token, PURPOSE))


def reader_by_id(app: App, subscriber_id: int) -> Reader:
    """Return a reader; raises TokenError for who has been forgotten."""
    with app.database.read() as connection:
        reader = reader_of(connection, subscriber_id)
    if reader.subscriber is None:
        raise TokenError("used")
    return reader


def save_choices(
    app: App,
    reader: Reader,
    wishes: Sequence[Wish],
    *,
    language: str,
    form: Format,
    origin: Origin,
    now: datetime,
) -> None:
    """Set what a reader wants: the digests wished for, and an end to the others. Raises ChoiceError.

    Who has left altogether stays out: an old link brings nobody back.
    """
    if wishes:
        check_wishes(tuple(wishes), offered(app.config))
    wanted = {wish.digest for wish in wishes}
    ended = [each.digest for each in reader.subscriptions if each.digest not in wanted]

    def choose(held: Reader) -> Change | None:
        return changes.choose(held, tuple(wishes), language=language, format=form, origin=origin, now=now)

    def end(slug: str) -> Callable[[Reader], Change | None]:
        return lambda held: leave(held, slug, origin=origin, now=now) if held.reads(slug) else None

    with app.database.write() as connection:
        for decide in (choose, *map(end, ended)):
            change_reader(connection, _id(reader), decide, now)


def pause_until(
    app: App, reader: Reader, day: date | None, zone: str, *, origin: Origin, now: datetime
) -> None:
    """Pause everything until a day begins in a zone, or with None end every pause. Raises ChoiceError."""

    def decide(held: Reader) -> Change | None:
        if day is None:
            return changes.resume(held, origin=origin, now=now)
        until = instant_of(day, time.min, zone)
        return changes.pause(held, until, limits=LIMITS, origin=origin, now=now)

    with app.database.write() as connection:
        change_reader(connection, _id(reader), decide, now)


def ask_move(app: App, reader: Reader, address: str, *, origin: Origin, now: datetime) -> tuple[Letter, ...]:
    """Take the wish for another address, and return the mails for both ends. Raises AddressError.

    How long it takes tells who is on the list: call it after the answer has gone out.
    """
    new = parse_address(address)
    tokens = [confirmation_token(secrets.token_bytes(24)) for _ in range(2)]
    request = MoveRequest(
        address=new,
        address_hash=address_hash(app.secret, new.folded),
        old_token_hash=token_hash(tokens[0]),
        new_token_hash=token_hash(tokens[1]),
        origin=origin,
    )
    with app.database.write() as connection:
        move = acts.ask_move(connection, _id(reader), request, limits=LIMITS, now=now)
    subscriber = _subscriber(reader)
    letters = []
    if move.to_old is not None:
        letters.append(_move_letter(app, reader, subscriber.address, tokens[0], now, new=False))
    if move.to_new is not None:
        letters.append(_move_letter(app, reader, new.address, tokens[1], now, new=True))
    return tuple(letters)


def confirm_move(app: App, token: str, *, origin: Origin, now: datetime) -> Moved | Refused:
    """Do what the button at one end of a change of address says; with the second it is done."""
    with app.database.write() as connection:
        return acts.confirm_move(connection, token_hash(token), origin=origin, now=now)


def data_letter(app: App, reader: Reader, link: str, now: datetime) -> Letter:
    """Return the mail with a short-lived link to all that is kept of a reader."""
    subscriber = _subscriber(reader)
    say = words_for(subscriber.language)
    notice = Notice(name="data", subject=say("Your data with us"), values={"link": link})
    return write_letter(app, notice, to=subscriber.address, digest=_sender(app, reader), say=say, now=now)


def record_of(
    app: App, reader: Reader
) -> tuple[tuple[Consent, ...], tuple[Delivery, ...], tuple[Bounce, ...]]:
    """Return what a reader agreed to or ended, the mails there were for them, and what came back of those.

    The oldest first.
    """
    subscriber = _subscriber(reader)
    with app.database.read() as connection:
        return (
            history(connection, subscriber.id),
            deliveries_to(connection, subscriber.id),
            bounces_of(connection, subscriber.address_hash),
        )


def export_data(app: App, reader: Reader) -> dict[str, object]:
    """Return all that is kept of a reader, for JSON."""
    subscriber = _subscriber(reader)
    consents, deliveries, returned = record_of(app, reader)
    return {
        "address": subscriber.address,
        "state": subscriber.state,
        "language": subscriber.language,
        "format": subscriber.format,
        "created_at": subscriber.created_at,
        "confirmed_at": subscriber.confirmed_at,
        "left_at": subscriber.left_at,
        "must_not_be_mailed": reader.suppression.reason if reader.suppression else None,
        "digests": [
            {
                "digest": each.digest,
                "state": each.state,
                "topics": str(each.preferences.topics),
                "hour": each.preferences.hour,
                "zone": each.preferences.zone,
                "frequency": each.preferences.frequency,
                "paused_until": each.paused_until,
                "changed_at": each.changed_at,
            }
            for each in reader.subscriptions
        ],
        "history": [
            {
                "act": each.act,
                "at": each.at,
                "source": each.origin.source,
                "wording": each.origin.wording,
                "client": each.origin.client,
                "detail": each.detail,
            }
            for each in consents
        ],
        "mails": [
            {"edition": each.edition_id, "state": each.state, "at": each.changed_at} for each in deliveries
        ],
        "bounces": [
            {"at": each.at, "kind": each.kind, "edition": each.edition, "reason": each.reason}
            for each in returned
        ],
    }


def forget(app: App, reader: Reader, now: datetime) -> None:
    """Erase a reader; only a keyed hash stays, so that no import brings the address back."""
    with app.database.write() as connection:
        held = reader_of(connection, _id(reader), hold=True)
        if held.subscriber is not None:
            erase(connection, held.subscriber, now)


def samples() -> tuple[Notice, ...]:
    """Return the mails about one's data and address with invented values: to check templates with."""
    link, days = "https://news.example.org/x", LIMITS.link_life.days
    moves = ({"link": link, "new": new, "days": days} for new in (True, False))
    data = Notice(name="data", subject="Subject", values={"link": link})
    return (data, *(Notice(name="move", subject="Subject", values=values) for values in moves))


def _move_letter(app: App, reader: Reader, to: str, token: str, now: datetime, *, new: bool) -> Letter:
    say = words_for(_subscriber(reader).language)
    values = {"link": page_url(app, "c", token), "new": new, "days": LIMITS.link_life.days}
    notice = Notice(name="move", subject=say("Please confirm your new address"), values=values)
    return write_letter(app, notice, to=to, digest=_sender(app, reader), say=say, now=now)


def _sender(app: App, reader: Reader) -> Digest:
    """Return the digest whose sender writes to a reader: one they read, else any."""
    slugs = [each.digest for each in reader.subscriptions] + [each.slug for each in app.config.digests]
    return digest_of(app, [Wish(digest=slug) for slug in slugs])


def _subscriber(reader: Reader) -> Subscriber:
    assert reader.subscriber is not None, "readers come from reader_by_link"
    return reader.subscriber


def _id(reader: Reader) -> int:
    return _subscriber(reader).id
