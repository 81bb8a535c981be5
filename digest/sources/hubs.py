"""Ask hubs to tell us of new posts (WebSub), and act on their requests."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from digest.collect.fetching import websub
from digest.collect.fetching.answers import FetchFailure, FetchRequest
from digest.collect.fetching.fetch import fetch_all
from digest.config import Config
from digest.model.posts import HubRow
from digest.model.run_context import RunContext
from digest.storage.database import Database
from digest.storage.feeds import feed_rows
from digest.storage.intake.hubs import hub_of, hubs_to_ask, save_hub

TOGETHER = 20  # hubs are asked in one round; thousands of feeds may have the same hub

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hubs:
    """The parts that are needed to talk to hubs."""

    database: Database
    config: Config
    secret: bytes = field(repr=False)


def ask_hubs(hubs: Hubs, context: RunContext) -> int:
    """Ask each hub whose first or next request is due; return the number of hubs that were asked.

    Each row is saved before its hub is asked, because a hub may verify our request before it answers it.
    """
    site, limits = hubs.config.site, hubs.config.limits
    if not websub.can_be_reached(site.base_url, limits.allow_hosts):
        return 0
    now = context.clock()
    asked = _asked(hubs, now)
    requests = [
        FetchRequest(feed_id=row.feed_id, url=row.hub, form=websub.asking(site.base_url, hubs.secret, row))
        for row in asked.values()
    ]
    for request, result in fetch_all(requests, limits, stop=context.stop):
        if isinstance(result, FetchFailure):
            _refused(hubs.database, asked[request.feed_id], result, now)
    return len(asked)


def _asked(hubs: Hubs, now: datetime) -> dict[str, HubRow]:
    """Return the rows of the hubs that are asked now, by feed; feeds that were removed are left out."""
    names = {feed.name for feed in hubs.config.feeds}
    with hubs.database.write() as connection:
        waiting = hubs_to_ask(connection, now, websub.LONGEST_WAIT)
        configured = {row.id for row in feed_rows(connection) if row.name in names} if waiting else set()
        chosen = [row for row in waiting if row.feed_id in configured][:TOGETHER]
        asked = {row.feed_id: websub.asked(row, now) for row in chosen}
        for row in asked.values():
            save_hub(connection, row)
    return asked


def _refused(database: Database, asked: HubRow, failure: FetchFailure, now: datetime) -> None:
    with database.write() as connection:
        if hub_of(connection, asked.feed_id) == asked:  # the hub has not verified it nevertheless
            save_hub(connection, websub.refused(asked, failure.status, now))
    log.info("feed %s: its hub has not taken our request: %s", asked.feed_id, failure.detail)


def called(hubs: Hubs, feed_id: str, key: str) -> HubRow | None:
    """Return the hub to which a callback was given, or None if no hub of ours has this callback."""
    with hubs.database.read() as connection:
        row = hub_of(connection, feed_id)
    if row is None:
        return None
    expected = websub.callback_key(hubs.secret, feed_id, row.hub)
    return row if hmac.compare_digest(expected.encode(), key.encode()) else None


def verify(hubs: Hubs, row: HubRow, query: Mapping[str, str], now: datetime) -> bool:
    """Record that a hub has verified or denied what we have asked of it; False if we have not asked."""
    with hubs.database.write() as connection:
        stored = hub_of(connection, row.feed_id)
        after = websub.verified(stored, query, now) if stored and stored.hub == row.hub else None
        if after:
            save_hub(connection, after)
    return after is not None


def push(hubs: Hubs, row: HubRow, now: datetime) -> None:
    """Record that a hub has told of new posts; the feed is due then."""
    with hubs.database.write() as connection:
        stored = hub_of(connection, row.feed_id)
        after = websub.pushed(stored, now) if stored and stored.hub == row.hub else None
        if after:
            save_hub(connection, after)
