"""Read what the overview of the desk shows of each digest: its editions, its posts and its readers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select

from digest.model.editions import OPEN, PUBLIC, EditionState
from digest.model.posts import PostState
from digest.storage.tables.editions import editions
from digest.storage.tables.posts import digest_posts, feeds, posts
from subscribers.model import Frequency
from subscribers.rules.bounces import BounceKind
from subscribers.store.tables import bounces

_WAITS = (PostState.WAITING, PostState.HELD, PostState.DEFERRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostCounts:
    """The number of posts of a digest in each state, and when the oldest of those that wait was seen."""

    by_state: Mapping[PostState, int]
    oldest_at: datetime | None = None

    def of(self, *states: PostState) -> int:
        """Return how many posts are in one of `states`."""
        return sum(self.by_state.get(state, 0) for state in states)

    @property
    def waiting(self) -> int:
        """Return how many posts wait, are held or are deferred."""
        return self.of(*_WAITS)


def post_counts(connection: Connection, digest: str) -> PostCounts:
    """Count the posts of a digest by state."""
    of_digest = digest_posts.c.digest == digest
    rows = connection.execute(
        select(digest_posts.c.state, func.count()).where(of_digest).group_by(digest_posts.c.state)
    )
    oldest = select(func.min(posts.c.first_seen_at)).join_from(digest_posts, posts)
    return PostCounts(
        by_state={PostState(state): number for state, number in rows},
        oldest_at=connection.scalar(oldest.where(of_digest, digest_posts.c.state.in_(_WAITS))),
    )


def held_count(connection: Connection, digests: Collection[str]) -> int:
    """Count the posts that are held in any of some digests."""
    held = (digest_posts.c.state == PostState.HELD) & digest_posts.c.digest.in_(digests)
    return connection.scalar(select(func.count(digest_posts.c.post_id.distinct())).where(held)) or 0


def open_ids(connection: Connection, digest: str) -> tuple[str, ...]:
    """Return the ids of the editions of a digest that may still go out or are being sent, oldest first."""
    found = select(editions.c.id).where(editions.c.digest == digest, editions.c.state.in_(OPEN))
    return tuple(connection.scalars(found.order_by(editions.c.send_at, editions.c.id)))


def last_gone_out(connection: Connection, digest: str) -> str | None:
    """Return the id of the edition of a digest that was sent last; None if there is none."""
    own = editions.c.digest == digest, editions.c.frequency == Frequency.EACH
    sent = select(editions.c.id).where(*own, editions.c.state.in_(PUBLIC))
    last: str | None = connection.scalar(sent.order_by(editions.c.started_at.desc()).limit(1))
    return last


def edition_state(connection: Connection, edition_id: str) -> EditionState | None:
    """Return the state of an edition; None if there is no edition with this id."""
    state = connection.scalar(select(editions.c.state).where(editions.c.id == edition_id))
    return EditionState(state) if state else None


def bounced(connection: Connection, edition_id: str, since: datetime) -> int:
    """Count the messages of an edition that came back."""
    own: tuple[ColumnElement[bool], ...] = (bounces.c.at >= since, bounces.c.edition == edition_id)
    of_edition = select(func.count(bounces.c.address_hash.distinct())).where(*own)
    return connection.scalar(of_edition.where(bounces.c.kind != BounceKind.COMPLAINT)) or 0


def failing_feeds(connection: Connection) -> tuple[str, ...]:
    """Return the names of the feeds that did not answer the last time."""
    found = select(feeds.c.name).where(feeds.c.failures > 0).order_by(feeds.c.name)
    return tuple(connection.scalars(found))
