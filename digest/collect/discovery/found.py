"""The feeds that a search finds: what is known of each, and which of them are the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from digest.collect.discovery.comments import is_of_comments
from digest.collect.fetching.answers import Fetched
from digest.collect.reading.parse import Parsed
from digest.model.links import canonical_url, host_of
from digest.model.posts import Post
from digest.model.publication import SourceKind

_ENOUGH = 3  # posts that two feeds must share before they count as one
_LONGEST_NAME = 40  # characters; readers see the name above each story
_DASH = re.compile(r"\s[-–—|»›·:]+\s|:\s")
_SUFFIX = re.compile(
    r"\s*[-–—|»›:·(\[]\s*(?:rss|atom|feed|xml|rdf|news)(?:[\s-]*(?:feed|2\.0|1\.0))?\s*[)\]]?$", re.I
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A feed that was found, with its posts. `url` may contain a name and password, as they were given.

    `document` is what was fetched from there. A feed that is added at once is not fetched again.
    """

    url: str
    title: str
    posts: tuple[Post, ...]
    source: SourceKind = SourceKind.FEED
    language: str | None = None
    comments: bool = False  # of readers
    wordpress: bool = False  # the main feed of a WordPress site, which has a REST interface too
    document: Fetched | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The result of a search. `failure` says why there is no feed, and what to do."""

    feeds: tuple[Found, ...] = ()  # those with comments of readers are the last
    notes: tuple[str, ...] = ()  # a sentence for each feed that the site names and that cannot be read
    failure: str = ""


def found_at(asked: str, result: Fetched, link_title: str, parsed: Parsed) -> Found:
    """Return a feed as it was found at the address that was asked, with a name for readers."""
    url = result.moved_to or asked
    return Found(
        url=url,
        title=_name(parsed.title) or _name(link_title) or host_of(url).removeprefix("www."),
        posts=parsed.posts,
        language=parsed.language,
        comments=is_of_comments(url, [link_title, parsed.title], parsed.posts),
        wordpress=parsed.wordpress and urlsplit(url).path.rstrip("/") == "/feed",
        document=replace(result, moved_to=None),
    )


def _name(title: str) -> str:
    """Return a title without "RSS"; of a slogan, only what stands before the first dash; empty for others."""
    name = _SUFFIX.sub("", title).strip()
    if len(name) > _LONGEST_NAME:
        name = _DASH.split(name)[0].strip()
    return name if len(name) <= _LONGEST_NAME else ""


def without_doubles(feeds: Iterable[Found]) -> list[Found]:
    """Return the feeds without those that bring the posts of an earlier one; those of comments come last."""
    kept: list[Found] = []
    for feed in sorted(feeds, key=lambda each: (each.comments, not each.posts)):
        if not any(_same(feed, other) for other in kept):
            kept.append(feed)
    return kept


def _same(one: Found, other: Found) -> bool:
    """Return whether two feeds bring the same posts, of which one may show fewer."""
    if canonical_url(one.url) == canonical_url(other.url):
        return True
    first, second = (
        [canonical_url(post.url) if post.url else post.title for post in feed.posts] for feed in (one, other)
    )
    count = min(len(first), len(second))
    if count < _ENOUGH:
        return count > 0 and set(first) == set(second)
    return set(first[:count]) == set(second[:count])
