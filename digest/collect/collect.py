"""The verb collect: feeds that are due → documents → clean posts → the ledger."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from digest.collect.complete import complete_posts
from digest.collect.fetching import health
from digest.collect.fetching.answers import Fetched, FetchFailure, NotModified
from digest.collect.fetching.websub import FIRST_PAUSE, in_headers, is_active
from digest.collect.intake import Source, enlisted, judged, next_cutoffs, takers_of, takes
from digest.collect.judge import Taker
from digest.collect.reading.identity import without_doubles
from digest.collect.reading.parse import Parsed
from digest.collect.sources.ask import Answer, Asked, Terms, ask, ask_page, failure_of, has_pages, is_no_page
from digest.model.posts import (
    CollectReport,
    FeedReport,
    FeedRow,
    Intake,
    PostState,
)
from digest.model.publication import Digest, Feed
from digest.storage.database import Database
from digest.storage.feeds import record_feeds, sync_feeds
from digest.storage.intake.hubs import hub_rows, note_hub
from digest.storage.intake.save import release_held, save_intake

TOGETHER = 100  # unchanged feeds that are saved in one transaction
PAGES = 5  # of a feed that has pages, if all posts of the pages before are new

_NOTHING = Intake()
_NO_ANSWER = FetchFailure(detail="There was no document; the feed is tried again later.")

log = logging.getLogger(__name__)


def _ignore(report: FeedReport) -> None:
    """Ignore a report; it is the default for callers that do not show progress."""


def collect(
    database: Database,
    feeds: Sequence[Feed],
    digests: Sequence[Digest],
    terms: Terms,
    *,
    force: bool = False,
    report: Callable[[FeedReport], None] = _ignore,
) -> CollectReport:
    """Fetch the feeds that are due and save what is new.

        rows     ← the configured feeds, matched with the stored ones
        enlist     recent posts in digests that have a new feed
        due      ← rows whose time has come (all rows with `force`)
        for each due feed, as its answer arrives from the first of its addresses that can be read:
            outcome ← unchanged, or a failure, or clean posts
            judge     which posts are new, changed, too old, held, protected or gone
            save      what this means for each post in each digest
            record    the feed's health and when it is next due
            report    what happened
        complete   waiting posts from their pages, where the feed is to be completed

    A feed that fails is a value in the report; it never stops the others. If `terms.fetch` stops early, the
    feeds without an answer stay as they are.
    """
    now = terms.now
    sources = _prepare(database, feeds, digests, now)
    due = {
        source.row.id: source
        for source in sources
        if force or health.is_due(source.row, now, source.pushed_at)
    }
    reports = {source.row.id: _not_due(source.row) for source in sources if source.row.id not in due}
    for waiting in reports.values():
        report(waiting)
    unsaved: list[FeedRow] = []
    for answer in ask([_asked(source, now) for source in due.values()], terms):
        source = due[answer.request.feed_id]
        if isinstance(answer.result, NotModified):
            row = _unchanged(source, answer, answer.result, now)
            unsaved = _saved(database, [*unsaved, row], TOGETHER)
            done = _report(row, _NOTHING, 0, now)
        else:
            done = _settle(database, source, answer, terms)
        reports[source.row.id] = done
        report(done)
    _saved(database, unsaved, 0)
    complete_posts(database, feeds, digests, terms)
    reported = [source.row.id for source in sources if source.row.id in reports]
    return CollectReport(feeds=tuple(reports[feed_id] for feed_id in reported))


def _prepare(
    database: Database, feeds: Sequence[Feed], digests: Sequence[Digest], now: datetime
) -> list[Source]:
    """Match the feeds with their stored rows, and give digests the recent posts of their new feeds."""
    with database.write() as connection:
        release_held(connection, now)
        rows = sync_feeds(connection, feeds, now)
        pushes = {each.feed_id: each.pushed_at for each in hub_rows(connection) if is_active(each, now)}
        takers = takers_of(connection, digests, now)
        cutoffs = {digest.slug: next_cutoffs(digest, now) for digest in digests}
        before = [
            _source(feed, row, [takers[digest.slug] for digest in digests if takes(digest, feed)], cutoffs)
            for feed, row in zip(feeds, rows, strict=True)
        ]
        sources = [enlisted(connection, source, now) for source in before]
        record_feeds(
            connection, [new.row for old, new in zip(before, sources, strict=True) if old is not new]
        )
    return [replace(source, pushed_at=pushes.get(source.row.id)) for source in sources]


def _source(
    feed: Feed, row: FeedRow, takers: Sequence[Taker], cutoffs: Mapping[str, Sequence[datetime]]
) -> Source:
    coming = sorted({cutoff for taker in takers for cutoff in cutoffs[taker.digest]})
    return Source(feed=feed, row=row, takers=tuple(takers), cutoffs=tuple(coming))


def _asked(source: Source, now: datetime) -> Asked:
    row = source.row
    return Asked(
        feed=source.feed,
        request=health.request(row, now),
        fallback=health.fallback(row, now),
        body_hash=row.body_hash,
    )


def _unchanged(source: Source, answer: Answer, found: NotModified, now: datetime) -> FeedRow:
    """Return the row of a feed that has not changed; its document is not read."""
    row = source.row
    after = health.after_unchanged(row, found, now, whole=answer.body_hash is not None)
    detail = health.moved_text(row, after)
    if detail or answer.fallback != row.fallback:  # to copy a row costs as much as all the rest
        after = replace(after, detail=detail, fallback=answer.fallback)
    return health.timed(after, now, source.cutoffs, pushed_at=source.pushed_at)


def _saved(database: Database, rows: list[FeedRow], most: int) -> list[FeedRow]:
    """Save the rows of unchanged feeds if there are more than `most`, and return those that are unsaved.

    A transaction for each feed would cost half of the time. If a row is lost, its feed is only asked again.
    """
    if len(rows) <= most:
        return rows
    with database.write() as connection:
        record_feeds(connection, rows)
    return []


def _settle(database: Database, source: Source, answer: Answer, terms: Terms) -> FeedReport:
    """Save the result of one feed; an error in reading the feed is a failure of this feed only."""
    shown = len(answer.parsed.posts) if isinstance(answer.parsed, Parsed) else 0
    if isinstance(answer.parsed, Parsed) and has_pages(answer):
        answer = replace(answer, parsed=_with_older_pages(database, source, answer, answer.parsed, terms))
    parsed, now = answer.parsed, terms.now
    intake = Intake()
    with database.write() as connection:
        if isinstance(parsed, Parsed):
            intake = judged(connection, source, parsed, now)
            save_intake(connection, intake, now)
            note_hub(connection, source.row.id, _hub(answer, parsed), now + FIRST_PAUSE)
        row = _row_after(source, answer, intake, shown, now)
        record_feeds(connection, [row])
    skipped = parsed.skipped if isinstance(parsed, Parsed) else ()
    for reason in skipped:
        log.info("feed %s: %s", row.name, reason)
    return _report(row, intake, len(skipped), now)


def _hub(answer: Answer, parsed: Parsed) -> tuple[str, str] | None:
    """Return the hub and the topic that the headers name, or else the document."""
    found = answer.result
    hub = (in_headers(found.links, found.url) if isinstance(found, Fetched) else None) or parsed.hub
    return (hub.url, hub.topic) if hub else None


def _with_older_pages(
    database: Database, source: Source, answer: Answer, parsed: Parsed, terms: Terms
) -> Parsed:
    """Add the next pages as long as all entries are new, so that none is missed."""
    page = answer
    for number in range(2, PAGES + 1):
        with database.read() as connection:
            gap = judged(connection, source, parsed, terms.now).gap
        if not gap:
            break
        if not has_pages(page):
            return replace(parsed, whole=True)
        following = ask_page(page, number, terms)
        if following and isinstance(following.parsed, Parsed) and following.parsed.posts:
            parsed = replace(parsed, posts=without_doubles((*parsed.posts, *following.parsed.posts)))
            page = following
        elif following and is_no_page(following):
            return replace(parsed, whole=True)
        else:
            break
    return parsed


def _row_after(source: Source, answer: Answer, intake: Intake, shown: int, now: datetime) -> FeedRow:
    row, parsed = source.row, answer.parsed
    if (
        (failure := failure_of(answer))
        or not isinstance(parsed, Parsed)
        or not isinstance(answer.result, Fetched)
    ):
        return health.after_failure(row, failure or _NO_ANSWER, now, source.cutoffs)
    row = replace(
        row, fallback=answer.fallback, wishes=replace(parsed.wishes, fresh=answer.result.fresh).written()
    )
    after = health.after_success(row, answer.result, now)
    if intake.gap and not parsed.whole:
        after = health.after_gap(after, now, shown)
    detail = " ".join(
        filter(None, (health.moved_text(row, after), *_left_out(intake), _unread(parsed.unread)))
    )
    after = replace(after, detail=detail, body_hash=answer.body_hash)
    if intake.missed:  # a post is gone if two documents in a row do not have it, however alike they are
        after = replace(after, etag=None, last_modified=None, body_hash=None)
    return health.timed(after, now, source.cutoffs, soon=bool(intake.missed), pushed_at=source.pushed_at)


def _left_out(intake: Intake) -> Iterator[str]:
    """Yield a sentence for each reason why new posts are not mailed by any digest."""
    reasons = Counter(each.fates[0].reason for each in intake.arrivals if each.state is PostState.DROPPED)
    for reason, count in reasons.items():
        yield f"{count} {'post is' if count == 1 else 'posts are'} not mailed: {reason}."


def _unread(reasons: Sequence[str]) -> str:
    """Return a sentence about the files of a folder that cannot be read."""
    others = "" if len(reasons) < 2 else f", and {len(reasons) - 1} more"
    return f"Left out: {reasons[0]}{others}." if reasons else ""


def _not_due(row: FeedRow) -> FeedReport:
    """Return the report of a feed that is not due: it was fetched, or it pauses after a failure."""
    pace = f": it is fetched {row.pace}" if row.pace else ""
    detail = row.detail or f"The feed is not due yet{pace}."
    return FeedReport(feed=row.name, status="waiting", detail=detail, next_fetch_at=row.next_fetch_at)


def _report(row: FeedRow, intake: Intake, skipped: int, now: datetime) -> FeedReport:
    states = Counter(each.state for each in intake.arrivals)
    held = f"{intake.held}." if intake.held else ""
    notes = (row.detail, held, health.gap_text(row, now), health.fallback_text(row))
    return FeedReport(
        feed=row.name,
        status=row.status,
        new=len(intake.arrivals) - states[PostState.DROPPED] - states[PostState.HELD],
        updated=len(intake.edited),
        dropped=states[PostState.DROPPED],
        held=states[PostState.HELD],
        skipped=skipped,
        detail=" ".join(filter(None, notes)),
        next_fetch_at=row.next_fetch_at,
    )
