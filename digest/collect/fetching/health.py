"""Decide the state of a feed after a fetch: its status, its validators, and when it is next due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from digest.collect.fetching.answers import Fetched, FetchFailure, FetchRequest, NotModified, moment
from digest.collect.fetching.timing import has_gap, last_chance, next_fetch, with_freshness
from digest.collect.fetching.websub import is_active
from digest.model.links import host_of
from digest.model.posts import FeedRow, HubRow, HubState

FIRST_PAUSE = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(hours=24)
GONE_PAUSE = timedelta(days=7)  # a removed feed is still tried, because publishers make mistakes
BELIEVED = timedelta(hours=23)  # "not modified" without a document in between, so that it is less than a day
BETWEEN = timedelta(minutes=1)  # pushes cause one fetch in this time, however many there are
MOVES = 3  # answers in a row with the same permanent redirect, until it is saved
MOVING = timedelta(days=1)  # and it must have lasted so long
_GONE = 410
_TOO_OFTEN = 429
_LOST = frozenset([404, _GONE])
_HUB_REASONS = {
    HubState.DENIED: "does not want to tell of new posts",
    HubState.GONE: "does not exist any more",
}


def is_due(row: FeedRow, now: datetime, pushed_at: datetime | None = None) -> bool:
    """Return whether a feed is due: it was never fetched, its time has come, or its hub has told of posts.

    A push counts until a fetch has begun after it, so one that arrives during a fetch is not lost. It does
    not shorten the pause of a feed that fails.
    """
    # Another process or thread, whose clock is a little ahead, may have added the feed a moment ago.
    if row.last_fetch_at is None or row.next_fetch_at <= now:
        return True
    if pushed_at is None or row.failures:
        return False
    return row.last_fetch_at < pushed_at <= now and now - row.last_fetch_at >= BETWEEN


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


def request(row: FeedRow, now: datetime) -> FetchRequest:
    """Return the request for a feed; once a day it has no validators, because some servers never look."""
    url = address(row)
    recent = row.whole_at is not None and timedelta(0) <= now - row.whole_at < BELIEVED
    believed = recent and url == (row.final_url or row.url)  # only this address gave the validators
    return FetchRequest(
        feed_id=row.id,
        url=url,
        etag=row.etag if believed else None,
        last_modified=row.last_modified if believed else None,
    )


def after_success(row: FeedRow, found: Fetched, now: datetime) -> FeedRow:
    """Return the row after a document that could be read as a feed."""
    return replace(
        _healthy(row, now, moved_to=found.moved_to),
        status="ok",
        etag=found.etag,
        last_modified=found.last_modified,
        whole_at=now,
        changed_at=now,
    )


def after_unchanged(row: FeedRow, found: NotModified, now: datetime, *, whole: bool = False) -> FeedRow:
    """Return the row after the answer "not modified", or with `whole` after the same bytes again."""
    return replace(
        _healthy(row, now, moved_to=found.moved_to),
        status="unchanged",
        etag=found.etag or row.etag,
        last_modified=found.last_modified or row.last_modified,
        whole_at=now if whole else row.whole_at,
        wishes=with_freshness(row.wishes, found.fresh),
    )


def after_gap(row: FeedRow, now: datetime, entries: int) -> FeedRow:
    """Return the row after a document in which all `entries` were new: the feed is fetched more often."""
    return replace(row, gap=entries, gap_at=now)


def timed(
    row: FeedRow,
    now: datetime,
    cutoffs: Sequence[datetime],
    *,
    soon: bool = False,
    pushed_at: datetime | None = None,
) -> FeedRow:
    """Return the row after an answer, with the time of the next fetch; `soon` if a post seems to be gone."""
    coming = next_fetch(row, now, cutoffs, soon=soon, pushed_at=pushed_at)
    return replace(row, next_fetch_at=coming.at, pace=coming.pace)


def after_failure(row: FeedRow, failure: FetchFailure, now: datetime, cutoffs: Sequence[datetime]) -> FeedRow:
    """Return the row after a failure, with the time of the next try.

    The pause is 15 minutes, and doubles up to a day with each failure in a row. It is longer if the server
    asks for this. Otherwise, the feed is tried again before the next cutoff, whatever its pause.
    """
    failures = row.failures + 1
    # If the feed is missing at the address to which it was redirected, its old address is tried next.
    moved_astray = row.final_url is not None and failure.status in _LOST
    gone = failure.status == _GONE and not moved_astray
    wanted = _wanted(failure.retry_after, now)
    at = now + (GONE_PAUSE if gone else _pause(failures, wanted))
    chance = last_chance(row, now, cutoffs)
    if chance is not None and not gone and wanted <= timedelta(0) and failure.status != _TOO_OFTEN:
        at = min(at, chance)
    return replace(
        row,
        status="gone" if gone else "failed",
        detail=failure.detail,
        failures=failures,
        failed_at=row.failed_at or now,
        final_url=None if moved_astray else row.final_url,
        etag=None if moved_astray else row.etag,
        last_modified=None if moved_astray else row.last_modified,
        last_fetch_at=now,
        next_fetch_at=at,
    )


def _healthy(row: FeedRow, now: datetime, *, moved_to: str | None) -> FeedRow:
    asked = address(row)
    # The old address answers although the new one was saved: either it still redirects there, or it is right.
    kept = row.final_url if row.final_url in (asked, moved_to) else None
    seen = row.moved_seen + 1 if moved_to == row.moved_to else 1
    first = row.moved_at if moved_to == row.moved_to and row.moved_at else now
    since: datetime | None = first
    if moved_to is None or moved_to == kept:
        moved_to, seen, since = None, 0, None
    elif seen >= MOVES and now - first >= MOVING:
        kept, moved_to, seen, since = moved_to, None, 0, None
    return replace(
        row,
        detail="",
        failures=0,
        failed_at=None,
        final_url=kept,
        last_fetch_at=now,
        last_ok_at=now,
        moved_to=moved_to,
        moved_seen=seen,
        moved_at=since,
    )


# ── in words ────────────────────────────────────────────────────────────────────────────────


def gap_text(row: FeedRow, now: datetime) -> str:
    """Return one sentence if posts of the feed may have been missed lately, and "" otherwise."""
    if not has_gap(row, now):
        return ""
    return f"Posts may be missing: this feed shows only {row.gap}, and all of them were new at once."


def moved_text(before: FeedRow, after: FeedRow) -> str:
    """Return one sentence if the address of a feed has changed with its last answer, and "" otherwise."""
    if after.final_url == before.final_url:
        return ""
    if after.final_url is None:
        return "The feed answers at its own address again, so the address to which it had moved is forgotten."
    host = host_of(after.final_url)
    return f"The feed has moved permanently to {host} and is fetched from there from now on."


def hub_text(hub: HubRow, now: datetime, *, public: bool) -> str:
    """Return one sentence about the hub of a feed; `public` if hubs can call our pages."""
    host = host_of(hub.hub)
    if not public:
        return (
            f"Its hub {host} could tell of new posts at once, but it is not asked, because base_url is not a"
            " public address."
        )
    if is_active(hub, now):
        last = f"; the last time at {_when(hub.pushed_at, now)}" if hub.pushed_at else ""
        return f"Its hub {host} tells of new posts at once{last}."
    coming = _when(hub.next_at, now)
    if hub.state is HubState.FOUND:
        return f"Its hub {host} can tell of new posts at once; digest serve asks for this at {coming}."
    reason = _HUB_REASONS.get(hub.state, "has not confirmed yet that it tells of new posts")
    return f"Its hub {host} {reason}; it is asked again at {coming}."


def state_text(row: FeedRow, now: datetime) -> str:
    """Return the state of a feed as one sentence; times are in UTC."""
    coming = _when(row.next_fetch_at, now)
    if row.failures:
        since = f" since {_when(row.failed_at, now)}" if row.failed_at else ""
        times = "" if row.failures == 1 else f", {row.failures} times in a row"
        return f"failing{since}{times}; tried again at {coming}: {row.detail}"
    if row.last_fetch_at is None:
        return "not collected yet."
    parts = [f"asked {row.pace}" if row.pace else "", _changed_text(row, now), _moving_text(row)]
    return "; ".join(filter(None, (*parts, f"next at {coming}."))).lstrip()


def _changed_text(row: FeedRow, now: datetime) -> str:
    if row.changed_at is None or row.status != "unchanged":
        return ""
    return f"unchanged since {_when(row.changed_at, now)}"


def _moving_text(row: FeedRow) -> str:
    if row.moved_to:
        often = "once" if row.moved_seen == 1 else f"{row.moved_seen} times in a row"
        return (
            f"moved to {host_of(row.moved_to)}, as it has said {often}; saved after {MOVES} times and a day"
        )
    return f"fetched from {host_of(row.final_url)}, to which it has moved" if row.final_url else ""


def _when(at: datetime, now: datetime) -> str:
    """Return a time as people say it: without its date if this is today, else with the day of the week."""
    if at.date() == now.date():
        return f"{at:%H:%M}"
    return f"{at:%a %H:%M}" if abs(at - now) < timedelta(days=6) else f"{at:%Y-%m-%d}"


def _pause(failures: int, wanted: timedelta) -> timedelta:
    doubled = FIRST_PAUSE * (1 << min(failures - 1, 10))
    return min(max(doubled, wanted), LONGEST_PAUSE)


def _wanted(retry_after: str | None, now: datetime) -> timedelta:
    """Return the time of a Retry-After header: seconds or a date (RFC 9110, 10.2.3); 0 if it is malformed."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), LONGEST_PAUSE.total_seconds()))
    at = moment(text)
    return at - now if at else timedelta(0)
