"""Feeds and posts: collect feeds that are due, list both, and decide about posts, also those in drafts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from digest.collect.collect import collect
from digest.collect.fetching.fetch import fetch_all
from digest.collect.fetching.health import fallback_text, gap_text, hub_text, is_due, state_text
from digest.collect.fetching.websub import can_be_reached
from digest.collect.sources.ask import Terms
from digest.compose.revise import StoryChange, changes_of, revised, without_posts
from digest.config import Config
from digest.config.parts import Parts
from digest.editions.compose import picture_time, settle_posts
from digest.model.editions import EditionRecord, refusal
from digest.model.errors import NotFoundError, StateError
from digest.model.posts import BY_EDITOR, CollectReport, FeedRow, PostState
from digest.model.run_context import RunContext
from digest.storage.database import Connection, Database
from digest.storage.editions import load_edition, lock_edition
from digest.storage.feeds import feed_rows
from digest.storage.intake.decide import (
    drop_posts,
    editions_with,
    held_by_feed,
    held_posts,
    keep_posts,
    posts_beginning,
    posts_by_id,
)
from digest.storage.intake.hubs import hub_rows, pushes
from digest.storage.intake.pictures import with_reasons
from digest.storage.posts import PostRow, recent_posts
from digest.storage.steps import revise

_SHORTEST = 4  # characters of an id


def collect_due(
    database: Database, config: Config, context: RunContext, *, force: bool = False
) -> CollectReport:
    """Fetch the feeds that are due, or all of them with `force`.

    A feed that has not answered when the run must stop counts as not fetched.
    """
    terms = Terms(limits=config.limits, now=context.clock(), fetch=partial(fetch_all, stop=context.stop))
    return collect(database, config.feeds, config.digests, terms, force=force, report=context.feed)


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
    notes: tuple[str, ...] = ()  # sentences for an editor or operator
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
            status = replace(status, notes=(*status.notes, hub_text(hub, now, public=public)))
        found.append(status)
    return tuple(found)


def _status(name: str, row: FeedRow | None, held: Sequence[tuple[str, int]], now: datetime) -> FeedStatus:
    notes = [f"{reason}." for reason, _ in held]
    if held:
        notes.append(f'To decide: digest posts keep "{name}", or: digest posts drop "{name}".')
    if row:
        notes += filter(None, (gap_text(row, now), fallback_text(row)))
    return FeedStatus(
        name=name,
        row=row,
        held=sum(count for _, count in held),
        notes=tuple(notes),
        state=state_text(row, now) if row else "not collected yet.",
    )


# ── posts ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The result of a decision: the number of posts, and the drafts from which stories were taken out."""

    posts: int
    revised: tuple[str, ...] = ()


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


def keep(database: Database, config: Config, names: Sequence[str], now: datetime) -> Decided:
    """Let posts wait that are held or were dropped. A name is a feed's, or the beginning of a post's id.

    A feed stands for its held posts. Raises NotFoundError.
    """
    with database.write() as connection:
        return Decided(posts=keep_posts(connection, _named(connection, config, names), now))


def drop(database: Database, config: Config, names: Sequence[str], now: datetime) -> Decided:
    """Drop posts, and take their stories out of editions that have not begun to be sent.

    The names are those of `keep`. An edition that is changed is a draft again. Raises NotFoundError, and
    StateError if an edition would have no story left.
    """
    with database.write() as connection:
        ids = _named(connection, config, names)
        changed: list[str] = []
        for edition_id in editions_with(connection, ids):
            record = lock_edition(connection, edition_id)
            if record.is_ahead:
                _apply(connection, record, without_posts(record.edition, ids, BY_EDITOR), now)
                changed.append(edition_id)
        taken_out = drop_posts(connection, ids, now)
        return Decided(posts=taken_out, revised=tuple(changed))


def changes_since(database: Database, record: EditionRecord) -> tuple[StoryChange, ...]:
    """Return what has happened to the stories of an edition that has not begun to be sent."""
    if not record.is_ahead:
        return ()
    with database.read() as connection:
        return _changes(connection, record)


def correct(parts: Parts, edition_id: str, now: datetime) -> tuple[StoryChange, ...]:
    """Take the new words of changed posts into an edition, and stories that are gone out of it.

    New pictures are inspected first. The edition has another hash then, so its approval is void. Raises
    StateError if it has begun to be sent, or if no story would be left.
    """
    with parts.database.read() as connection:
        known = load_edition(connection, edition_id)
    changed = changes_since(parts.database, known)
    new = [each.story.id for each in changed if each.story.image != each.before.image]
    settle_posts(parts, new, picture_time(), now)
    with parts.database.write() as connection:
        record = lock_edition(connection, edition_id)
        if not record.is_ahead:
            raise refusal(record, "corrected")
        changes = _changes(connection, record)
        if changes:
            _apply(connection, record, changes, now)
        return changes


def _changes(connection: Connection, record: EditionRecord) -> tuple[StoryChange, ...]:
    stories = tuple(record.edition.stories())
    ids = {story.id for story in stories} | {each.post_id for story in stories for each in story.coverage}
    return changes_of(record.edition, posts_by_id(connection, ids))


def _apply(
    connection: Connection, record: EditionRecord, changes: Sequence[StoryChange], now: datetime
) -> None:
    edition = revised(record.edition, changes)
    if edition is None:
        raise StateError(
            record.edition.id,
            "made of nothing else",
            "emptied",
            advice=f"cancel it: digest cancel {record.edition.id}",
        )
    left = {post_id for story in edition.stories() for post_id in story.post_ids}
    before = {post_id for story in record.edition.stories() for post_id in story.post_ids}
    gone = {change.before.id: change.gone for change in changes if change.gone}
    # The other posts of such a story may carry it into the next edition.
    fates = {post_id: gone.get(post_id, "") for post_id in before - left}
    revise(connection, record, edition, fates, now)


def _named(connection: Connection, config: Config, names: Sequence[str]) -> tuple[str, ...]:
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
