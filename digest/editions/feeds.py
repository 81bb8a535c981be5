"""Feeds and posts for editors and operators: collect feeds that are due, list feeds and posts."""

from __future__ import annotations

from functools import partial

from digest.collect.collect import collect
from digest.collect.fetching.fetch import fetch_all
from digest.config import Config
from digest.model.errors import NotFoundError
from digest.model.posts import CollectReport, FeedRow, PostState
from digest.model.run_context import RunContext
from digest.storage.database import Database
from digest.storage.feeds import feed_rows
from digest.storage.posts import PostRow, recent_posts


def collect_due(
    database: Database, config: Config, context: RunContext, *, force: bool = False
) -> CollectReport:
    """Fetch the feeds that are due, or all of them with `force`.

    A feed that has not answered when the run must stop counts as not fetched.
    """
    return collect(
        database,
        config.feeds,
        config.digests,
        limits=config.limits,
        now=context.clock(),
        force=force,
        report=context.feed,
        fetch=partial(fetch_all, stop=context.stop),
    )


def list_feeds(database: Database, config: Config) -> tuple[tuple[str, FeedRow | None], ...]:
    """Return the name and the state of each configured feed; the state is None if it was never collected."""
    with database.read() as connection:
        rows = {row.name: row for row in feed_rows(connection)}
    return tuple((feed.name, rows.get(feed.name)) for feed in config.feeds)


def list_posts(
    database: Database, config: Config, limit: int, *, feed: str | None, digest: str | None, state: str | None
) -> tuple[PostRow, ...]:
    """Return the posts that were found last, of all or of one feed, digest or state.

    Raises NotFoundError for a feed or digest that is not configured.
    """
    names = tuple(each.name for each in config.feeds)
    if feed is not None and feed not in names:
        raise NotFoundError("feed", feed, names)
    if digest is not None:
        config.digest(digest)
    wanted = PostState(state) if state else None
    with database.read() as connection:
        return tuple(recent_posts(connection, limit, feed=feed, digest=digest, state=wanted))
