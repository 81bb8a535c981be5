"""Save what a document does to the posts of its feed, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from digest.model.links import canonical_url
from digest.model.posts import GONE, GONE_AFTER, PROTECTED, Arrival, Fate, Intake, PageFacts, Post, PostState
from digest.storage.posts import batches, post_values
from digest.storage.tables.posts import digest_posts, pages, posts
from subscribers.store.tables import upsert

WAITS = (PostState.WAITING, PostState.DEFERRED, PostState.HELD)  # not in an edition yet


def save_intake(connection: Connection, intake: Intake, now: datetime) -> None:
    """Save new and changed posts, and drop or restore those that are gone, protected, or back.

    A post that is part of an edition stays in it: only its editor may change a draft.
    """
    _change(connection, intake.changed, now)
    _insert(connection, intake.arrivals, now)
    _miss(connection, intake.missed, now)
    _restore(connection, intake.returned, GONE, now)
    _reset(connection, intake.returned)
    readable = sorted(intake.edited.difference(intake.protected))
    _restore(connection, readable, PROTECTED, now)
    _drop(connection, intake.protected, PROTECTED, now)


def save_fates(connection: Connection, fates: Sequence[tuple[str, Fate]], now: datetime) -> None:
    """Save the fates of posts, which are given by their ids; those that are saved already stay."""
    if fates:
        rows = [
            {
                "digest": fate.digest,
                "post_id": post_id,
                "state": fate.state,
                "reason": fate.reason,
                "held_until": fate.until,
                "changed_at": now,
            }
            for post_id, fate in fates
        ]
        connection.execute(upsert(connection, digest_posts).on_conflict_do_nothing(), rows)


def save_page(connection: Connection, page: PageFacts, post: Post, now: datetime) -> None:
    """Remember the page of a post, and save the post that is completed from it.

    Another node may have done the same.
    """
    row = {
        "url": canonical_url(post.url or ""),
        "fetched_at": now,
        "blurb": page.blurb,
        "image": asdict(page.image) if page.image else None,
        "pictures": [asdict(each) for each in page.pictures],
    }
    connection.execute(upsert(connection, pages).values(row).on_conflict_do_nothing())
    _change(connection, [post], now)


def release_held(connection: Connection, now: datetime) -> None:
    """Let posts wait whose time on hold is over, because nobody has decided about them."""
    over = digest_posts.c.state == PostState.HELD, digest_posts.c.held_until <= now
    connection.execute(update(digest_posts).where(*over).values(_set(PostState.WAITING, "", now)))


def _insert(connection: Connection, arrivals: Sequence[Arrival], now: datetime) -> None:
    """Insert new posts; another node may have inserted some of them in the meantime."""
    if not arrivals:
        return
    rows = [
        {
            **post_values(each.post),
            "id": each.post.id,
            "first_seen_at": each.post.first_seen_at,
            "updated_at": now,
            "place": each.place,
        }
        for each in arrivals
    ]
    fresh = upsert(connection, posts).on_conflict_do_nothing().returning(posts.c.id)
    ids = set(connection.scalars(fresh, rows))
    fates = [(each.post.id, fate) for each in arrivals if each.post.id in ids for fate in each.fates]
    save_fates(connection, fates, now)


def _change(connection: Connection, changed: Sequence[Post], now: datetime) -> None:
    if changed:
        rows = [{**post_values(post), "row_id": post.id, "updated_at": now} for post in changed]
        connection.execute(update(posts).where(posts.c.id == bindparam("row_id")), rows)


def _miss(connection: Connection, ids: Sequence[str], now: datetime) -> None:
    for part in batches(ids):
        connection.execute(update(posts).where(posts.c.id.in_(part)).values(missed=posts.c.missed + 1))
        gone = select(posts.c.id).where(posts.c.id.in_(part), posts.c.missed >= GONE_AFTER)
        _drop(connection, list(connection.scalars(gone)), GONE, now)


def _reset(connection: Connection, ids: Sequence[str]) -> None:
    for part in batches(ids):
        connection.execute(update(posts).where(posts.c.id.in_(part)).values(missed=0))


def _drop(connection: Connection, ids: Sequence[str], reason: str, now: datetime) -> None:
    for part in batches(ids):
        waits = digest_posts.c.post_id.in_(part), digest_posts.c.state.in_(WAITS)
        values = _set(PostState.DROPPED, reason, now)
        connection.execute(update(digest_posts).where(*waits).values(values))


def _restore(connection: Connection, ids: Sequence[str], reason: str, now: datetime) -> None:
    for part in batches(ids):
        dropped = digest_posts.c.state == PostState.DROPPED, digest_posts.c.reason == reason
        restored = digest_posts.c.post_id.in_(part), *dropped
        connection.execute(update(digest_posts).where(*restored).values(_set(PostState.WAITING, "", now)))


def _set(state: PostState, reason: str, now: datetime) -> dict[str, object]:
    return {"state": state, "reason": reason, "held_until": None, "changed_at": now}
