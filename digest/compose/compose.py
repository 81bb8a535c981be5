"""The second verb: from the posts a digest has waiting to one frozen edition, or a sentence why not."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from digest.compose.plan import Brief, Plan, plan
from digest.links import canonical_url
from digest.model import Composed, Digest, Due, EditionRecord, Feed, PostState, Site, Topic
from digest.storage.database import Connection, Database
from digest.storage.editions import edition_ids, insert_edition, lock_digest, open_edition, told_posts
from digest.storage.posts import set_posts, waiting_posts

log = logging.getLogger(__name__)

_REMEMBERED = timedelta(days=7)  # how long titles told before are compared; links always are


def compose(
    database: Database,
    digest: Digest,
    *,
    site: Site,
    topics: Sequence[Topic],
    due: Due,
    now: datetime,
    feeds: Sequence[Feed] = (),
) -> Composed:
    """Compose the edition of `digest` that is `due`, as a draft, from the posts waiting for it.

        in one write transaction, the only one for this digest:
            an edition for that day is open?  → say so and change nothing
            read the posts that wait, and those told before that they may repeat
            plan                              → an edition, or a reason; each post used, carried or dropped
            keep the edition as a draft, reserve its posts, note why others are dropped
            the carried ones are left alone: they wait

    `topics` and `feeds` are all that are configured, in the order of the file. Of several processes
    composing at once one makes the edition, the others are told that there is one.
    """
    with database.write() as connection:
        lock_digest(connection, digest.slug)
        if there := open_edition(connection, digest.slug, due.local_date):
            return Composed(record=None, reason=f"there is already {there.edition.id} ({there.state})")
        brief = Brief(
            digest=digest,
            site=site,
            due=due,
            topics=topics,
            feeds=feeds,
            taken=edition_ids(connection, digest.slug, due.local_date),
        )
        planned = _plan(connection, brief, now)
        composed = _keep(connection, planned, digest.slug, now)
    log.info("%s: %s", digest.slug, composed.record.edition.id if composed.record else composed.reason)
    return composed


def _plan(connection: Connection, brief: Brief, now: datetime) -> Plan:
    """Read what waits and what was told, and decide."""
    digest = brief.digest.slug
    waiting = waiting_posts(connection, digest, now)
    links = {canonical_url(each.post.url) for each in waiting if each.post.url}
    return plan(waiting, told_posts(connection, digest, links, now - _REMEMBERED), brief)


def _keep(connection: Connection, planned: Plan, digest: str, now: datetime) -> Composed:
    """Write what was decided."""
    record: EditionRecord | None = None
    dropped = {post_id: (PostState.DROPPED, why) for post_id, why in planned.dropped}
    set_posts(connection, digest, dropped, None, now)
    if planned.edition:
        record = insert_edition(connection, planned.edition)
        reserved = dict.fromkeys(planned.used, (PostState.RESERVED, ""))
        set_posts(connection, digest, reserved, planned.edition.id, now)
    return Composed(
        record=record,
        reason=planned.reason,
        used=len(planned.used),
        carried=len(planned.carried),
        dropped=len(planned.dropped),
    )
