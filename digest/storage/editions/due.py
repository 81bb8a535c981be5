"""Find the editions that are still to be sent, are being sent, or will not be sent any more."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from digest.model.editions import AHEAD, OPEN, PUBLIC, EditionRecord, EditionState
from digest.storage.editions.records import record_or_damage, records_of
from digest.storage.tables.editions import editions
from subscribers.model import Frequency

_AT_ONCE = 20  # editions in memory; a snapshot may have some 100 kB


def open_edition(
    connection: Connection,
    digest: str,
    local_date: date,
    frequency: Frequency = Frequency.EACH,
    *,
    began_after: datetime | None = None,
) -> EditionRecord | None:
    """Return the edition of a day and frequency that may still go out; None if there is none.

    One that was sent counts, too, if it began to be sent after `began_after`.
    """
    is_open: ColumnElement[bool] = editions.c.state.in_(OPEN)
    if began_after:
        went_out = editions.c.state == EditionState.SENT, editions.c.started_at >= began_after
        is_open = or_(is_open, and_(*went_out))
    of_day = editions.c.digest == digest, editions.c.local_date == local_date, is_open
    found = select(editions).where(*of_day, editions.c.frequency == frequency).order_by(editions.c.id)
    return next(iter(records_of(connection, found)), None)


def open_before(connection: Connection, before: datetime) -> tuple[EditionRecord, ...]:
    """Return the editions that are to be sent before a time and have not begun, without damaged ones."""
    ahead = editions.c.state.in_(AHEAD), editions.c.send_at < before
    found = map(record_or_damage, connection.execute(select(editions).where(*ahead).limit(_AT_ONCE)))
    return tuple(each for each in found if isinstance(each, EditionRecord))


def due_editions(connection: Connection, now: datetime) -> tuple[tuple[str, str], ...]:
    """Return id and digest of the open editions whose time has come, oldest first.

    Editions in `sending` are included even before their send time, so that an edition that was sent by hand,
    or interrupted by a crash, is continued.
    """
    # Only ids are read, because an edition with a damaged snapshot must not stop the others.
    due = or_(editions.c.send_at <= now, editions.c.state == EditionState.SENDING)
    found = (
        select(editions.c.id, editions.c.digest)
        .where(editions.c.state.in_(OPEN), due)
        .order_by(editions.c.send_at, editions.c.id)
    )
    return tuple((edition_id, slug) for edition_id, slug in connection.execute(found))


def sending_editions(connection: Connection) -> tuple[tuple[str, datetime], ...]:
    """Return the editions that are being sent, each with the time when this began."""
    found = select(editions.c.id, editions.c.started_at).where(editions.c.state == EditionState.SENDING)
    return tuple((edition_id, at) for edition_id, at in connection.execute(found.order_by(editions.c.id)))


def settled_after(connection: Connection, now: datetime) -> frozenset[tuple[str, Frequency, datetime]]:
    """Return digest, frequency and send time of editions whose send time is after `now` but that are decided.

    They have been sent early, or were skipped or cancelled.
    """
    over = (*PUBLIC, EditionState.SKIPPED, EditionState.CANCELLED)
    columns = editions.c.digest, editions.c.frequency, editions.c.send_at
    ahead = select(*columns).where(editions.c.state.in_(over), editions.c.send_at > now)
    return frozenset((slug, Frequency(frequency), at) for slug, frequency, at in connection.execute(ahead))


def states_of(connection: Connection, ids: Collection[str]) -> dict[str, tuple[EditionState, str]]:
    """Return the state and the reason of each edition with one of these ids, by its id."""
    query = select(editions.c.id, editions.c.state, editions.c.reason).where(editions.c.id.in_(sorted(ids)))
    return {name: (EditionState(state), reason) for name, state, reason in connection.execute(query)}
