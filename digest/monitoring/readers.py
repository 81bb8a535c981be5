"""Count how the list grows and shrinks by day, and compare bounces and complaints with what providers allow.

Gmail and Yahoo ask bulk senders to keep the spam rate below 0.1 % and never to let it reach 0.3 % (Email
sender guidelines, since February 2024). Our rate counts the complaints that were reported to us. Gmail
reports none by email, and shows them only in its Postmaster Tools.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate

from digest.model.deliveries import DeliveryState
from digest.storage.database import Database
from digest.storage.ledger.outcomes import counts
from digest.storage.ledger.tallies import accepted_since
from subscribers.rules.bounces import BounceKind
from subscribers.store.growth import (
    bounces_by_day,
    joined_by_day,
    left_by_day,
    number_of_readers,
    suppressed_by_day,
)

GROWTH_DAYS = 90
RATE_DAYS = 30
HEALTHY, REJECTED_FROM = 0.1, 0.3  # percent of complaints; see above
WEEK = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """The list by day, oldest first: who joined, left, or was suppressed, and the readers at its end."""

    days: tuple[date, ...]
    joined: tuple[int, ...]
    left: tuple[int, ...]
    suppressed: tuple[int, ...]
    readers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """The returned mail of seven days, of which this is the first, and the messages accepted in them."""

    first: date
    accepted: int
    complaints: int
    bounces: int  # hard and soft


def read_growth(database: Database, now: datetime) -> Growth:
    """Count who joined and who was lost on each of the last 90 days (in UTC)."""
    days = days_to(now, GROWTH_DAYS)
    since = datetime.combine(days[0], time.min, UTC)
    with database.read() as connection:
        found = (
            joined_by_day(connection, since),
            left_by_day(connection, since),
            suppressed_by_day(connection, since),
        )
        return growth(days, *found, readers=number_of_readers(connection))


def read_weeks(
    database: Database, now: datetime, accepted_of: Callable[[str], int] | None = None
) -> tuple[Week, ...]:
    """Count returned mail and accepted messages in each of the last thirteen weeks, oldest first.

    `accepted_of` returns the accepted messages of an edition that is being sent; without it they are counted.
    """
    days = days_to(now, GROWTH_DAYS // WEEK * WEEK + WEEK)
    since = datetime.combine(days[0], time.min, UTC)
    with database.read() as connection:
        bounces = bounces_by_day(connection, since)
        editions = accepted_since(connection, since)
    accepted: dict[date, int] = {}
    for name, at, number in editions:
        count = number if number is not None else (accepted_of or _counted_in(database))(name)
        day = at.astimezone(UTC).date()
        accepted[day] = accepted.get(day, 0) + count
    return weeks(days, accepted, bounces)


def _counted_in(database: Database) -> Callable[[str], int]:
    def count(edition_id: str) -> int:
        with database.read() as connection:
            return counts(connection, edition_id).of(DeliveryState.ACCEPTED)

    return count


# ── decisions ───────────────────────────────────────────────────────────────────────────────


def days_to(now: datetime, number: int) -> tuple[date, ...]:
    """Return so many days in UTC, of which today is the last."""
    today = now.astimezone(UTC).date()
    return tuple(today - timedelta(days=back) for back in range(number - 1, -1, -1))


def growth(
    days: Sequence[date],
    joined: Mapping[date, int],
    left: Mapping[date, int],
    suppressed: Mapping[date, int],
    *,
    readers: int,
) -> Growth:
    """Return the list by day, reckoned back from its readers now."""
    came, went, out = ([found.get(day, 0) for day in days] for found in (joined, left, suppressed))
    changes = [a - b - c for a, b, c in zip(came, went, out, strict=True)]
    back = list(accumulate(reversed(changes), lambda before, change: before - change, initial=readers))
    return Growth(
        days=tuple(days),
        joined=tuple(came),
        left=tuple(went),
        suppressed=tuple(out),
        readers=tuple(reversed(back[:-1])),
    )


def weeks(
    days: Sequence[date], accepted: Mapping[date, int], bounces: Mapping[BounceKind, Mapping[date, int]]
) -> tuple[Week, ...]:
    """Gather days into whole weeks, of which the last day ends the last one."""

    def total(found: Mapping[date, int], part: Sequence[date]) -> int:
        return sum(found.get(day, 0) for day in part)

    none: Mapping[date, int] = {}
    parts = [days[at : at + WEEK] for at in range(len(days) % WEEK, len(days), WEEK)]
    return tuple(
        Week(
            first=part[0],
            accepted=total(accepted, part),
            complaints=total(bounces.get(BounceKind.COMPLAINT, none), part),
            bounces=sum(total(bounces.get(kind, none), part) for kind in (BounceKind.HARD, BounceKind.SOFT)),
        )
        for part in parts
    )


def verdict(complaints: int, accepted: int) -> str:
    """Say what a complaint rate means, by the guidelines of Gmail and Yahoo."""
    if not accepted:
        return f"Nothing was sent in the last {RATE_DAYS // WEEK} weeks."
    share = 100 * complaints / accepted
    if share >= REJECTED_FROM:
        return "This is too high: from 0.3%, Gmail and Yahoo reject email or file it as spam."
    if share >= HEALTHY:
        return "This needs attention: Gmail and Yahoo ask for less than 0.1%."
    return "This is healthy: Gmail and Yahoo ask for less than 0.1%, and reject email from 0.3% on."
