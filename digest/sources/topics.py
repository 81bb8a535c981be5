"""Show the topics that were found in a digest's stories: to readers who choose, and to operators."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from digest.collect.discovery.found import Found
from digest.compose.discover import Newsroom, discover
from digest.compose.stories.same import gather
from digest.config import Config
from digest.model.editions import Edition
from digest.model.posts import WaitingPost
from digest.model.publication import CATCH_ALL_RULE, Feed, Site
from digest.model.snapshot import headings_of
from digest.sources.add import feed_of
from digest.storage.database import Database
from digest.storage.editions.lists import last_sections, list_editions
from digest.storage.posts import recent_posts

SHOWN_FOR = timedelta(days=30)  # a topic that had a story within this time can be chosen
_MOST = 20  # topics to choose from
_LOOKED_AT = 200  # posts of a feed that is proposed
_EDITIONS = 100  # that are read, at most
_POSTS = 2_000  # that are read, at most
_MOSTLY = 0.8  # of the stories of a topic, that a setting must claim
_SUBJECT = 0.5  # of a feed's stories under one topic: the feed may have one subject …
_ENOUGH = 5  # … if it has so many stories
_SHOWN = re.compile(", (?:part: |under |mostly )")  # how a rule goes on where a section is shown elsewhere
_BY_TAG = ("structured tag: ", "leads with ", "tag ", "tag: ", "tag on every post: ")


def found_topics(database: Database, digest: str, now: datetime) -> tuple[tuple[str, str], ...]:
    """Return the topics that readers choose in a digest that lists none: slug and title, the largest first.

    These are the sections of the last thirty days' editions.
    """
    with database.read() as connection:
        editions = last_sections(connection, digest, since=now - SHOWN_FOR)
    counts: Counter[str] = Counter()
    titles: dict[str, str] = {}
    for sections in editions:
        for slug, title, count in sections:
            counts[slug] += count
            titles.setdefault(slug, title)
    largest = sorted(counts, key=lambda slug: (-counts[slug], slug))[:_MOST]
    return tuple((slug, titles[slug]) for slug in largest)


# ── for operators ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTopic:
    """A topic with its stories in some editions, and how often each rule placed one of them there."""

    slug: str
    title: str
    stories: int
    rules: tuple[tuple[str, str, int], ...]  # the rule in words, the feed, stories; the commonest first
    setting: str = ""  # TOML for a [[topic]] that claims the same stories; empty if no tag or feed does


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicReport:
    """The topics of a digest, the number of stories under none, and what an operator could write."""

    topics: tuple[FoundTopic, ...]
    unplaced: int = 0
    editions: int = 0
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stand:
    """Where a story stands, and why."""

    slug: str
    title: str
    rule: str
    feed: str


def topics_of_digest(database: Database, config: Config, slug: str, now: datetime) -> TopicReport:
    """Return the topics of a digest in the last thirty days. Raises NotFoundError."""
    digest = config.digest(slug)
    since = now - SHOWN_FOR
    with database.read() as connection:
        records = list_editions(connection, slug, limit=_EDITIONS)
        rows = () if digest.topics else recent_posts(connection, _POSTS, digest=slug)
    editions = [each.edition for each in records if each.edition.cutoff_at >= since]
    report = _report([stand for edition in editions for stand in _stands(edition)], editions=len(editions))
    # All posts of a feed show its subjects, not only those for which an edition had room.
    posts = [WaitingPost(post=row.post, feed_name=row.feed_name) for row in rows]
    lately = [each for each in posts if each.post.first_seen_at >= since]
    return replace(report, advice=propose(lately, config.site, config.feeds).advice)


def propose(posts: Sequence[WaitingPost], site: Site, feeds: Sequence[Feed] = ()) -> TopicReport:
    """Return the topics that a digest without configured topics would find in these posts."""
    newsroom = Newsroom(site=site, catch_all="", feeds=feeds, several=len(feeds) > 1)
    stands = [
        _Stand(
            slug=(topic_group.section or topic_group).slug,
            title=(topic_group.section or topic_group).title,
            rule=placed.rule,
            feed=placed.group.feeds[0],
        )
        for topic_group in discover(gather(posts), newsroom)
        for placed in topic_group.placed
    ]
    return _report(stands, feeds=feeds)


def proposed(found: Sequence[Found], site: Site) -> TopicReport:
    """Return the topics that a digest of these feeds would find in the posts that they show now."""
    feeds = [feed_of(each) for each in found]
    posts = [
        WaitingPost(post=post, feed_name=feed.name)
        for feed, each in zip(feeds, found, strict=True)
        for post in each.posts[:_LOOKED_AT]
    ]
    return propose(posts, site, feeds)


def _stands(edition: Edition) -> Iterator[_Stand]:
    headings = {heading.slug: heading for heading in (*headings_of(edition), *edition.headings)}
    for story in edition.stories():
        choice = headings[story.topic].choice
        yield _Stand(slug=choice, title=headings[choice].title, rule=story.rule, feed=story.source)


def _report(stands: Sequence[_Stand], *, editions: int = 0, feeds: Sequence[Feed] = ()) -> TopicReport:
    placed: dict[str, list[_Stand]] = defaultdict(list)
    for stand in stands:
        if stand.rule != CATCH_ALL_RULE:
            placed[stand.slug].append(stand)
    largest = sorted(placed, key=lambda slug: (-len(placed[slug]), slug))
    return TopicReport(
        topics=tuple(_topic(slug, placed[slug]) for slug in largest),
        unplaced=len(stands) - sum(map(len, placed.values())),
        editions=editions,
        advice=tuple(_advice(stands, feeds)),
    )


def _topic(slug: str, stands: Sequence[_Stand]) -> FoundTopic:
    rules = Counter((stand.rule, stand.feed) for stand in stands)
    return FoundTopic(
        slug=slug,
        title=stands[0].title,
        stories=len(stands),
        rules=tuple(
            (rule, feed, count)
            for (rule, feed), count in sorted(rules.items(), key=lambda each: (-each[1], each[0]))
        ),
        setting=_setting(rules),
    )


def _setting(rules: Mapping[tuple[str, str], int]) -> str:
    """Return the keys of a [[topic]] that claims most of the stories which these rules have placed, or ""."""
    tags: set[str] = set()
    feeds: set[str] = set()
    claimed = 0
    for (rule, feed), count in rules.items():
        cause = _SHOWN.split(rule)[0]
        tag = next((cause.removeprefix(start) for start in _BY_TAG if cause.startswith(start)), None)
        claimed += count if tag or rule.startswith("feed: ") else 0
        tags |= {tag} if tag else set()
        feeds |= {feed} if rule.startswith("feed: ") else set()
    keys = {"tags": sorted(tags), "feeds": sorted(feeds)} if claimed >= _MOSTLY * sum(rules.values()) else {}
    return ", ".join(
        f"{key} = {json.dumps(names, ensure_ascii=False)}" for key, names in keys.items() if names
    )


def _advice(stands: Iterable[_Stand], feeds: Iterable[Feed]) -> Iterator[str]:
    """Yield a sentence for each feed with one subject, and one for all feeds that may have one."""
    by_feed: dict[str, list[_Stand]] = defaultdict(list)
    for stand in stands:
        by_feed[stand.feed].append(stand)
    if len(by_feed) == 1:
        return  # its subject would be the only heading
    silent = []
    for feed in feeds:
        if not feed.topics and len(by_feed[feed.name]) >= _ENOUGH:
            slug = _subject(feed.name, by_feed[feed.name])
            silent += [feed.name] if slug == "" else []
            if slug:
                yield f'{feed.name} seems to have one subject: give the feed topics = ["{slug}"].'
    if silent:
        yield f'{_silent(silent)} name it under its [[feed]], for example: topics = ["tech"].'


def _subject(feed: str, stands: Sequence[_Stand]) -> str | None:
    """Return the slug of what a feed seems to be about, "" if it says nothing, and None if it says enough."""
    places = Counter(stand.slug for stand in stands if stand.rule != CATCH_ALL_RULE)
    slug, most = next(iter(places.most_common(1)), ("", 0))
    there = {stand.rule: stand.title for stand in stands if stand.slug == slug}
    if feed in there.values() or (most < len(stands) - most and len(places) < 2):
        return ""
    # Sections of many names that all mean the same are one subject.
    return slug if _SUBJECT * len(stands) <= most < len(stands) and len(there) > 1 else None


def _silent(feeds: Sequence[str]) -> str:
    if len(feeds) == 1:
        return f"{feeds[0]} names no sections. If it has one subject,"
    return f"{', '.join(feeds[:-1])} and {feeds[-1]} name no sections. If one of them has one subject,"
