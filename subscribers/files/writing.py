"""Write the list as CSV; the file can be imported again."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from io import StringIO

from subscribers.model import Reader, Subscription, SubscriptionState

COLUMNS = (
    "address",
    "digest",
    "state",
    "topics",
    "hour",
    "zone",
    "frequency",
    "format",
    "language",
    "confirmed_at",
    "paused_until",
)

# A spreadsheet would run such a cell as a formula. An apostrophe is written before it, and removed when it is
# read.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def write_readers(readers: Iterable[Reader]) -> Iterator[str]:
    """Yield CSV text, piece by piece: a header, then a line for each digest of each reader.

    The state says if a reader must not be mailed, so that another program does not mail that reader either.
    """
    yield _csv_line(COLUMNS)
    for reader in readers:
        # Active digests come first. Otherwise an import of this file could take an ended digest for a reader
        # who unsubscribed altogether, and not add the active digest.
        for cells in sorted(_reader_rows(reader), key=lambda cells: cells["state"] != "active"):
            yield _csv_line(_guard(cells[name]) for name in COLUMNS)


def unguard(cell: str) -> str:
    """Return a cell without the apostrophe that keeps a spreadsheet from running it."""
    return cell[1:] if _GUARDED.match(cell) else cell


def _reader_rows(reader: Reader) -> Iterator[dict[str, str]]:
    subscriber = reader.subscriber
    if subscriber is None:
        return
    person = dict.fromkeys(COLUMNS, "") | {
        "address": subscriber.address,
        "state": "suppressed" if reader.suppression else subscriber.state.value,
        "format": subscriber.format.value,
        "language": subscriber.language,
        "confirmed_at": _iso(subscriber.confirmed_at),
    }
    if not reader.subscriptions:
        yield person
    for each in reader.subscriptions:
        ended = person["state"] == "active" and each.state is not SubscriptionState.ACTIVE
        yield person | _choice_cells(each) | ({"state": each.state.value} if ended else {})


def _choice_cells(subscription: Subscription) -> dict[str, str]:
    preferences = subscription.preferences
    return {
        "digest": subscription.digest,
        "topics": str(preferences.topics),
        "hour": preferences.hour or "",
        "zone": preferences.zone or "",
        "frequency": preferences.frequency.value,
        "paused_until": _iso(subscription.paused_until),
    }


def _iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _guard(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _csv_line(cells: Iterable[str]) -> str:
    text = StringIO()
    csv.writer(text).writerow(cells)  # RFC 4180: comma, CRLF, quotes where needed
    return text.getvalue()
