"""Compose a gathered edition: the verb compose once more, from editions instead of posts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from digest.compose.gather import Order, gather
from digest.compose.plan import edition_name
from digest.model import Composed, Edition
from digest.storage.database import Database
from digest.storage.editions import insert_edition, load_edition, lock_digest, open_edition, taken_ids
from digest.storage.gatherings import note_gathered, ungathered

log = logging.getLogger(__name__)


def compose_gathered(
    database: Database,
    order: Order,
    *,
    since: datetime,
    fits: Callable[[Edition], bool] = lambda _: True,
) -> Composed:
    """Compose the gathered edition that `order` asks for, as a draft, from editions that went out.

        in one write transaction, the only one for this digest:
            one of that frequency for that day is open?  → say so and change nothing
            read the editions that began to go out after `since` and are not gathered for it yet
            gather                                       → an edition, or a reason
            it does not fit into a mail?                 → tell fewer stories in full, until it does;
                                                           if need be, the newest editions wait for the next
            keep it as a draft, note what it has gathered

    It must be told what went out: call it after what was due has been sent.
    """
    slug, frequency = order.digest.slug, order.frequency
    with database.write() as connection:
        lock_digest(connection, slug)
        if there := open_edition(connection, slug, order.due.local_date, frequency):
            return Composed(record=None, reason=f"there is already {there.edition.id} ({there.state})")
        ids = ungathered(connection, slug, frequency, since=since)
        told = [load_edition(connection, each).edition for each in ids]
        order = replace(order, taken=taken_ids(connection, edition_name(order.digest, order.due, frequency)))
        edition, gathered = _fitting(told, order, fits)
        if edition is None:
            return Composed(record=None, reason=f"nothing has gone out since the last {frequency} one")
        record = insert_edition(connection, edition, frequency)
        note_gathered(connection, [each.id for each in gathered], frequency, edition.id)
    log.info("%s: gathered from %d editions", edition.id, len(gathered))
    return Composed(record=record, reason="", used=len(gathered), carried=len(told) - len(gathered))


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
