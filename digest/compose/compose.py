"""The second verb: from the posts a digest has waiting to one frozen edition, or a sentence why not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from digest.compose.optimistic import Steps, plan_and_keep
from digest.compose.plan import Brief, Plan, Told, edition_name, plan
from digest.links import canonical_url
from digest.model import Composed, Edition, EditionRecord, PostState, WaitingPost
from digest.storage.database import Connection, Database
from digest.storage.editions import insert_edition, open_edition, taken_ids, told_posts
from digest.storage.posts import set_posts, waiting_posts

log = logging.getLogger(__name__)

_REMEMBERED = timedelta(days=7)  # how long titles told before are compared; links always are


def compose(
    database: Database, brief: Brief, *, now: datetime, fits: Callable[[Edition], bool] = lambda _: True
) -> Composed:
    """Compose the edition that `brief` describes, as a draft, from the posts waiting for it.

        read whether an edition for that day is open, the posts that wait, and those already published
        with no transaction open:
            plan                            → an edition, or a reason; each post used, carried or dropped
            it does not fit into an email?  → plan with fewer stories, until it does
        in one write transaction, the only one for this digest:
            what was read has changed?      → read and plan again
            keep the edition as a draft, reserve its posts, note why others are dropped
            the carried ones are left alone: they wait

    Of several processes composing at once one makes the edition, the others are told that there is one.
    `fits` says whether an edition can be mailed whole; it must not write to the database itself. Which
    ids are taken is read here.
    """
    digest = brief.digest
    composed = plan_and_keep(
        database,
        digest.slug,
        Steps(
            read=lambda connection: _read(connection, brief, now),
            plan=lambda seen: _plan(seen, brief, fits),
            keep=lambda connection, planned: _keep(connection, planned, digest.slug, now),
        ),
    )
    if composed.record:
        made = composed.record.edition.id, composed.used, composed.carried
        log.info("%s: made of %d posts; %d are carried", *made)
    else:
        log.info("%s: no edition: %s", digest.slug, composed.reason)
    return composed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """All that a plan is made from: while it stays equal, the plan stays right."""

    there: str = ""  # that there is an edition already, as a sentence; nothing else is read then
    taken: frozenset[str] = frozenset()
    waiting: tuple[WaitingPost, ...] = ()
    told: tuple[Told, ...] = ()


def _read(connection: Connection, brief: Brief, now: datetime) -> _Seen:
    digest = brief.digest
    if there := open_edition(connection, digest.slug, brief.due.local_date):
        return _Seen(there=f"there is already {there.edition.id} ({there.state})")
    waiting = waiting_posts(connection, digest.slug)
    links = {canonical_url(each.post.url) for each in waiting if each.post.url}
    return _Seen(
        taken=taken_ids(connection, edition_name(digest, brief.due)),
        waiting=waiting,
        told=told_posts(connection, digest.slug, links, now - _REMEMBERED),
    )


def _plan(seen: _Seen, brief: Brief, fits: Callable[[Edition], bool]) -> Plan:
    """Decide from what was read; what does not fit into one email is carried."""
    if seen.there:
        return Plan(edition=None, reason=seen.there)
    digest, brief = brief.digest, replace(brief, taken=seen.taken)
    whole = planned = plan(seen.waiting, seen.told, brief)
    while planned.edition and not fits(planned.edition):
        fewer = sum(1 for _ in planned.edition.stories()) * 9 // 10
        if not fewer:
            return whole  # it is not the number of stories
        planned = plan(seen.waiting, seen.told, replace(brief, digest=replace(digest, maximum=fewer)))
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
