"""Say in sentences how each feed is: it answers, it fails since a time and why, or posts may be missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from digest.config import Config
from digest.editions.feeds import FeedStatus, list_feeds
from digest.editions.outlook.words import at_words, clock_words, counted
from digest.model.errors import NotFoundError
from digest.model.posts import FeedRow
from digest.monitoring.wording import joined, number_word
from digest.storage.database import Database
from digest.storage.feeds import make_due, new_posts_by_day

_RECENT = timedelta(days=30)


class Health(StrEnum):
    """How a feed is: in order, worth a look, or not answering."""

    GOOD = "good"
    WARN = "warn"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedHealth:
    """A feed with its health: the sentence goes on after the name of the feed."""

    name: str
    health: Health
    sentence: str  # "has been down since 17:20 yesterday: host not found."
    held: int
    notes: tuple[str, ...]  # sentences that somebody should look at
    details: tuple[str, ...]  # sentences that only describe how it is read; their times are in UTC
    by_day: Mapping[date, int]  # new posts in the last thirty days
    row: FeedRow | None


def feeds_health(database: Database, config: Config, now: datetime, zone: str) -> tuple[FeedHealth, ...]:
    """Return the health of each configured feed: those that need somebody first."""
    with database.read() as connection:
        by_day = new_posts_by_day(connection, now - _RECENT)
    order = list(Health)
    found = [_health(each, by_day, now, zone) for each in list_feeds(database, config, now)]
    return tuple(sorted(found, key=lambda each: (-order.index(each.health), each.name.casefold())))


def feed_health(database: Database, config: Config, name: str, now: datetime, zone: str) -> FeedHealth:
    """Return the health of one feed. Raises NotFoundError."""
    found = {each.name: each for each in feeds_health(database, config, now, zone)}
    if name not in found:
        raise NotFoundError("feed", name, tuple(found))
    return found[name]


def fetch_soon(database: Database, config: Config, name: str, now: datetime) -> None:
    """Make a feed due now, so that the next look at the feeds fetches it. Raises NotFoundError."""
    if name not in [feed.name for feed in config.feeds]:
        raise NotFoundError("feed", name, tuple(feed.name for feed in config.feeds))
    with database.write() as connection:
        make_due(connection, name, now)


def _health(
    status: FeedStatus, by_day: Mapping[str, Mapping[date, int]], now: datetime, zone: str
) -> FeedHealth:
    row = status.row
    found = by_day.get(row.id, {}) if row else {}
    health = Health.GOOD
    if row and row.failures:
        health = Health.FAULT
    elif row is None or row.last_fetch_at is None or status.worries:
        health = Health.WARN
    return FeedHealth(
        name=status.name,
        health=health,
        sentence=sentence_of(row, sum(found.values()), now, zone),
        held=status.held,
        notes=status.worries,
        details=status.details,
        by_day=found,
        row=row,
    )


# ── in words ────────────────────────────────────────────────────────────────────────────────


def sentence_of(row: FeedRow | None, recent: int, now: datetime, zone: str) -> str:
    """Return the state of a feed as a sentence without its subject; `recent` are its posts of 30 days."""
    if row is None:
        return "has not been fetched yet."
    coming = "is due now" if row.next_fetch_at <= now else f"next {at_words(row.next_fetch_at, zone, now)}"
    if row.failures:
        since = f" since {clock_words(row.failed_at, zone, now)}" if row.failed_at else ""
        tried = f"Tried {counted(row.failures, 'time')}, {coming}."
        return " ".join(
            filter(None, (f"has been down{since}: “{row.detail.rstrip('.')}”.", tried, missing(recent)))
        )
    if row.last_fetch_at is None:
        return f"has not been fetched yet; {coming}."
    new = ", with nothing new" if row.status == "unchanged" else ""
    return f"responded {at_words(row.last_fetch_at, zone, now)}{new}; {coming}."


def missing(recent: int) -> str:
    """Return how many stories a day a feed that is down would bring, or "" if it brings few."""
    a_day = recent / (_RECENT / timedelta(days=1))
    if a_day < 0.5:
        return ""
    return f"You are missing about {counted(round(a_day), 'story', 'stories')} a day."


def heading(feeds: Sequence[FeedHealth]) -> str:
    """Return the state of all feeds as one line: "One of four feeds is not responding"."""
    down = [each for each in feeds if each.health is Health.FAULT]
    if not feeds:
        return "No feed is configured"
    if not down:
        few = {1: "The feed is responding", 2: "Both feeds are responding"}
        return few.get(len(feeds)) or f"All {number_word(len(feeds))} feeds are responding"
    if len(feeds) == 1:
        return "The feed is not responding"
    verb = "is" if len(down) == 1 else "are"
    of = f"{number_word(len(down))} of {number_word(len(feeds))} feeds"
    return f"{of[0].upper()}{of[1:]} {verb} not responding"


def names_text(feeds: Sequence[FeedHealth], most: int = 3) -> str:
    """Return the names of feeds in one list: "A, B, C and 4 others"."""
    names = [each.name for each in feeds[:most]]
    rest = len(feeds) - len(names)
    return joined([*names, counted(rest, "other")] if rest else names)
