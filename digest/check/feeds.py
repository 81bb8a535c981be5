"""Ask each feed, and tell what it offers: its posts, its tags, and how many posts each topic would claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from time import monotonic

from digest.collect.fetching.answers import FetchRequest
from digest.collect.fetching.fetch import fetch_all
from digest.collect.reading.parse import Parsed
from digest.collect.sources.ask import Answer as SourceAnswer
from digest.collect.sources.ask import Asked, Terms, failure_of
from digest.collect.sources.ask import ask as ask_sources
from digest.compose.stories.group import Group
from digest.compose.topics import place
from digest.config import Config
from digest.model.posts import Post, WaitingPost
from digest.model.publication import Feed

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
    asked = [Asked(feed=feed, request=FetchRequest(feed_id=feed.name, url=feed.url)) for feed in feeds]
    fetch = partial(fetch_all, stop=lambda: monotonic() > until)
    answers = ask_sources(asked, Terms(limits=config.limits, now=now, fetch=fetch))
    found = {answer.request.feed_id: answer for answer in answers}
    return tuple(_answer(feed, found.get(feed.name)) for feed in feeds)


def _answer(feed: Feed, found: SourceAnswer | None) -> Answer:
    failure = failure_of(found) if found else None
    if found and not failure and isinstance(found.parsed, Parsed):
        return Answer(feed=feed, posts=found.parsed.posts)
    return Answer(feed=feed, failure=failure.detail if failure else _SILENT)


def claimed(answers: Iterable[Answer], config: Config) -> Mapping[str, int]:
    """Return how many posts each topic would claim by its rule, by the topic's slug."""
    groups = [
        Group(posts=(WaitingPost(post=post, feed_name=answer.feed.name),))
        for answer in answers
        for post in answer.posts
    ]
    counts = Counter({topic.slug: 0 for topic in config.topics})
    language = config.site.language
    for group in place(groups, config.topics, config.feeds, catch_all="", language=language):
        for placed in group.placed:
            counts.update([group.slug, *(claim.topic for claim in placed.claims)])
    return {topic.slug: counts[topic.slug] for topic in config.topics}
