"""Record bounces for readers whose mailbox does not exist, by the server's replies; a step of finishing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from digest.model.deliveries import Counts, Delivery, DeliveryState
from digest.storage.database import Database
from digest.storage.ledger.outcomes import list_deliveries
from subscribers.rules.answers import answered_in, status_in
from subscribers.rules.bounces import (
    SERVER,
    Bounce,
    BounceKind,
    kind_of,
    plain_reason,
)
from subscribers.store.bounces import CountedBounce, receive_bounce

_PAGE = 200  # deliveries


def note_dead_mailboxes(database: Database, edition_id: str, counts: Counts, *, now: datetime) -> str:
    """Record a hard bounce for each reader of a sent edition whose mailbox does not exist.

    Returns a phrase that says what was recorded, or an empty string. A second call changes nothing. A single
    bounce does not suppress an address; `subscribers.rules.bounces` decides when it does.
    """
    rejected, accepted = counts.of(DeliveryState.REJECTED), counts.of(DeliveryState.ACCEPTED)
    dead = (
        [each for each in _rejected(database, edition_id) if is_dead(each.code, each.reply)]
        if rejected
        else []
    )
    # A server that is set up wrongly refuses every recipient, which says nothing about the mailboxes.
    if 2 * len(dead) > rejected + accepted:
        return f"no such mailbox: {len(dead):,}, too many to be true; is [mail] set to the right server?"
    taken = [each for page in _pages(dead) for each in _take_all(database, edition_id, page, now)]
    if not taken:
        return ""
    gone = sum(each.suppressed is not None for each in taken)
    ended = f", not mailed any more: {gone:,}" if gone else ""
    return f"no such mailbox: {len(taken):,}{ended}"


def _rejected(database: Database, edition_id: str) -> Iterator[Delivery]:
    after, page = 0, True
    while page:
        with database.read() as connection:
            found = list_deliveries(
                connection, edition_id, states=(DeliveryState.REJECTED,), after=after, limit=_PAGE
            )
        yield from found
        page = len(found) == _PAGE
        after = found[-1].subscriber_id if found else after


def _pages(dead: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
    return (dead[start : start + _PAGE] for start in range(0, len(dead), _PAGE))


def _take_all(
    database: Database, edition_id: str, dead: Sequence[Delivery], now: datetime
) -> list[CountedBounce]:
    found: list[CountedBounce] = []
    with database.write() as connection:
        for each in dead:
            reason = plain_reason(f"{each.code} {each.reply}")
            bounce = Bounce(kind=BounceKind.HARD, at=now, source=SERVER, edition=edition_id, reason=reason)
            # The id of the report is the same in each call, so a second call records nothing.
            taken = receive_bounce(
                connection, each.subscriber_id, bounce, report=f"{edition_id} {each.subscriber_id}"
            )
            found += [taken] if isinstance(taken, CountedBounce) else []
    return found


def is_dead(code: int | None, reply: str) -> bool:
    """Tell whether a kept reply says that the mailbox does not exist."""
    said = plain_reason(reply)
    return kind_of(code, status_in(said), said, answered_in(reply)) is BounceKind.HARD
