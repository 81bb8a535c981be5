"""The second verb: from the posts a digest has waiting to one frozen edition, or a sentence why not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from digest.compose.plan import Brief, Plan, edition_name, plan
from digest.links import canonical_url
from digest.model import Composed, Edition, EditionRecord, PostState
from digest.storage.database import Connection, Database
from digest.storage.editions import insert_edition, lock_digest, open_edition, taken_ids, told_posts
from digest.storage.posts import set_posts, waiting_posts

log = logging.getLogger(__name__)

_REMEMBERED = timedelta(days=7)  # how long titles told before are compared; links always are


def compose(
    database: Database, brief: Brief, *, now: datetime, fits: Callable[[Edition], bool] = lambda _: True
) -> Composed:
    """Compose the edition that `brief` describes, as a draft, from the posts waiting for it.

        in one write transaction, the only one for this digest:
            an edition for that day is open?  → say so and change nothing
            read the posts that wait, and those told before that they may repeat
            plan                              → an edition, or a reason; each post used, carried or dropped
            it does not fit into a mail?      → plan with fewer stories, until it does
            keep the edition as a draft, reserve its posts, note why others are dropped
            the carried ones are left alone: they wait

    Of several processes composing at once one makes the edition, the others are told that there is one.
    `fits` says whether an edition can be mailed whole. Which ids are taken is read here.
    """
    digest = brief.digest
    with database.write() as connection:
        lock_digest(connection, digest.slug)
        if there := open_edition(connection, digest.slug, brief.due.local_date):
            return Composed(record=None, reason=f"there is already {there.edition.id} ({there.state})")
        taken = taken_ids(connection, edition_name(digest, brief.due))
        planned = _plan(connection, replace(brief, taken=taken), now, fits)
        composed = _keep(connection, planned, digest.slug, now)
    if composed.record:
        made = composed.record.edition.id, composed.used, composed.carried
        log.info("%s: made of %d posts; %d are carried", *made)
    else:
        log.info("%s: no edition: %s", digest.slug, composed.reason)
    return composed


def _plan(connection: Connection, brief: Brief, now: datetime, fits: Callable[[Edition], bool]) -> Plan:
    """Read what waits and what was told, and decide; what does not fit into one mail is carried."""
    digest = brief.digest
    waiting = waiting_posts(connection, digest.slug)
    links = {canonical_url(each.post.url) for each in waiting if each.post.url}
    told = told_posts(connection, digest.slug, links, now - _REMEMBERED)
    whole = planned = plan(waiting, told, brief)
    while planned.edition and not fits(planned.edition):
        fewer = sum(1 for _ in planned.edition.stories()) * 9 // 10
        if not fewer:
            return whole  # it is not the number of stories
        planned = plan(waiting, told, replace(brief, digest=replace(digest, maximum=fewer)))
    return planned


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
