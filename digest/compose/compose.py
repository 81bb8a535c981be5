"""The verb compose: the waiting posts of a digest → one frozen edition, or a reason why there is none."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from digest.compose.optimistic import Steps, plan_and_keep
from digest.compose.plan import Plan, PlanInput, arrange, edition_name, join
from digest.compose.sections.headings import Past
from digest.compose.sections.learning import LEARNED
from digest.model.editions import Composed, Edition, EditionRecord
from digest.model.links import canonical_url
from digest.model.posts import PostState, PublishedPost, WaitingPost, is_own
from digest.model.publication import Digest
from digest.storage.database import Connection, Database
from digest.storage.editions.drafts import insert_edition, next_number, taken_ids
from digest.storage.editions.due import open_edition
from digest.storage.editions.lists import last_sections
from digest.storage.editions.published import published_posts
from digest.storage.posts import last_tags, posts_of_edition, set_posts, waiting_posts

log = logging.getLogger(__name__)

_LAST = 3  # editions whose headings today's topics prefer
_REMEMBERED = timedelta(days=7)  # published titles are compared for so long; published links always are


def compose(
    database: Database,
    plan_input: PlanInput,
    *,
    now: datetime,
    fits: Callable[[Edition], bool] = lambda _: True,
    once: bool = False,
) -> Composed:
    """Compose the edition that `plan_input` describes, as a draft, from the waiting posts.

        read whether an edition for that day is open, the waiting posts, and the posts already published
        with no transaction open:
            plan                            → an edition, or a reason; each post used, carried over or dropped
            it does not fit into an email?  → plan with fewer stories, until it does
        in one write transaction, the only one for this digest:
            what was read has changed?      → read and plan again
            save the edition as a draft, reserve its posts, save why others are dropped
            posts that are carried over are not touched: they go on waiting

    If several processes compose at once, one makes the edition, and the others return that it exists. `fits`
    says whether an edition fits into one email; it must not write to the database. With `once`, a day whose
    edition has been sent since the cutoff gets no other. `taken` and `number` of `plan_input` are ignored,
    because they are read here.
    """
    digest = plan_input.digest
    composed = plan_and_keep(
        database,
        digest.slug,
        Steps(
            read=lambda connection: _read(connection, plan_input, now, once=once),
            plan=lambda seen: plan_from(seen, plan_input, fits),
            keep=lambda connection, planned: _keep(connection, planned, digest.slug, now),
        ),
    )
    if composed.record:
        made = composed.record.edition.id, composed.used, composed.carried
        log.info("%s: made from %d posts; %d posts are carried over", *made)
    else:
        log.info("%s: no edition: %s", digest.slug, composed.reason)
    return composed


def planned_posts(database: Database, plan_input: PlanInput, now: datetime) -> tuple[str, ...]:
    """Return the ids of the posts that an edition composed now would use; nothing is saved or rendered."""
    with database.read() as connection:
        seen = _read(connection, plan_input, now)
    return plan_from(seen, plan_input, lambda _: True).used


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFacts:
    """All that a plan is made from; as long as it is equal, the plan is still right."""

    there: str = ""  # a sentence that says that the edition exists; nothing else is read then
    taken: frozenset[str] = frozenset()
    number: int = 0
    waiting: tuple[WaitingPost, ...] = ()
    published: tuple[PublishedPost, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()  # feed → the tags of each of its last posts, as JSON
    sections: tuple[tuple[tuple[str, str, int], ...], ...] = ()  # of the last editions


def _read(connection: Connection, plan_input: PlanInput, now: datetime, *, once: bool = False) -> PlanFacts:
    digest, due = plan_input.digest, plan_input.due
    since = due.cutoff_at if once else None
    if there := open_edition(connection, digest.slug, due.local_date, began_after=since):
        return PlanFacts(there=f"there is already {there.edition.id} ({there.state})")
    return read_facts(connection, plan_input, now)


def read_facts(
    connection: Connection, plan_input: PlanInput, now: datetime, *, again: str | None = None
) -> PlanFacts:
    """Return what a new edition is planned from, or what the edition `again` is planned from once more.

    The posts of that edition may be used again, also those that an editor has taken out of it.
    """
    digest = plan_input.digest
    waiting = waiting_posts(connection, digest.slug, plan_input.due.send_at)
    if again:
        waiting = (*waiting, *posts_of_edition(connection, digest.slug, again))
    links = {canonical_url(each.post.url) for each in waiting if each.post.url}
    published = published_posts(connection, digest.slug, links, now - _REMEMBERED)
    return PlanFacts(
        taken=taken_ids(connection, edition_name(digest, plan_input.due)),
        number=next_number(connection, digest.slug),
        waiting=waiting,
        published=tuple(
            each
            for each in published
            if each.edition_id != again or is_own(each.waiting.post, again)  # which is not planned again
        ),
        **_read_past(connection, digest, waiting),
    )


def _read_past(connection: Connection, digest: Digest, waiting: Iterable[WaitingPost]) -> dict[str, Any]:
    """Return what the topics of a digest that lists none are found by."""
    if digest.topics:
        return {}
    feeds = {each.feed_name: each.post.feed_id for each in waiting}
    return {
        "tags": tuple((name, last_tags(connection, feeds[name], LEARNED)) for name in sorted(feeds)),
        "sections": last_sections(connection, digest.slug, limit=_LAST),
    }


def _known(seen: PlanFacts) -> dict[str, Any]:
    return {"taken": seen.taken, "number": seen.number, "past": _past(seen)}


def _past(seen: PlanFacts) -> Past:
    sections = dict.fromkeys(slug for edition in seen.sections for slug, _, _ in edition)
    tags = {name: json.loads(text) for name, text in seen.tags}
    return Past(tags=tags, headings=tuple(sections))


def plan_from(seen: PlanFacts, plan_input: PlanInput, fits: Callable[[Edition], bool]) -> Plan:
    """Plan the edition; stories that do not fit into one email are carried over to the next edition."""
    if seen.there:
        return Plan(edition=None, reason=seen.there)
    digest, plan_input = plan_input.digest, replace(plan_input, **_known(seen))
    joined = join(seen.waiting, seen.published, plan_input)
    whole = planned = arrange(joined, plan_input)
    while planned.edition and not fits(planned.edition):
        fewer = sum(1 for _ in planned.edition.stories()) * 9 // 10
        if not fewer:
            return whole  # the number of stories is not the reason
        planned = arrange(joined, replace(plan_input, digest=replace(digest, maximum=fewer)))
    return planned


def _keep(connection: Connection, planned: Plan, digest: str, now: datetime) -> Composed:
    """Save the plan."""
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
