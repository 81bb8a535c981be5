"""Read what editors should know of an edition besides its snapshot, and keep who is looking at it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from digest.model.errors import NotFoundError
from digest.model.posts import PostState
from digest.storage.posts import batches
from digest.storage.tables.desk import presences
from digest.storage.tables.editions import editions, edits, steps
from digest.storage.tables.posts import digest_posts, feeds, posts
from subscribers.store.tables import upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class PostTimes:
    """When a post was first seen, when its words changed last, and when its feed answered last."""

    first_seen_at: datetime
    updated_at: datetime
    looked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """A person who is looking at an edition: at which story or topic, and with text that is not saved."""

    person: str  # an id of the staff
    name: str
    place: str  # the id of a story, the slug of a topic, or ""
    unsaved: bool
    seen_at: datetime


def times_of(connection: Connection, post_ids: Collection[str]) -> dict[str, PostTimes]:
    """Return the times of posts by their ids; posts that are not stored are left out."""
    query = select(posts.c.id, posts.c.first_seen_at, posts.c.updated_at, feeds.c.last_ok_at).join(feeds)
    return {
        post_id: PostTimes(first_seen_at=first, updated_at=updated, looked_at=looked)
        for part in batches(sorted(post_ids))
        for post_id, first, updated, looked in connection.execute(query.where(posts.c.id.in_(part)))
    }


def composed_at(connection: Connection, edition_id: str) -> datetime:
    """Return the first cutoff of an edition; the cutoff in its base is later if it was planned again."""
    found: datetime = connection.execute(
        select(editions.c.cutoff_at).where(editions.c.id == edition_id)
    ).scalar_one()
    return found


def state_of(connection: Connection, edition_id: str) -> str:
    """Return a text that changes with an edition's edits, steps, words and state.

    Its snapshot is not read. Raises NotFoundError.
    """
    number = select(func.count()).where(edits.c.edition_id == editions.c.id).scalar_subquery()
    taken = select(func.count()).where(steps.c.edition_id == editions.c.id).scalar_subquery()
    columns = editions.c.hash, editions.c.state, editions.c.paused_at, editions.c.look
    row = connection.execute(select(number, taken, *columns).where(editions.c.id == edition_id)).one_or_none()
    if row is None:
        raise NotFoundError("edition", edition_id)
    count, step_count, words, state, paused_at, look = row
    return f"{count}-{step_count}-{words[:12]}-{state}{'-held' if paused_at else ''}-{(look or '')[:12]}"


def arrived_since(connection: Connection, digest: str, since: datetime) -> int:
    """Count the posts that wait in a digest and were first seen later than `since`."""
    new = digest_posts.c.digest == digest, digest_posts.c.state == PostState.WAITING
    query = select(func.count()).select_from(digest_posts.join(posts))
    return connection.execute(query.where(*new, posts.c.first_seen_at > since)).scalar_one()


# ── who is here ─────────────────────────────────────────────────────────────────────────────


def keep_presence(connection: Connection, edition_id: str, presence: Presence) -> None:
    """Save where a person is in an edition; the last place counts."""
    new = {
        "name": presence.name,
        "place": presence.place,
        "unsaved": presence.unsaved,
        "seen_at": presence.seen_at,
    }
    row = {"edition_id": edition_id, "person": presence.person, **new}
    keys = [presences.c.edition_id, presences.c.person]
    step = upsert(connection, presences).values(row)
    connection.execute(step.on_conflict_do_update(index_elements=keys, set_=new))


def forget_presences(connection: Connection, before: datetime) -> None:
    """Delete the presences of people who were not seen since."""
    connection.execute(delete(presences).where(presences.c.seen_at < before))


def presences_in(connection: Connection, edition_id: str, since: datetime) -> tuple[Presence, ...]:
    """Return the people who were seen in an edition since a time, by their names."""
    here = presences.c.edition_id == edition_id, presences.c.seen_at >= since
    query = select(presences).where(*here).order_by(presences.c.name, presences.c.person)
    return tuple(
        Presence(person=row.person, name=row.name, place=row.place, unsaved=row.unsaved, seen_at=row.seen_at)
        for row in connection.execute(query)
    )
