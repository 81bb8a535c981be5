"""Count an edition's deliveries by domain and over time, and keep the counts of editions that have ended.

Counting a million deliveries takes about a second, so it is done once for each edition that has ended. What
is kept names no domain with fewer than five readers, because a domain can be that of one person, and the
counts outlive an erasure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, String, cast, extract, func, select

from digest.model.deliveries import (
    AcceptedOverTime,
    AnswerCount,
    Counts,
    DeliveryState,
    DomainCount,
    Tally,
)
from digest.model.editions import EditionState
from digest.storage.tables.deliveries import deliveries, tallies
from digest.storage.tables.editions import editions
from subscribers.store.tables import subscribers, upsert

SLOT = timedelta(seconds=10)
_MOST_DOMAINS = 20
_LEAST_READERS = 5
_ENDED = (EditionState.SENT, EditionState.CANCELLED)
_SHOWN = (
    DeliveryState.ACCEPTED,
    DeliveryState.DEFERRED,
    DeliveryState.REJECTED,
    DeliveryState.UNCERTAIN,
)


def by_domain(connection: Connection, edition_id: str) -> tuple[DomainCount, ...]:
    """Count an edition's deliveries by domain, the largest domains first; small domains are left out."""
    domain = _domain(connection).label("domain")
    total = func.count().label("total")
    each = [func.count().filter(deliveries.c.state == state).label(state) for state in _SHOWN]
    query = (
        select(domain, total, *each)
        .join_from(deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.edition_id == edition_id)
        .group_by(domain)
        .having(total >= _LEAST_READERS)
        .order_by(total.desc(), domain)
        .limit(_MOST_DOMAINS)
    )
    return tuple(DomainCount(**row) for row in connection.execute(query).mappings())


def accepted_slots(connection: Connection, edition_id: str) -> dict[datetime, int]:
    """Count the accepted deliveries of an edition in each `SLOT`, by the beginning of the slot."""
    slot = _slot(connection).label("slot")
    accepted = deliveries.c.edition_id == edition_id, deliveries.c.state == DeliveryState.ACCEPTED
    rows = connection.execute(select(slot, func.count()).where(*accepted).group_by(slot).order_by(slot))
    return {_begin_of(value): count for value, count in rows}


def _domain(connection: Connection) -> ColumnElement[str]:
    address = func.lower(subscribers.c.address)
    at = func.strpos(address, "@") if connection.dialect.name == "postgresql" else func.instr(address, "@")
    return func.substr(address, at + 1, type_=String)


def _slot(connection: Connection) -> ColumnElement[Any]:
    if connection.dialect.name == "postgresql":
        return cast(func.floor(extract("epoch", deliveries.c.changed_at) / SLOT.seconds), Integer)
    # SQLite keeps "2026-11-22 07:00:12.000000". To its tens of seconds, that is the slot.
    return func.substr(cast(deliveries.c.changed_at, String), 1, len("2026-11-22 07:00:1"))


def _begin_of(slot: int | str) -> datetime:
    if isinstance(slot, int):
        return datetime.fromtimestamp(slot * SLOT.seconds, UTC)
    return datetime.fromisoformat(f"{slot}0").replace(tzinfo=UTC)


# ── kept ────────────────────────────────────────────────────────────────────────────────────


def ended_without_tally(connection: Connection, *, limit: int) -> tuple[str, ...]:
    """Return the ids of editions that were sent or cancelled and have no tally yet, the newest first."""
    ended = editions.c.state.in_(_ENDED), editions.c.started_at.is_not(None)
    kept = select(tallies.c.edition_id).where(tallies.c.edition_id == editions.c.id).exists()
    found = select(editions.c.id).where(*ended, ~kept).order_by(editions.c.send_at.desc(), editions.c.id)
    return tuple(connection.scalars(found.limit(limit)))


def keep_tally(connection: Connection, edition_id: str, tally: Tally) -> None:
    """Keep the counts of an edition that has ended; nothing happens if they are kept already."""
    row = {"edition_id": edition_id, "tally": _written(tally)}
    connection.execute(upsert(connection, tallies).values(row).on_conflict_do_nothing())


def kept_tally(connection: Connection, edition_id: str) -> Tally | None:
    """Return the counts that are kept of an edition, or None."""
    found = connection.scalar(select(tallies.c.tally).where(tallies.c.edition_id == edition_id))
    return _read(found) if found else None


def accepted_since(connection: Connection, since: datetime) -> tuple[tuple[str, datetime, int | None], ...]:
    """Return the editions that began to be sent since a time: id, that time, and how many were accepted.

    The number is None for an edition without a tally. The oldest comes first.
    """
    query = (
        select(editions.c.id, editions.c.started_at, tallies.c.tally)
        .outerjoin_from(editions, tallies, tallies.c.edition_id == editions.c.id)
        .where(editions.c.started_at >= since)
        .order_by(editions.c.started_at, editions.c.id)
    )
    return tuple(
        (name, at, dict(tally["counts"]).get(DeliveryState.ACCEPTED, 0) if tally else None)
        for name, at, tally in connection.execute(query)
    )


def _written(tally: Tally) -> dict[str, object]:
    over_time = tally.over_time
    return {
        "counts": [list(each) for each in tally.counts.by_state],
        "answers": [asdict(each) for each in tally.answers],
        "domains": [asdict(each) for each in tally.domains],
        "began_at": over_time.began_at.isoformat(),
        "width": over_time.width // timedelta(seconds=1),
        "accepted": list(over_time.counts),
    }


def _read(kept: Mapping[str, Any]) -> Tally:
    return Tally(
        counts=Counts(by_state=tuple((DeliveryState(state), count) for state, count in kept["counts"])),
        answers=tuple(
            AnswerCount(**{**each, "state": DeliveryState(each["state"])}) for each in kept["answers"]
        ),
        domains=tuple(DomainCount(**each) for each in kept["domains"]),
        over_time=AcceptedOverTime(
            began_at=datetime.fromisoformat(kept["began_at"]),
            width=timedelta(seconds=kept["width"]),
            counts=tuple(kept["accepted"]),
        ),
    )
