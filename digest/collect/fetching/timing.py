"""Decide when a feed is asked next, and say why: its publisher's wishes, its posts, and the next cutoffs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from digest.model.posts import FeedRow

OFTEN = timedelta(minutes=5)  # where posts leave the feed quickly, or one seems to be gone
QUARTER = timedelta(minutes=15)  # otherwise no feed is asked more often
UNKNOWN = timedelta(hours=1)  # where neither the publisher nor the posts say anything
SELDOM = timedelta(hours=12)  # a feed without new posts is not asked less often than this
LONGEST_WISH = timedelta(hours=23)  # so that a feed that may be asked daily is asked before each cutoff
BUSY_FOR = timedelta(days=7)  # after all entries of a document were new
SLACK = timedelta(minutes=1)  # so that the feed is due even if the scheduler runs a little early
LOOK = timedelta(minutes=3)  # the last look at a feed is so long before a cutoff, and up to SPREAD longer
SPREAD = timedelta(minutes=10)  # so that not all feeds are asked at once
TOLD = timedelta(hours=6)  # a feed whose hub tells of each new post is not asked more often without a push
_SHARE = 4  # a feed is asked so many times for each post
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_ZERO = timedelta(0)
_PERIODS = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ENTRY = re.compile(rb"<(?:item|entry)[\s>]")
_HEAD = 20_000  # bytes of a document that are searched for wishes
_STATED = re.compile(
    rb"<(?:\w{1,20}:)?(ttl|updatePeriod|updateFrequency|skipHours|skipDays)(?:\s[^<>]{0,200})?>"
    rb"(.{0,2000}?)</(?:\w{1,20}:)?\1\s{0,9}>",
    re.DOTALL,
)
_HOUR_ELEMENT = re.compile(r"<hour>\s*([0-9]{1,2})\s*</hour>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The rate at which a feed changes, as its publisher and its posts show it. Lengths are in seconds."""

    fresh: int | None = None  # by the server, from its answer on: Cache-Control or Expires
    every: int | None = None  # by the feed: ttl or sy:updatePeriod
    hours: tuple[int, ...] = ()  # of the day, in UTC, in which it should not be asked: skipHours
    days: tuple[int, ...] = ()  # of the week, in which it should not be asked: skipDays; Monday is 0
    usual: int | None = None  # between two posts
    span: int | None = None  # from the oldest post of the document to the newest
    newest: int | None = None  # the time of the newest post, in seconds since 1970

    def written(self) -> str:
        """Return the wishes as text, to be stored."""
        return json.dumps({name: value for name, value in asdict(self).items() if value not in (None, ())})


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """The time when a feed is asked next, and the pace in words: "every hour, as its server wishes"."""

    at: datetime
    pace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pace:
    every: timedelta
    floor: timedelta  # the server or the feed does not want to be asked earlier
    why: str


_HUB = ", because its hub tells of new posts"
_OF_FILES = _Pace(every=QUARTER, floor=_ZERO, why=", because it is on this machine")


def read_wishes(text: str) -> Wishes:
    """Return stored wishes."""
    stored: dict[str, Any] = json.loads(text) if text else {}
    lists: dict[str, Any] = {name: tuple(stored[name]) for name in ("hours", "days") if name in stored}
    return Wishes(**{**stored, **lists})


def with_freshness(text: str, fresh: int | None) -> str:
    """Return stored wishes after an answer without a document; it may state a freshness of its own."""
    return text if fresh is None else replace(read_wishes(text), fresh=fresh).written()


def next_fetch(
    row: FeedRow,
    now: datetime,
    cutoffs: Sequence[datetime],
    *,
    soon: bool = False,
    pushed_at: datetime | None = None,
) -> Next:
    """Return when a feed is asked next after an answer, and why.

    The wishes of the publisher are respected. Otherwise the feed is asked a few times for each of its posts.
    Shortly before a cutoff, it is asked whatever its posts say; if the publisher does not want that so early,
    the time before is moved, so that the look before the cutoff is allowed. With `soon`, a post seems to be
    gone, and another document has to tell. `pushed_at` is the last push of the feed's hub; if the documents
    show that the hub tells of each new post, the feed is asked less often.
    """
    wishes = read_wishes(row.wishes)
    pace = _pace(wishes, now, has_gap(row, now)) if not row.url.startswith("file:") else _OF_FILES
    if pace.every < TOLD and not has_gap(row, now) and _is_told(row, wishes, pushed_at):
        pace = replace(pace, every=TOLD, why=_HUB)
    wait = min(pace.every, OFTEN) if soon else pace.every
    earliest = now + (min(pace.floor, _server(wishes)) if soon else pace.floor)
    at = _allowed(max(now + wait - SLACK, earliest), wishes)
    look = next((look for look in _looks(row, wishes, cutoffs) if look >= max(earliest, now + OFTEN)), None)
    if look is not None and look < at + pace.floor:  # after `at`, it would be too early for this look
        at = look
    return Next(at=at, pace=f"{every_text(pace.every)}{pace.why}")


def last_chance(row: FeedRow, now: datetime, cutoffs: Sequence[datetime]) -> datetime | None:
    """Return when a feed that has failed is tried before the next cutoff, whatever its pause."""
    looks = (*_looks(row, Wishes(), cutoffs), *(cutoff - 2 * _MINUTE for cutoff in cutoffs))
    return min((look for look in looks if look >= now + OFTEN), default=None)


