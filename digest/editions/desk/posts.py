"""List the posts of a digest with the reason of their state, and decide about many of them at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from digest.compose.compose import plan_from, read_facts
from digest.compose.plan import Plan, PlanInput
from digest.config import Config
from digest.editions.outlook.words import at_words, clock_words, counted, local
from digest.model.errors import DigestError
from digest.model.posts import DROPPED_BY, Fate, PostState
from digest.model.publication import CATCH_ALL_RULE, Digest
from digest.model.snapshot import headings_of
from digest.schedule.cadence import Cadence
from digest.storage.database import Connection, Database
from digest.storage.desk.overview import PostCounts, post_counts
from digest.storage.desk.posts import (
    ListedPost,
    changed_at,
    count_posts,
    feeds_in,
    ids_of,
    list_posts,
    reasons_in,
    set_fate,
)
from digest.storage.desk.posts import PostSearch as PostSearch

PAGE = 50  # posts
_PLANNED = (
    500  # waiting posts at most for which the next edition is planned; that takes a quarter of a second
)
_FAR = timedelta(days=366)
NO_TOPIC = "-"  # instead of a slug: posts that no topic claims
_NO_FEED = "its feed is not in this digest any more"

# The decisions that can be made about posts in a state.
DECISIONS: Mapping[PostState, tuple[str, ...]] = {
    PostState.WAITING: ("drop", "defer"),
    PostState.HELD: ("keep", "old", "drop", "defer"),
    PostState.DEFERRED: ("keep", "drop", "defer"),
    PostState.DROPPED: ("keep",),
    PostState.RESERVED: (),
    PostState.USED: (),
}


class DecisionError(DigestError):
    """A decision about posts cannot be made; nothing has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostQuery:
    """A question for a page of posts; `topic` is the slug of a heading of the next edition, or NO_TOPIC."""

    search: PostSearch
    topic: str = ""  # empty: all
    page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPost:
    """A post of a list: under which topic it would stand, and why it is where it is."""

    post: ListedPost
    topic: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFeed:
    """Posts of a feed that the flood guard holds."""

    feed: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PostList:
    """One page of the posts of a digest in one state."""

    search: PostSearch
    counts: PostCounts
    found: int  # posts on all pages
    page: int  # from 1
    posts: tuple[ShownPost, ...]
    feeds: tuple[tuple[str, int], ...]
    topics: tuple[tuple[str, str, int], ...]  # slug, title and number of posts, as the next edition has them
    held: tuple[HeldFeed, ...]

    @property
    def pages(self) -> int:
        """Return the number of pages; there is always one."""
        return max(1, -(-self.found // PAGE))


def search_posts(database: Database, config: Config, query: PostQuery, now: datetime) -> PostList:
    """Return a page of posts. Raises NotFoundError for a digest that is not configured.

    Topics are known of posts that wait, if these are not too many to plan the next edition.
    """
    search, page = query.search, query.page
    digest = config.digest(search.digest)
    feeds_of = frozenset(digest.feeds or (feed.name for feed in config.feeds))
    with database.read() as connection:
        counts = post_counts(connection, digest.slug)
        planned = _planned(connection, config, digest, counts, now) if _has_topics(search, counts) else None
        reader = _Reasons(digest, feeds_of, now, planned)
        topics = reader.topics(ids_of(connection, PostSearch(digest=digest.slug, state=search.state)))
        if topics and query.topic:
            search = replace(search, among=topics.get(query.topic, frozenset()))
        found = count_posts(connection, search)
        page = min(max(page, 1), max(1, -(-found // PAGE)))
        listed = list_posts(connection, search, skip=(page - 1) * PAGE, limit=PAGE)
        held = reasons_in(connection, digest.slug, PostState.HELD)
        feeds = feeds_in(connection, digest.slug, search.state)
    return PostList(
        search=search,
        counts=counts,
        found=found,
        page=page,
        posts=tuple(reader.shown(each, search.state) for each in listed),
        feeds=feeds,
        topics=tuple((slug, reader.titles.get(slug, ""), len(ids)) for slug, ids in topics.items()),
        held=tuple(HeldFeed(feed=feed, reason=reason, count=count) for feed, reason, count in held),
    )


def _has_topics(search: PostSearch, counts: PostCounts) -> bool:
    return search.state is PostState.WAITING and counts.of(PostState.WAITING) > 0


def _planned(
    connection: Connection, config: Config, digest: Digest, counts: PostCounts, now: datetime
) -> Plan | None:
    """Plan the next edition as it would be if it were composed now; nothing is saved."""
    if counts.of(PostState.WAITING, PostState.DEFERRED) > _PLANNED:
        return None
    due = next(Cadence(digest=digest).coming(now))
    plan_input = PlanInput(digest=digest, site=config.site, due=due, topics=config.topics, feeds=config.feeds)
    return plan_from(read_facts(connection, plan_input, now), plan_input, lambda _: True)


class _Reasons:
    """Says of each post under which topic it would stand, and why it is where it is."""

    def __init__(
        self, digest: Digest, feeds_of: Collection[str], now: datetime, planned: Plan | None
    ) -> None:
        self._digest, self._feeds, self._now, self._planned = digest, feeds_of, now, planned
        self._dropped = dict(planned.dropped) if planned else {}
        self._topics: dict[str, str] = {}  # post id → slug of its topic, or NO_TOPIC
        self.titles: dict[str, str] = {}  # slug → title
        edition = planned.edition if planned else None
        if edition:
            self.titles = {each.slug: each.title for each in (*edition.headings, *headings_of(edition))}
            for story in edition.stories():
                claimed = story.rule != CATCH_ALL_RULE and story.topic in self.titles
                self._topics |= dict.fromkeys(story.post_ids, story.topic if claimed else NO_TOPIC)

    def topics(self, ids: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Return the ids of the posts under each topic, in the order of the next edition; {} if unknown."""
        found = {slug: self._under(slug, ids) for slug in (*self.titles, NO_TOPIC) if self._topics}
        return {slug: under for slug, under in found.items() if under}

    def _under(self, topic: str, ids: Collection[str]) -> frozenset[str]:
        return frozenset(each for each in ids if self._topics.get(each, NO_TOPIC) == topic)

    def shown(self, post: ListedPost, state: PostState) -> ShownPost:
        title = self.titles.get(self._topics.get(post.id, ""), "")
        return ShownPost(post=post, topic=title, why=self._why(post, state))

    def _why(self, post: ListedPost, state: PostState) -> str:
        if state is PostState.WAITING:
            return self._waits(post)
        if state is PostState.HELD and post.held_until:
            until = clock_words(post.held_until, self._digest.zone, self._now)
            return f"held as a possible repeat; waits from {until} on"
        if state is PostState.RESERVED:
            return "in an edition that has not been sent yet"
        if state is PostState.USED:
            return "sent"
        return post.reason

    def _waits(self, post: ListedPost) -> str:
        if self._planned is None:
            return f"arrived {at_words(post.first_seen_at, self._digest.zone, self._now)}"
        if post.id in self._dropped:
            return f"will be dropped: {self._dropped[post.id]}"
        if post.id in self._topics:
            claimed = self._topics[post.id] != NO_TOPIC
            return "in the next edition" if claimed else "in the next edition; no topic claims it"
        if post.feed not in self._feeds:
            return _NO_FEED
        if self._planned.edition is None:
            return self._planned.reason
        most = counted(self._digest.maximum, "story", "stories")
        return f"over the limits of an edition, which has {most} at most"


# ── decisions ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A person's decision about posts: "keep", "drop", "old", or "defer" with a date."""

    what: str
    by: str
    until: date | None = None


def decide(
    database: Database, digest: Digest, ids: Collection[str], decision: Decision, now: datetime
) -> int:
    """Carry out a decision about posts of a digest, and return their number.

    Posts whose state does not allow it by now are left as they are. Raises DecisionError.
    """
    fate = _fate(digest, decision, now)
    before = [state for state, allowed in DECISIONS.items() if decision.what in allowed]
    with database.write() as connection:
        return set_fate(connection, ids, before, fate, now)


def undo_decision(database: Database, digest: Digest, by: str, made_at: datetime, now: datetime) -> int:
    """Let the posts wait again that a person dropped or deferred at that moment, and return their number.

    Posts about which somebody has decided since are left as they are.
    """
    reasons = f"{DROPPED_BY}{by}", f"deferred by {by} to "
    waits = Fate(digest=digest.slug, state=PostState.WAITING, reason="")
    with database.write() as connection:
        ids = changed_at(connection, digest.slug, made_at, reasons)
        return set_fate(connection, ids, [PostState.DROPPED, PostState.DEFERRED], waits, now)


def decide_held(database: Database, digest: Digest, feed: str, decision: Decision, now: datetime) -> int:
    """Carry out a decision about all posts of a feed that are held in a digest, and return their number."""
    with database.read() as connection:
        held = ids_of(connection, PostSearch(digest=digest.slug, state=PostState.HELD, feed=feed))
    return decide(database, digest, held, decision, now)


def drop_feeds(database: Database, config: Config, names: Collection[str], now: datetime) -> None:
    """Drop the posts that wait of feeds that are not configured any more, in all digests."""
    for digest in config.digests:
        fate = Fate(digest=digest.slug, state=PostState.DROPPED, reason=_NO_FEED)
        for name in names:
            search = PostSearch(digest=digest.slug, state=PostState.WAITING, feed=name)
            with database.write() as connection:
                set_fate(connection, ids_of(connection, search), [PostState.WAITING], fate, now)


def _fate(digest: Digest, decision: Decision, now: datetime) -> Fate:
    waits = Fate(digest=digest.slug, state=PostState.WAITING, reason="")
    dropped = replace(waits, state=PostState.DROPPED, reason=f"{DROPPED_BY}{decision.by}")
    if decision.what == "keep":
        return waits
    if decision.what == "drop":
        return dropped
    if decision.what == "old":
        return replace(dropped, reason=f"{dropped.reason}, because it was sent before")
    if decision.what != "defer":
        raise DecisionError("Please choose what should happen to the posts.")
    today = local(now, digest.zone).date()
    if decision.until is None or not today < decision.until <= today + _FAR:
        raise DecisionError("Please give a date for the posts that is after today and within a year.")
    until = datetime.combine(decision.until, time.min, ZoneInfo(digest.zone)).astimezone(UTC)
    why = f"deferred by {decision.by} to {decision.until}"
    return replace(waits, state=PostState.DEFERRED, reason=why, until=until)


def words_of(text: str) -> Sequence[str]:
    """Return the words of a search, each once, at most ten."""
    return tuple(dict.fromkeys(text.split()))[:10]
