"""Plan an edition again, with the posts that have arrived since, and apply its edits again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from digest.compose.compose import PlanFacts, plan_from, read_facts
from digest.compose.edits.apply import apply, fates
from digest.compose.optimistic import Steps, plan_and_keep
from digest.compose.plan import Plan, PlanInput
from digest.editions.compose import picture_time, settle_posts
from digest.editions.edits.edited import EditedEdition, rebased, with_edits
from digest.editions.edits.edits import Change, leaving, locked, save
from digest.editions.parts import EditionParts
from digest.editions.preflight import fits_in_an_email
from digest.model.editions import EDITED, Composed, Due, Edition, EditionRecord, StepCause, refusal
from digest.model.errors import EditRefusedError, NoEditionError
from digest.model.posts import PostState
from digest.storage.database import Connection
from digest.storage.editions.lists import last_edition
from digest.storage.editions.records import load_edition
from digest.storage.edits.edits import is_merged
from digest.storage.posts import set_posts

_VOID = "it was planned again after it was approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """All that the new plan is made from: the edition with its edits, and its posts and those that wait."""

    edited: EditedEdition
    facts: PlanFacts


def refresh(parts: EditionParts, slug: str, now: datetime, *, by: str = "") -> Composed:
    """Plan the newest edition of a digest again: its posts and those that wait make a new base.

        read the edition, its edits, its posts and the waiting posts
        with no transaction open:
            plan                            → a new base; what editors have taken out does not need room
        in one write transaction, the only one for this digest:
            what was read has changed?      → read and plan again
            apply the edits to the new base → the snapshot; stale edits are listed by `digest edits`
            the posts follow; those that find no room wait again

    If the base would be the same, nothing changes, and an approval stays. `by` names the editor. Raises
    NotFoundError, StateError if the edition has begun to be sent or is over, and EditRefusedError for a
    merged edition.
    """
    record = _newest(parts, slug)
    plan_input, edition_id = _plan_input(parts, record.edition, now), record.edition.id
    steps = Steps(
        read=lambda connection: _read(connection, plan_input, edition_id, now),
        plan=lambda seen: _plan(parts, plan_input, seen),
        keep=lambda connection, planned: _keep(connection, planned, _Kept(edition_id, now, by)),
    )
    with parts.database.read() as connection:
        seen = steps.read(connection)
    known = fates(seen.edited.applied)
    new = [post_id for post_id in steps.plan(seen).used if post_id not in known]
    settle_posts(parts, new, picture_time(), now)
    return plan_and_keep(parts.database, slug, steps)


def _newest(parts: EditionParts, slug: str) -> EditionRecord:
    """Return the edition that is planned again: the newest of the digest."""
    parts.config.digest(slug)
    with parts.database.read() as connection:
        record = last_edition(connection, slug)
        if record is None:
            raise NoEditionError(slug)
        if not record.is_ahead:
            raise refusal(record, EDITED)
        if is_merged(connection, record.edition.id):
            why = "it was merged from several editions, so it cannot be planned again"
            raise EditRefusedError(record.edition.id, why)
    return record


def _plan_input(parts: EditionParts, edition: Edition, now: datetime) -> PlanInput:
    config = parts.config
    cutoff_at = max(edition.cutoff_at, min(now, edition.send_at))
    due = Due(local_date=edition.local_date, cutoff_at=cutoff_at, send_at=edition.send_at)
    digest = config.digest(edition.digest)
    return PlanInput(digest=digest, site=config.site, due=due, topics=config.topics, feeds=config.feeds)


def _read(connection: Connection, plan_input: PlanInput, edition_id: str, now: datetime) -> _Seen:
    edited = with_edits(connection, load_edition(connection, edition_id))
    return _Seen(edited=edited, facts=read_facts(connection, plan_input, now, again=edition_id))


def _plan(parts: EditionParts, plan_input: PlanInput, seen: _Seen) -> Plan:
    """Plan a base. Stories that editors have taken out get places of their own, so that no other is lost."""

    def fits(base: Edition) -> bool:
        return fits_in_an_email(parts.render, apply(base, seen.edited.edits).edition)

    maximum, before = plan_input.digest.maximum, seen.edited.base
    plan_input = replace(plan_input, leaders=frozenset(story.id for story in before.stories()))
    for room in dict.fromkeys((maximum + len(seen.edited.applied.taken_out), maximum)):
        digest = replace(plan_input.digest, maximum=room)
        planned = plan_from(seen.facts, replace(plan_input, digest=digest), fits)
        if planned.edition is None:
            return planned
        left = apply(planned.edition, seen.edited.edits).edition.stories()
        planned_ids = {story.id for story in planned.edition.stories()}
        # The editors' own stories, and those that they have split off, need no room.
        if sum(story.id in planned_ids for story in left) <= maximum:
            break
    assert planned.edition
    return replace(planned, edition=replace(planned.edition, id=before.id, number=before.number))


class _Kept(NamedTuple):
    """Where and when a new plan is kept, and for whom."""

    edition_id: str
    now: datetime
    by: str


def _keep(connection: Connection, planned: Plan, kept: _Kept) -> Composed:
    before, now = locked(connection, kept.edition_id), kept.now
    counts = {"used": len(planned.used), "carried": len(planned.carried), "dropped": len(planned.dropped)}
    if planned.edition is None:
        return Composed(record=None, reason=planned.reason, **counts)
    if replace(planned.edition, cutoff_at=before.base.cutoff_at) == before.base:
        return Composed(record=before.record, reason="nothing has changed since it was composed", **counts)
    after = rebased(before, planned.edition)
    # Posts that an editor has taken out of the edition stay out, also if they found no place in the new base.
    held = {post_id for post_id, fate in fates(before.applied).items() if fate.state is PostState.RESERVED}
    out = fates(before.applied).keys() - held
    dropped = {post_id: why for post_id, why in planned.dropped if post_id not in out}
    arrived = {each: (PostState.DROPPED, why) for each, why in dropped.items() if each not in held}
    set_posts(connection, planned.edition.digest, arrived, None, now)
    left = {
        post_id: leaving(planned.edition.digest, dropped.get(post_id, ""))
        for post_id in held - fates(after.applied).keys()
    }
    rebase = StepCause(at=now, by=kept.by, why="refreshed it")
    change = Change(void=StepCause(at=now, why=_VOID), rebase=rebase, left=left)
    saved = save(connection, before, after, change)
    return Composed(record=saved.record, reason="", **counts)
