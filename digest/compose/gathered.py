"""Compose a gathered edition: the verb compose once more, from editions instead of posts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from digest.compose.gather import Order, gather
from digest.compose.optimistic import Steps, plan_and_keep
from digest.compose.plan import edition_name
from digest.model import Composed, Edition
from digest.storage.database import Connection, Database
from digest.storage.editions import insert_edition, load_edition, open_edition, taken_ids
from digest.storage.gatherings import note_gathered, ungathered
from subscribers.model import Frequency

log = logging.getLogger(__name__)


def compose_gathered(
    database: Database,
    order: Order,
    *,
    since: datetime,
    fits: Callable[[Edition], bool] = lambda _: True,
) -> Composed:
    """Compose the gathered edition that `order` asks for, as a draft, from editions that went out.

        read whether one of that frequency for that day is open, and the editions that began to go
            out after `since` and are not gathered for it yet
        with no transaction open:
            gather                          → an edition, or a reason
            it does not fit into an email?  → tell fewer stories in full, until it does;
                                              if need be, the newest editions wait for the next
        in one write transaction, the only one for this digest:
            what was read has changed?      → read and gather again
            keep it as a draft, note what it has gathered

    It must be told what went out: call it after what was due has been sent.
    """
    slug = order.digest.slug
    composed = plan_and_keep(
        database,
        slug,
        Steps(
            read=lambda connection: _read(connection, order, since),
            plan=lambda seen: _plan(seen, order, fits),
            keep=lambda connection, planned: _keep(connection, planned, order.frequency),
        ),
    )
    if composed.record:
        log.info("%s: gathered from %d editions", composed.record.edition.id, composed.used)
    return composed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """All that a gathered edition is made from: while it stays equal, the plan stays right."""

    there: str = ""  # that there is an edition already, as a sentence; nothing else is read then
    taken: frozenset[str] = frozenset()
    told: tuple[Edition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The edition to keep and what it has gathered; without an edition, `reason` is one sentence."""

    edition: Edition | None = None
    reason: str = ""
    gathered: Sequence[Edition] = ()
    carried: int = 0  # editions that wait for the next


def _read(connection: Connection, order: Order, since: datetime) -> _Seen:
    slug, frequency = order.digest.slug, order.frequency
    if there := open_edition(connection, slug, order.due.local_date, frequency):
        return _Seen(there=f"there is already {there.edition.id} ({there.state})")
    ids = ungathered(connection, slug, frequency, since=since)
    return _Seen(
        taken=taken_ids(connection, edition_name(order.digest, order.due, frequency)),
        told=tuple(load_edition(connection, each).edition for each in ids),
    )


def _plan(seen: _Seen, order: Order, fits: Callable[[Edition], bool]) -> _Plan:
    if seen.there:
        return _Plan(reason=seen.there)
    edition, gathered = _fitting(seen.told, replace(order, taken=seen.taken), fits)
    if edition is None:
        return _Plan(reason=f"nothing has gone out since the last {order.frequency} one")
    return _Plan(edition=edition, gathered=gathered, carried=len(seen.told) - len(gathered))


def _keep(connection: Connection, planned: _Plan, frequency: Frequency) -> Composed:
    """Write what was decided."""
    if planned.edition is None:
        return Composed(record=None, reason=planned.reason)
    record = insert_edition(connection, planned.edition, frequency)
    note_gathered(connection, [each.id for each in planned.gathered], frequency, planned.edition.id)
    return Composed(record=record, reason="", used=len(planned.gathered), carried=planned.carried)


def _fitting(
    told: Sequence[Edition], order: Order, fits: Callable[[Edition], bool]
) -> tuple[Edition | None, Sequence[Edition]]:
    """Return the fullest edition that fits into one mail, and what it has gathered."""
    edition, gathered = None, told
    for gathered, full in _attempts(told, order.digest.maximum):
        edition = gather(gathered, order, full=full)
        if edition is None or fits(edition):
            return edition, gathered
    return edition, gathered  # one edition in headlines does not fit: it is not the number of stories


def _attempts(told: Sequence[Edition], maximum: int) -> Iterator[tuple[Sequence[Edition], int]]:
    """Yield what to gather and how many stories to tell in full: first less in full, then fewer editions."""
    for count in range(len(told), 0, -1):
        full = maximum
        while full:
            yield told[:count], full
            full = full * 9 // 10
        yield told[:count], 0
