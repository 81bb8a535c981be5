"""The verb collect: feeds that are due → documents → clean posts → the ledger."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.collect.fetching import health
from digest.collect.fetching.fetch import Exchange, Fetched, FetchFailure, FetchRequest, Result, fetch_all
from digest.collect.reading.identity import keep_known
from digest.collect.reading.parse import Document, Parsed, ParseFailure, parse
from digest.model.links import host_of
from digest.model.posts import CollectReport, FeedReport, FeedRow, FetchLimits
from digest.model.publication import Digest, Feed
from digest.storage.database import Database
from digest.storage.feeds import record_feeds, sync_feeds
from digest.storage.posts import Saved, enlist, posts_like, save_posts

Fetch = Callable[[Iterable[FetchRequest], FetchLimits], Iterator[Exchange]]
_NEW_FEED_SPAN = timedelta(days=7)  # a digest that gets a new feed gets the posts of this time

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A configured feed, its stored row, and the digests that use it."""

    feed: Feed
    row: FeedRow
    digests: tuple[str, ...]


def _ignore(report: FeedReport) -> None:
    """Ignore a report; it is the default for callers that do not show progress."""


def collect(
    database: Database,
    feeds: Sequence[Feed],
    digests: Sequence[Digest],
    *,
    limits: FetchLimits,
    now: datetime,
    force: bool = False,
    report: Callable[[FeedReport], None] = _ignore,
    fetch: Fetch = fetch_all,
) -> CollectReport:
    """Fetch the feeds that are due and save what is new.

        rows     ← the configured feeds, matched with the stored ones
        enlist     recent posts in digests that have a new feed
        due      ← rows whose time has come (all rows with `force`)
        for each due feed, as its answer arrives:
            outcome ← unchanged, or a failure, or clean posts
            save      new posts as waiting in each digest, and edited posts in place
            record    the feed's health and when it is next due
            report    what happened

    A feed that fails is a value in the report; it never stops the others. If `fetch` stops early, the feeds
    without an answer stay as they are.
    """
    sources = _prepare(database, feeds, digests, now)
    due = {source.row.id: source for source in sources if force or health.is_due(source.row, now)}
    reports = {source.row.id: _not_due(source.row) for source in sources if source.row.id not in due}
    for waiting in reports.values():
        report(waiting)
    for request, result in fetch(map(_request, due.values()), limits):
        done = _settle(database, due[request.feed_id], result, limits=limits, now=now)
        reports[request.feed_id] = done
        report(done)
    reported = [source.row.id for source in sources if source.row.id in reports]
    return CollectReport(feeds=tuple(reports[feed_id] for feed_id in reported))


def _prepare(
    database: Database, feeds: Sequence[Feed], digests: Sequence[Digest], now: datetime
) -> list[_Source]:
    """Match the feeds with their stored rows, and give digests the recent posts of their new feeds."""
    with database.write() as connection:
        rows = sync_feeds(connection, feeds, now)
        ids = {row.name: row.id for row in rows}
        for digest in digests:
            taken = [ids[feed.name] for feed in feeds if _takes(digest, feed)]
            enlist(connection, digest.slug, taken, now - _NEW_FEED_SPAN, now)
    return [
        _Source(feed=feed, row=row, digests=tuple(digest.slug for digest in digests if _takes(digest, feed)))
        for feed, row in zip(feeds, rows, strict=True)
    ]


def _takes(digest: Digest, feed: Feed) -> bool:
    return not digest.feeds or feed.name in digest.feeds


def _request(source: _Source) -> FetchRequest:
    row = source.row
    return FetchRequest(
        feed_id=row.id, url=health.address(row), etag=row.etag, last_modified=row.last_modified
    )


def _settle(
    database: Database, source: _Source, result: Result, *, limits: FetchLimits, now: datetime
) -> FeedReport:
    """Save the result of one feed; an error in reading the feed is a failure of this feed only."""
    outcome = _read(source, result, limits, now) if isinstance(result, Fetched) else result
    with database.write() as connection:
        saved = Saved(new=0, updated=0)
        if isinstance(outcome, Parsed):
            known = posts_like(connection, source.row.id, outcome.posts)
            saved = save_posts(connection, keep_known(outcome.posts, known), source.digests, now)
        row = _row_after(source.row, result, outcome, now)
        record_feeds(connection, [row])
    skipped = outcome.skipped if isinstance(outcome, Parsed) else ()
    for reason in skipped:
        log.info("feed %s: %s", row.name, reason)
    return _report(row, saved, len(skipped))


def _read(source: _Source, found: Fetched, limits: FetchLimits, now: datetime) -> Parsed | ParseFailure:
    document = Document(body=found.body, url=found.url, content_type=found.content_type)
    try:
        return parse(
            document, feed_id=source.row.id, now=now, tags=source.feed.tags, max_posts=limits.max_posts
        )
    except Exception as error:
        # The error's message is not logged, because it may quote the feed's address with its password.
        place = "".join(traceback.format_tb(error.__traceback__))
        log.error("feed %s: %s while reading\n%s", source.row.name, type(error).__name__, place)
        return ParseFailure("An error in this program stopped the reading; the log says where.")


def _row_after(
    row: FeedRow, result: Result, outcome: Result | Parsed | ParseFailure, now: datetime
) -> FeedRow:
    if isinstance(result, FetchFailure):
        return health.after_failure(
            row, now, detail=result.detail, status=result.status, retry_after=result.retry_after
        )
    if isinstance(outcome, ParseFailure):
        return health.after_failure(row, now, detail=outcome.detail)
    if isinstance(result, Fetched):
        answer = {"etag": result.etag, "last_modified": result.last_modified, "moved_to": result.moved_to}
        return health.after_success(row, now, **answer, detail=_moved(row, result.moved_to))
    return health.after_unchanged(row, now, moved_to=result.moved_to)


def _moved(row: FeedRow, moved_to: str | None) -> str:
    if moved_to is None or moved_to == row.final_url:
        return ""
    return f"The feed has moved permanently to {host_of(moved_to)} and is fetched from there from now on."


def _not_due(row: FeedRow) -> FeedReport:
    """Return the report of a feed that is not due: it was just fetched, or it pauses after a failure."""
    detail = row.detail or "The feed was fetched a moment ago and is not due yet."
    return FeedReport(feed=row.name, status="waiting", detail=detail, next_fetch_at=row.next_fetch_at)


def _report(row: FeedRow, saved: Saved, skipped: int) -> FeedReport:
    return FeedReport(
        feed=row.name,
        status=row.status,
        new=saved.new,
        updated=saved.updated,
        skipped=skipped,
        detail=row.detail,
        next_fetch_at=row.next_fetch_at,
    )
