"""Feeds and posts: collect feeds that are due, list both, and keep posts that were held or dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from digest.collect.collect import collect
from digest.collect.discovery.found import Found
from digest.collect.fetching.fetch import fetch_all
from digest.collect.fetching.health import fallback_text, gap_text, hub_text, is_due, state_text
from digest.collect.fetching.websub import can_be_reached
from digest.collect.sources.ask import Terms, with_documents
from digest.config import Config
from digest.model.errors import NotFoundError
from digest.model.posts import CollectReport, FeedRow, PostState
from digest.model.run_context import RunContext
from digest.storage.database import Connection, Database
from digest.storage.feeds import feed_rows
from digest.storage.intake.decide import held_by_feed, held_posts, keep_posts, posts_beginning
from digest.storage.intake.hubs import hub_rows, pushes
from digest.storage.intake.pictures import with_reasons
from digest.storage.posts import PostRow, recent_posts

_SHORTEST = 4  # characters of an id


def collect_due(
    database: Database, config: Config, context: RunContext, *, force: bool = False
) -> CollectReport:
    """Fetch the feeds that are due, or all of them with `force`.

    A feed that has not answered when the run must stop counts as not fetched.
    """
    terms = Terms(limits=config.limits, now=context.clock(), fetch=partial(fetch_all, stop=context.stop))
    return collect(database, config.feeds, config.digests, terms, force=force, report=context.feed)


def collect_found(
    database: Database, config: Config, found: Sequence[Found], context: RunContext
) -> CollectReport:
    """Collect the feeds that are due. Those that a search has just found are not fetched a second time."""
    documents = {each.url: each.document for each in found if each.document}
    fetch = with_documents(documents, partial(fetch_all, stop=context.stop))
    terms = Terms(limits=config.limits, now=context.clock(), fetch=fetch)
    return collect(database, config.feeds, config.digests, terms, report=context.feed)


def due_feeds(database: Database, config: Config, now: datetime) -> tuple[str, ...]:
    """Return the names of the feeds that are due, also because their hubs have told of new posts."""
    with database.read() as connection:
        rows, pushed = {row.name: row for row in feed_rows(connection)}, pushes(connection)
    names = [feed.name for feed in config.feeds]
    return tuple(
        name for name in names if name not in rows or is_due(rows[name], now, pushed.get(rows[name].id))
    )


def collect_feed(database: Database, config: Config, name: str, context: RunContext) -> None:
    """Fetch a feed if it is due. Raises NotFoundError if it is no longer in the configuration."""
    feeds = [feed for feed in config.feeds if feed.name == name]
    if not feeds:
        raise NotFoundError("feed", name, tuple(feed.name for feed in config.feeds))
    terms = Terms(limits=config.limits, now=context.clock(), fetch=partial(fetch_all, stop=context.stop))
    collect(database, feeds, config.digests, terms, report=context.feed)


def collect_pushed(database: Database, config: Config, context: RunContext) -> None:
    """Fetch the feeds that are due because their hubs have told of new posts, and no others.

    This may be called every few seconds, also while other feeds are being collected.
    """
    now = context.clock()
    with database.read() as connection:
        pushed = pushes(connection)
        rows = [row for row in feed_rows(connection) if row.id in pushed] if pushed else []
    names = {row.name for row in rows if is_due(row, now, pushed[row.id])}
    feeds = [feed for feed in config.feeds if feed.name in names]
    if feeds:
        terms = Terms(limits=config.limits, now=now, fetch=partial(fetch_all, stop=context.stop))
        collect(database, feeds, config.digests, terms, report=context.feed)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """The state of a feed; `row` is None if it was never collected."""

    name: str
    row: FeedRow | None
    held: int = 0  # posts
    notes: tuple[str, ...] = ()  # sentences for an editor or operator at the command line
    worries: tuple[str, ...] = ()  # those of them that somebody should look at
    details: tuple[str, ...] = ()  # those that only describe how the feed is read
    state: str = "not collected yet."  # one sentence


def list_feeds(database: Database, config: Config, now: datetime) -> tuple[FeedStatus, ...]:
    """Return the status of each configured feed."""
    with database.read() as connection:
        rows = {row.name: row for row in feed_rows(connection)}
        held = held_by_feed(connection)
        hubs = {hub.feed_id: hub for hub in hub_rows(connection)}
    public = can_be_reached(config.site.base_url, config.limits.allow_hosts)
    found = []
    for feed in config.feeds:
        status = _status(feed.name, rows.get(feed.name), held.get(feed.name, ()), now)
        if status.row and (hub := hubs.get(status.row.id)):
            told = hub_text(hub, now, public=public)
            status = replace(status, notes=(*status.notes, told), details=(*status.details, told))
        found.append(status)
    return tuple(found)


def _status(name: str, row: FeedRow | None, held: Sequence[tuple[str, int]], now: datetime) -> FeedStatus:
    reasons = [f"{reason}." for reason, _ in held]
    decide = [f'To decide: digest posts keep "{name}", or: digest posts drop "{name}".'] if held else []
    gap = list(filter(None, [gap_text(row, now) if row else ""]))
    details = list(filter(None, [fallback_text(row) if row else ""]))
    return FeedStatus(
        name=name,
        row=row,
        held=sum(count for _, count in held),
        notes=(*reasons, *decide, *gap, *details),
        worries=(*reasons, *gap),
        details=tuple(details),
        state=state_text(row, now) if row else "not collected yet.",
    )


# ── posts ───────────────────────────────────────────────────────────────────────────────────


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
        found = recent_posts(connection, limit, feed=feed, digest=digest, state=wanted)
        return with_reasons(connection, found)


def keep(database: Database, config: Config, names: Sequence[str], now: datetime) -> int:
    """Let posts wait that are held or were dropped, and return their number.

    A name is a feed's, or the beginning of a post's id. A feed stands for its held posts. Raises
    NotFoundError.
    """
    with database.write() as connection:
        return keep_posts(connection, named_posts(connection, config, names), now)


def named_posts(connection: Connection, config: Config, names: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of posts by the names that `keep` takes. Raises NotFoundError."""
    found: list[str] = []
    feeds = tuple(feed.name for feed in config.feeds)
    for name in names:
        if name in feeds:
            found += held_posts(connection, name)
            continue
        ids = posts_beginning(connection, name) if len(name) >= _SHORTEST else ()
        if len(ids) != 1:
            raise NotFoundError("feed or post", name, feeds)
        found += ids
    return tuple(dict.fromkeys(found))
