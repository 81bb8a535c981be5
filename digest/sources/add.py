"""Add feeds to a publication: say what is wrong with them, and write them into config.toml."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, count

from digest.collect.discovery.found import Found
from digest.config import Config
from digest.config.edit import Draft, drafted, with_feeds, with_feeds_of_digest
from digest.model.links import canonical_url, host_of
from digest.model.posts import Post
from digest.model.publication import Feed, SourceKind

_OLD_DAYS = 92  # a feed without a post for three months may be abandoned
_MONTH_DAYS = 30.44
_YEARS_FROM = 24  # months


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """Feeds to add: `feeds` are those that the configuration lacks, `known` those that it has already.

    `takers` are the digests that take the feeds, and `others` those that list other feeds.
    """

    draft: Draft
    feeds: tuple[Feed, ...]
    known: tuple[Feed, ...]
    takers: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def changes(self) -> bool:
        """Return whether the file would be another one."""
        return self.draft.text.encode() != self.draft.before.removeprefix(b"\xef\xbb\xbf")


def plan_feeds(config: Config, wanted: Sequence[Feed], digests: Collection[str] = ()) -> Addition:
    """Decide how config.toml changes if it gets these feeds; nothing is written.

    A feed whose address the configuration has, in any spelling, is not added again. A name that is taken gets
    an addition. A digest takes the feeds if it lists none, or if it is named in `digests`, or if it is the
    only digest. Raises NotFoundError for a digest that does not exist, and EditError.
    """
    for slug in digests:
        config.digest(slug)
    feeds, there = _sorted(config, wanted)
    names = tuple(dict.fromkeys(feed.name for feed in (*feeds, *there)))
    chosen = set(digests) or {digest.slug for digest in config.digests if len(config.digests) == 1}
    lists = {index for index, each in enumerate(config.digests) if each.feeds and each.slug in chosen}

    def change(text: str) -> str:
        text = with_feeds(text, feeds) if feeds else text
        for index in lists:
            missing = [name for name in names if name not in config.digests[index].feeds]
            text = with_feeds_of_digest(text, index, missing) if missing else text
        return text

    takers = [
        digest.slug
        for index, digest in enumerate(config.digests)
        if not digest.feeds or index in lists or set(names) <= set(digest.feeds)
    ]
    return Addition(
        draft=drafted(config.path, change),
        feeds=feeds,
        known=there,
        takers=tuple(takers),
        others=tuple(digest.slug for digest in config.digests if digest.slug not in takers),
    )


def _sorted(config: Config, wanted: Sequence[Feed]) -> tuple[tuple[Feed, ...], tuple[Feed, ...]]:
    """Return the feeds that the configuration lacks, with free names, and those that it has."""
    known = {canonical_url(feed.url): feed for feed in reversed(config.feeds)}
    there = {key: known[key] for feed in wanted if (key := canonical_url(feed.url)) in known}
    fresh = [feed for feed in wanted if canonical_url(feed.url) not in known]
    return with_free_names(fresh, {feed.name for feed in config.feeds}), tuple(there.values())


def with_free_names(feeds: Iterable[Feed], taken: Collection[str] = ()) -> tuple[Feed, ...]:
    """Return the feeds, each address once, with names that no other feed has.

    A name that is taken gets the host of the feed, or else a number.
    """
    names = set(taken)
    named: dict[str, Feed] = {}
    for feed in feeds:
        key = canonical_url(feed.url)
        if key not in named:
            named[key] = replace(feed, name=_free_name(feed, names))
            names.add(named[key].name)
    return tuple(named.values())


def _free_name(feed: Feed, taken: Collection[str]) -> str:
    host = host_of(feed.url).removeprefix("www.")
    numbered = (f"{feed.name} ({number})" for number in count(2))
    names = chain((feed.name, f"{feed.name} ({host})"), numbered)
    return next(name for name in names if name not in taken)


def feed_of(found: Found) -> Feed:
    """Return a feed that was found as it is configured."""
    return Feed(name=found.title, url=found.url, source=found.source)


# ── what is shown of a feed ─────────────────────────────────────────────────────────────────


def newest_posts(found: Found, most: int) -> tuple[Post, ...]:
    """Return the newest posts of a feed; those without a date follow, in the order of the feed."""
    dated = sorted((post for post in found.posts if post.published_at), key=_published, reverse=True)
    return (*dated, *(post for post in found.posts if not post.published_at))[:most]


def problems_of(found: Found, now: datetime) -> Iterator[str]:
    """Yield a sentence for each reason why a feed may not be what an editor expects."""
    posts = found.posts
    if found.comments:
        yield "it has comments of readers, not posts"
        return
    if not posts:
        yield "it has no posts at the moment"
        return
    dates = [post.published_at for post in posts if post.published_at]
    if not dates:
        yield "its posts have no dates"
    elif (days := (now - max(dates)).days) > _OLD_DAYS:
        months = round(days / _MONTH_DAYS)
        age = f"{months} months" if months < _YEARS_FROM else f"{months // 12} years"
        yield f"its newest post is {age} old"
    blurbs = [post.blurb for post in posts if post.blurb]
    if not blurbs:
        yield "it has only headlines, without a text"
    elif sum(blurb.endswith(("…", "...")) for blurb in blurbs) * 2 > len(posts):
        yield "it has only excerpts, and most of them are cut off within a sentence"
    if found.source is SourceKind.PAGE:
        yield "it is the page itself, because the site has no feed; look whether these are its posts"
    if found.wordpress:
        yield 'it is a WordPress site: add source = "wordpress" to tell its categories from its tags'
    if not any(post.tags for post in posts):
        yield "its posts have no tags, so its sections cannot be found"


def _published(post: Post) -> datetime:
    assert post.published_at is not None
    return post.published_at
