"""A database with posts that wait in the daily digest, for tests from the posts to the edition."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select

from digest.compose.compose import compose
from digest.compose.merge import Merged, MergeInput, merge, waiting_editions
from digest.compose.plan import PlanInput
from digest.model.editions import Composed, Due, Edition
from digest.model.posts import Arrival, Fate, Intake, PostState, WaitingPost
from digest.model.publication import Digest, Feed, Topic
from digest.storage.database import Database
from digest.storage.feeds import sync_feeds
from digest.storage.intake.save import save_intake
from digest.storage.tables.posts import digest_posts
from tests.compose.samples import DAILY, DUE, FEEDS, NOW, SITE

FEED_LIST = tuple(Feed(name=name, url=f"https://feeds.example.org/{n}") for n, name in enumerate(FEEDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Newsroom:
    """The steps of these tests: publish posts, compose an edition, look at the states."""

    database: Database

    def publish(self, *waiting: WaitingPost, now: datetime = NOW) -> None:
        with self.database.write() as connection:
            ids = {row.name: row.id for row in sync_feeds(connection, FEED_LIST, now)}
            posts = [replace(each.post, feed_id=ids[each.feed_name]) for each in waiting]
            waits = (Fate(digest=DAILY.slug, state=PostState.WAITING),)
            arrivals = tuple(Arrival(post=post, place=0, fates=waits) for post in posts)
            save_intake(connection, Intake(arrivals=arrivals), now)

    def edit(self, waiting: WaitingPost) -> None:
        """Publish a post again, edited."""
        with self.database.write() as connection:
            ids = {row.name: row.id for row in sync_feeds(connection, FEED_LIST, NOW)}
            post = replace(waiting.post, feed_id=ids[waiting.feed_name])
            save_intake(connection, Intake(changed=(post,), edited=frozenset([post.id])), NOW)

    def compose(
        self,
        digest: Digest = DAILY,
        *,
        topics: Iterable[Topic] = (),
        day: int = 0,
        fits: Callable[[Edition], bool] = lambda _: True,
    ) -> Composed:
        """Compose the edition that is due `day` days after the first one."""
        later = timedelta(days=day)
        due = Due(
            local_date=DUE.local_date + later, cutoff_at=DUE.cutoff_at + later, send_at=DUE.send_at + later
        )
        plan_input = PlanInput(digest=digest, site=SITE, due=due, topics=tuple(topics), feeds=FEED_LIST)
        return compose(self.database, plan_input, now=NOW + later, fits=fits)

    def merge(
        self, digest: Digest = DAILY, *, day: int = 0, fits: Callable[[Edition], bool] = lambda _: True
    ) -> Merged:
        """Merge the editions whose send time has passed when the one of this day is due."""
        now = DUE.send_at + timedelta(days=day)
        with self.database.read() as connection:
            waiting = waiting_editions(connection, digest.slug, now)
        return merge(self.database, MergeInput(waiting=waiting, digest=digest, site=SITE), now=now, fits=fits)

    def states(self) -> dict[str, tuple[PostState, str | None, str]]:
        """Return the state of every post, with its edition and the reason."""
        columns = (
            digest_posts.c.post_id,
            digest_posts.c.state,
            digest_posts.c.edition_id,
            digest_posts.c.reason,
        )
        with self.database.read() as connection:
            return {
                post_id: (PostState(state), edition_id, reason)
                for post_id, state, edition_id, reason in connection.execute(select(*columns))
            }


def meanwhile(*actions: Callable[[], object]) -> Callable[[Edition], bool]:
    """Return a `fits` that accepts every edition; each call runs the next of `actions` first."""
    remaining = list(actions)

    def fits(_edition: Edition) -> bool:
        if remaining:
            remaining.pop(0)()
        return True

    return fits


def is_locked(database: Database) -> bool:
    """Return whether another process would have to wait: to write on SQLite, to compose on PostgreSQL."""
    if database.engine.dialect.name == "postgresql":
        held = (
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
            " WHERE locktype = 'advisory' AND datname = current_database()"
        )
        with database.read() as connection:
            return bool(connection.exec_driver_sql(held).scalar())
    with closing(sqlite3.connect(str(database.engine.url.database), timeout=0)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        return False