def has_gap(row: FeedRow, now: datetime) -> bool:
    """Return whether all entries of the feed were new at once, a short time ago."""
    return row.gap_at is not None and now - row.gap_at < BUSY_FOR


def every_text(every: timedelta) -> str:
    """Return an interval in words: "every 15 minutes", "every 3 hours", "every day"."""
    for unit, noun in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        count = round(every / unit)
        if count and every >= 0.9 * unit:
            return f"every {noun}" if count == 1 else f"every {count} {noun}s"
    return "every minute"


def stated(document: bytes) -> Wishes:
    """Return what an RSS document in UTF-8 says about how often to ask: ttl, sy:updatePeriod, skipHours."""
    head = _ENTRY.split(document[:_HEAD], maxsplit=1)[0]
    found = {
        name.decode().lower(): value.strip().decode("utf-8", "replace")
        for name, value in _STATED.findall(head)
    }
    return Wishes(
        every=_every(found),
        hours=tuple(sorted({int(hour) % 24 for hour in _HOUR_ELEMENT.findall(found.get("skiphours", ""))})),
        days=tuple(number for number, day in enumerate(_DAYS) if day in found.get("skipdays", "").casefold()),
    )


def _every(found: Mapping[str, str]) -> int | None:
    """Return the longer one of ttl and sy:updatePeriod, in seconds."""
    ttl = found.get("ttl", "")
    often = found.get("updatefrequency", "1")
    period = _PERIODS.get(found.get("updateperiod", "").casefold(), 0)
    share = int(often) if often.isascii() and often.isdecimal() and int(often[:9]) else 1
    seconds = (60 * int(ttl[:9]) if ttl.isascii() and ttl.isdecimal() else 0, period // share)
    return max(seconds) or None


def rate(dates: Sequence[datetime], now: datetime) -> Wishes:
    """Return how often a feed has new posts, from the dates of its entries."""
    known = sorted((date for date in dates if date <= now), reverse=True)[:21]
    if len(known) < 3:
        return Wishes()
    span = known[0] - min(date for date in dates if date <= now)
    return Wishes(
        usual=int((known[0] - known[-1]).total_seconds() / (len(known) - 1)),
        span=int(span.total_seconds()),
        newest=int(known[0].timestamp()),
    )


def _pace(wishes: Wishes, now: datetime, busy: bool) -> _Pace:
    """Return how often a feed is asked if no cutoff is near."""
    # A feed that loses posts does not know how often it should be asked, but its server does.
    stated = _ZERO if busy else timedelta(seconds=wishes.every or 0)
    floor = min(max(_server(wishes), stated), LONGEST_WISH)
    every, why = _by_posts(wishes, now, busy)
    if floor >= every:
        return _Pace(
            every=floor,
            floor=floor,
            why=", as its server wishes" if _server(wishes) >= stated else ", as the feed says",
        )
    return _Pace(every=every, floor=floor, why=why)


def _server(wishes: Wishes) -> timedelta:
    return min(timedelta(seconds=wishes.fresh or 0), LONGEST_WISH)


def _by_posts(wishes: Wishes, now: datetime, busy: bool) -> tuple[timedelta, str]:
    if busy:
        return OFTEN, ", because all its posts were new at once"
    if wishes.usual is None or wishes.newest is None or wishes.span is None:
        return UNKNOWN, ""
    silence = timedelta(seconds=max(0.0, now.timestamp() - wishes.newest))
    usual = max(timedelta(seconds=wishes.usual), silence / 3)  # a feed that stops is asked less and less
    every = min(max(usual / _SHARE, QUARTER), SELDOM)
    span = timedelta(seconds=wishes.span)
    if span < 2 * every and silence < _DAY:
        return max(span / 2, OFTEN), ", because its posts leave it quickly"
    return every, f", because a post comes about {every_text(usual)}"


def _is_told(row: FeedRow, wishes: Wishes, pushed_at: datetime | None) -> bool:
    """Return whether the last push led to a changed document, and none of its posts came without a push."""
    if pushed_at is None or row.changed_at is None or row.changed_at < pushed_at:
        return False
    return wishes.newest is None or wishes.newest <= (pushed_at + _HOUR).timestamp()


def _looks(row: FeedRow, wishes: Wishes, cutoffs: Sequence[datetime]) -> Iterator[datetime]:
    """Yield the times of the last look before each cutoff, in hours in which the feed may be asked."""
    spread = timedelta(seconds=crc32(row.id.encode()) % int(SPREAD.total_seconds()))
    for cutoff in cutoffs:
        look = cutoff - LOOK - spread
        for _ in range(24):
            if not _is_skipped(look, wishes):
                yield look
                break
            look = look.replace(minute=0, second=0, microsecond=0) - _MINUTE


def _allowed(at: datetime, wishes: Wishes) -> datetime:
    """Return the first time from `at` on that the feed does not rule out; if it rules out all, `at`."""
    later = at
    for _ in range(24 * 8):
        if not _is_skipped(later, wishes):
            return later
        later = later.replace(minute=0, second=0, microsecond=0) + _HOUR
    return at


def _is_skipped(at: datetime, wishes: Wishes) -> bool:
    return at.hour in wishes.hours or at.weekday() in wishes.days
