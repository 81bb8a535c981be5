"""Ask each feed, and tell what it offers: its posts, its tags, and how many posts each topic would claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from digest.collect.fetching.fetch import Fetched, FetchFailure, FetchRequest, Result, fetch_all
from digest.collect.reading.parse import Document, Parsed, parse
from digest.compose.stories.group import Group
from digest.compose.topics import place
from digest.config import Config
from digest.model.posts import Post, WaitingPost
from digest.model.publication import Feed, Topic

_PATIENCE = 60.0  # seconds for all feeds together
_SHOWN = 8  # tags
_SILENT = "it was not read within a minute, in which all feeds are asked; try again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer of one feed: its posts, or why it has none."""

    feed: Feed
    posts: tuple[Post, ...] = ()
    failure: str = ""

    @property
    def detail(self) -> str:
        """Return the answer as one line."""
        if self.failure:
            return self.failure
        tags = Counter(tag for post in self.posts for tag in post.tags)
        named = [f"{tag} ({count})" for tag, count in tags.most_common(_SHOWN)]
        more = f" and {len(tags) - _SHOWN} more" if len(tags) > _SHOWN else ""
        count = "1 post" if len(self.posts) == 1 else f"{len(self.posts):,} posts"
        return f"{count}; tags: {', '.join(named)}{more}" if tags else f"{count} without tags"


def ask(config: Config, feeds: Sequence[Feed], now: datetime) -> tuple[Answer, ...]:
    """Fetch and read feeds at once, as collecting would, and return their answers; nothing is saved."""
    until = monotonic() + _PATIENCE
    requests = [FetchRequest(feed_id=feed.name, url=feed.url) for feed in feeds]
    fetched = fetch_all(requests, config.limits, stop=lambda: monotonic() > until)
    results = {request.feed_id: result for request, result in fetched}
    return tuple(_answer(feed, results.get(feed.name), config, now) for feed in feeds)


def _answer(feed: Feed, result: Result | None, config: Config, now: datetime) -> Answer:
    if not isinstance(result, Fetched):
        return Answer(feed=feed, failure=result.detail if isinstance(result, FetchFailure) else _SILENT)
    document = Document(body=result.body, url=result.url, content_type=result.content_type)
    try:
        found = parse(document, feed_id=feed.name, now=now, tags=feed.tags, max_posts=config.limits.max_posts)
    except Exception as error:  # as in collecting, one feed must not stop the others
        return Answer(
            feed=feed, failure=f"An error in this program stopped the reading: {type(error).__name__}."
        )
    if isinstance(found, Parsed):
        return Answer(feed=feed, posts=found.posts)
    return Answer(feed=feed, failure=found.detail)


def claimed(answers: Iterable[Answer], topics: Sequence[Topic], feeds: Sequence[Feed]) -> Mapping[str, int]:
    """Return how many posts each topic would claim by its rule, by the topic's slug."""
    groups = [
        Group(posts=(WaitingPost(post=post, feed_name=answer.feed.name),))
        for answer in answers
        for post in answer.posts
    ]
    counts = Counter({topic.slug: 0 for topic in topics})
    for group in place(groups, topics, feeds, catch_all=""):
        for placed in group.placed:
            counts.update([group.slug, *(claim.topic for claim in placed.claims)])
    return {topic.slug: counts[topic.slug] for topic in topics}
