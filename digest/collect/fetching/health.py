"""Decide the state of a feed after a fetch: its status, its validators, and when it is next due."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from digest.model.posts import FeedRow

EVERY = timedelta(minutes=15)
EVERY_IF_BUSY = timedelta(minutes=5)
BUSY_FOR = timedelta(days=7)  # after all entries of a document were new
SLACK = timedelta(minutes=1)  # so that the feed is due even if the scheduler runs a little early
FIRST_PAUSE = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(hours=24)
GONE_PAUSE = timedelta(days=7)  # a removed feed is still tried, because publishers make mistakes
_LOST = frozenset([404, 410])


def is_due(row: FeedRow, now: datetime) -> bool:
    """Return whether a feed is due. A feed that was never fetched is always due."""
    # Another process or thread, whose clock is a little ahead, may have added the feed a moment ago.
    return row.last_fetch_at is None or row.next_fetch_at <= now


def address(row: FeedRow) -> str:
    """Return the address to fetch next: where the feed has moved to, and after a failure also where it was.

    The two take turns as long as the feed fails, because a new address may be parked while the old one works.
    """
    return row.final_url if row.final_url and row.failures % 2 == 0 else row.url


def fallback(row: FeedRow, now: datetime) -> str:
    """Return why the feed of a WordPress site is still asked at once, or "": its REST interface is asked.

    The first fetch of a day asks the interface again.
    """
    is_first_today = row.last_fetch_at is None or row.last_fetch_at.date() != now.date()
    return "" if is_first_today or row.failures else row.fallback


def fallback_text(row: FeedRow) -> str:
    """Return one sentence if the feed of a WordPress site is read instead of its REST interface."""
    if not row.fallback:
        return ""
    return (
        f"The site's feed is read until tomorrow, because its REST interface is not usable: {row.fallback}."
    )


def is_ahead(row: FeedRow, limit: datetime) -> bool:
    """Return whether a feed was fetched later than `limit`, or waits longer after it than any pause."""
    waits_too_long = row.next_fetch_at > limit + (GONE_PAUSE if row.last_fetch_at else timedelta(0))
    return waits_too_long or (row.last_fetch_at is not None and row.last_fetch_at > limit)


def released(row: FeedRow, limit: datetime, now: datetime) -> FeedRow:
    """Return the row of a feed that is ahead of the clock: it is due now, and its times are forgotten."""
    last_ok = row.last_ok_at if row.last_ok_at is None or row.last_ok_at <= limit else None
    return replace(row, last_fetch_at=None, last_ok_at=last_ok, next_fetch_at=now)


def after_success(
    row: FeedRow,
    now: datetime,
    *,
    etag: str | None,
    last_modified: str | None,
    moved_to: str | None,
    detail: str = "",
) -> FeedRow:
    """Return the row after a document that could be read as a feed."""
    healthy = _healthy(row, now, status="ok", moved_to=moved_to)
    return replace(healthy, etag=etag, last_modified=last_modified, detail=detail)


def after_gap(row: FeedRow, now: datetime, entries: int) -> FeedRow:
    """Return the row after a document in which all `entries` were new: the feed is fetched more often."""
    return _due_again(replace(row, gap=entries, gap_at=now), now)


def gap_text(row: FeedRow, now: datetime) -> str:
    """Return one sentence if posts of the feed may have been missed lately, and "" otherwise."""
    if not _has_gap(row, now):
        return ""
    return f"Posts may be missing: this feed shows only {row.gap}, and all of them were new at once."


def _has_gap(row: FeedRow, now: datetime) -> bool:
    return row.gap_at is not None and now - row.gap_at < BUSY_FOR


def _due_again(row: FeedRow, now: datetime) -> FeedRow:
    every = EVERY_IF_BUSY if _has_gap(row, now) else EVERY
    return replace(row, next_fetch_at=now + every - SLACK)


def after_unchanged(row: FeedRow, now: datetime, *, moved_to: str | None) -> FeedRow:
    """Return the row after the answer "not modified"."""
    healthy = _healthy(row, now, status="unchanged", moved_to=moved_to)
    # Some servers answer "not modified" for ever. So after the first such answer of a day, the next request
    # has no validators.
    is_first_today = row.last_fetch_at is not None and row.last_fetch_at.date() != now.date()
    return replace(healthy, etag=None, last_modified=None) if is_first_today else healthy


def after_failure(
    row: FeedRow, now: datetime, *, detail: str, status: int | None = None, retry_after: str | None = None
) -> FeedRow:
    """Return the row after a failure, with the time of the next try.

    The pause is 15 minutes, and doubles up to a day with each failure in a row. It is longer if the server
    asks for this. `status` is the HTTP status.
    """
    failures = row.failures + 1
    # If the feed is missing at the address to which it was redirected, its old address is tried next.
    moved_astray = row.final_url is not None and status in _LOST
    gone = status == 410 and not moved_astray
    pause = GONE_PAUSE if gone else _pause(failures, _wanted(retry_after, now))
    return replace(
        row,
        status="gone" if gone else "failed",
        detail=detail,
        failures=failures,
        final_url=None if moved_astray else row.final_url,
        etag=None if moved_astray else row.etag,
        last_modified=None if moved_astray else row.last_modified,
        last_fetch_at=now,
        next_fetch_at=now + pause,
    )


def _healthy(row: FeedRow, now: datetime, *, status: str, moved_to: str | None) -> FeedRow:
    healthy = replace(
        row,
        status=status,
        detail="",
        failures=0,
        final_url=moved_to or (row.final_url if address(row) == row.final_url else None),
        last_fetch_at=now,
        last_ok_at=now,
    )
    return _due_again(healthy, now)


def _pause(failures: int, wanted: timedelta) -> timedelta:
    doubled = FIRST_PAUSE * (1 << min(failures - 1, 10))
    return min(max(doubled, wanted), LONGEST_PAUSE)


def _wanted(retry_after: str | None, now: datetime) -> timedelta:
    """Return the time of a Retry-After header: seconds or a date (RFC 9110, 10.2.3); 0 if it is malformed."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), LONGEST_PAUSE.total_seconds()))
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, OverflowError):
        return timedelta(0)
