"""Take note of what comes back: reports by mail, and dead mailboxes that a server named on the line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256

from digest.app.wiring import App
from digest.model import Counts, Delivery, DeliveryState
from digest.storage.outcomes import list_deliveries
from subscribers.bounce_mail import BounceMail
from subscribers.bounced import Listed, Taken, list_bounces, take_bounce
from subscribers.bounces import (
    MAIL,
    SERVER,
    SOFT_DAYS,
    Bounce,
    BounceKind,
    brief,
    kind_of,
    plain_reason,
    status_in,
)
from subscribers.errors import TokenError
from subscribers.model import Act, SuppressionReason
from subscribers.store import Connection, history, reader_of
from subscribers.tokens import read_seal

_PURPOSE = "b"
_SINCE_MOVED = timedelta(days=7)  # for so long mail to the address of before is still reported
_PAGE = 200  # deliveries


def note_bounce(app: App, said: BounceMail, mail: bytes, *, now: datetime) -> str:
    """Keep what a report says of the reader whose seal it carries, and suppress them when it is time.

    Returns in words what that did, without any address. A report without a good seal changes nothing, for
    anybody can write one; the same `mail` again changes nothing more.
    """
    if said.kind is None:
        return "nothing done: a report that says nothing of a mailbox"
    subscriber_id = next(_readers(app, said.seals), None)
    if subscriber_id is None:
        return "nothing done: a bounce of no mail of ours"
    bounce = Bounce(kind=said.kind, at=now, source=MAIL, edition=said.edition, reason=said.reason)
    with app.database.write() as connection:
        taken = _take(connection, subscriber_id, bounce, report=sha256(mail).hexdigest())
    if isinstance(taken, str):
        return f"nothing done: {taken}"
    return f"{bounce.kind} bounce, {_what_follows(bounce, taken)}: {brief(bounce.reason) or 'no code'}"


def note_refusals(app: App, edition_id: str, counts: Counts, *, now: datetime) -> str:
    """Note the readers of a sent edition of whom a server said that there is no such mailbox; see `judge`.

    Returns in words what that did, or nothing. Where more than half were refused so, it is the server that
    is wrong, and nothing is noted. Twice is like once.
    """
    rejected, accepted = counts.of(DeliveryState.REJECTED), counts.of(DeliveryState.ACCEPTED)
    dead = [each for each in _rejected(app, edition_id) if _is_dead(each)] if rejected else []
    if 2 * len(dead) > rejected + accepted:
        return f"no such mailbox: {len(dead):,}, too many to be true; is the mail server the right one?"
    taken = [each for page in _pages(dead) for each in _take_all(app, edition_id, page, now)]
    if not taken:
        return ""
    gone = sum(each.suppressed is not None for each in taken)
    ended = f", not mailed any more: {gone:,}" if gone else ""
    return f"no such mailbox: {len(taken):,}{ended}"


def bounces_listed(app: App, *, kind: BounceKind | None, limit: int) -> tuple[Listed, ...]:
    """Return what came back last, the newest first."""
    with app.database.read() as connection:
        return list_bounces(connection, kind=kind, limit=limit)


def _readers(app: App, seals: tuple[str, ...]) -> Iterator[int]:
    for seal in seals:
        with suppress(TokenError):
            yield read_seal(app.secret, bytes.fromhex(seal), _PURPOSE)


def _rejected(app: App, edition_id: str) -> Iterator[Delivery]:
    after, page = 0, True
    while page:
        with app.database.read() as connection:
            found = list_deliveries(
                connection, edition_id, states=(DeliveryState.REJECTED,), after=after, limit=_PAGE
            )
        yield from found
        page = len(found) == _PAGE
        after = found[-1].subscriber_id if found else after


def _pages(dead: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
    return (dead[start : start + _PAGE] for start in range(0, len(dead), _PAGE))


def _take_all(app: App, edition_id: str, dead: Sequence[Delivery], now: datetime) -> list[Taken]:
    found: list[Taken] = []
    with app.database.write() as connection:
        for each in dead:
            reason = plain_reason(f"{each.code} {each.reply}")
            bounce = Bounce(kind=BounceKind.HARD, at=now, source=SERVER, edition=edition_id, reason=reason)
            taken = _take(connection, each.subscriber_id, bounce, report=f"{edition_id} {each.subscriber_id}")
            found += [taken] if isinstance(taken, Taken) else []
    return found


def _is_dead(delivery: Delivery) -> bool:
    said = plain_reason(delivery.reply)
    return kind_of(delivery.code, status_in(said), said) is BounceKind.HARD


def _take(connection: Connection, subscriber_id: int, bounce: Bounce, *, report: str) -> Taken | str:
    """Take a bounce of one reader, or return why it says nothing."""
    subscriber = reader_of(connection, subscriber_id, hold=True).subscriber
    if subscriber is None:
        return "the reader is forgotten"
    if bounce.kind is not BounceKind.COMPLAINT and _has_moved(connection, subscriber_id, bounce.at):
        return "the reader has another address by now"
    return take_bounce(connection, subscriber.address_hash, bounce, report=report) or "known already"


def _has_moved(connection: Connection, subscriber_id: int, now: datetime) -> bool:
    acts = history(connection, subscriber_id)
    return any(each.act is Act.MOVED and now - each.at < _SINCE_MOVED for each in acts)


def _what_follows(bounce: Bounce, taken: Taken) -> str:
    if taken.suppressed is SuppressionReason.COMPLAINT:
        return "never mailed again"
    if taken.suppressed:
        return "not mailed any more"
    if bounce.kind is BounceKind.SOFT:
        return f"on {taken.days} of {SOFT_DAYS} days"
    return "nothing follows"
