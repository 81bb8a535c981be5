"""Complete the posts of some feeds from their pages, politely, and each page only once."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from urllib.parse import urlsplit

from digest.collect.fetching.answers import Fetched, FetchRequest, Result
from digest.collect.likeness import shares_title
from digest.collect.reading.entry import FeedSource, clean_post
from digest.collect.reading.identity import fingerprint
from digest.collect.reading.parse import Document
from digest.collect.reading.prose import is_whole
from digest.collect.sources.ask import Terms
from digest.collect.sources.page import read_article
from digest.model.posts import FetchLimits, PageFacts, Post
from digest.model.publication import Digest, Feed
from digest.model.tags import fold
from digest.storage.database import Connection, Database
from digest.storage.intake.save import save_page
from digest.storage.intake.stored import known_pages
from digest.storage.posts import waiting_posts

PAGES = 20  # fetched in one run
OF_ONE_HOST = 4  # one after the other
_SECONDS = 10.0  # for one page
_BYTES = 2_000_000  # of one page

_NOTHING = PageFacts()

log = logging.getLogger(__name__)


def complete_posts(
    database: Database, feeds: Sequence[Feed], digests: Sequence[Digest], terms: Terms
) -> None:
    """Fetch the pages of waiting posts that lack a blurb or a picture, and save what they say.

        wanted   ← posts that wait, of feeds to be completed, whose page has not been fetched
        for each round, with one page of each host:
            fetch    the pages, within limits
            read     the article on the page, if it is this post
            save     what the page says, also if it says nothing, and the completed post

    A page that fails is harmless, and is not fetched again.
    """
    names = {feed.name for feed in feeds if feed.complete}
    if not names:
        return
    limits = page_limits(terms.limits)
    with database.read() as connection:
        wanted = _wanted(connection, names, digests)
    for posts in _rounds(wanted):
        by_id = {post.id: post for post in posts}
        requests = [FetchRequest(feed_id=post.id, url=post.url or "", page=True) for post in posts]
        for request, result in terms.fetch(requests, limits):
            post = by_id[request.feed_id]
            page = _read(post, result, terms)
            with database.write() as connection:
                save_page(connection, page, completed(post, page), terms.now)


def with_pages(connection: Connection, posts: Sequence[Post]) -> tuple[Post, ...]:
    """Return entries of a document as their pages complete them, so that they are as they are stored."""
    pages = known_pages(connection, [post.url for post in posts if post.url and is_wanting(post)])
    return tuple(completed(post, pages[post.url]) if post.url in pages else post for post in posts)


def is_wanting(post: Post) -> bool:
    """Return whether a post has no whole blurb or no picture; an automatic excerpt ends within a sentence."""
    return not is_whole(post.blurb) or post.image is None


def completed(post: Post, page: PageFacts) -> Post:
    """Return a post with what it lacks, as far as its page has it."""
    better = not is_whole(post.blurb) and (is_whole(page.blurb) or not post.blurb)
    picture = page.image if post.image is None else None
    new = replace(
        post,
        blurb=page.blurb if better else post.blurb,
        image=picture or post.image,
        pictures=(*page.pictures, *post.pictures) if picture else post.pictures,
    )
    return replace(new, fingerprint=fingerprint(new))


def page_limits(limits: FetchLimits) -> FetchLimits:
    """Return the limits on the page of a post; larger pages are hardly articles."""
    return replace(limits, timeout=min(limits.timeout, _SECONDS), max_bytes=min(limits.max_bytes, _BYTES))


def _wanted(connection: Connection, names: set[str], digests: Sequence[Digest]) -> list[Post]:
    """Return the posts whose pages are to be fetched, the newest first."""
    waiting = (each for digest in digests for each in waiting_posts(connection, digest.slug))
    posts = {each.post.id: each.post for each in waiting if each.feed_name in names and is_wanting(each.post)}
    known = known_pages(connection, [post.url for post in posts.values() if post.url])
    new = [post for post in posts.values() if post.url and post.url not in known]
    return sorted(new, key=lambda post: (post.published_at or post.first_seen_at, post.id), reverse=True)


def _rounds(posts: Sequence[Post]) -> Iterator[list[Post]]:
    """Yield the posts whose pages are fetched at once: one of each host."""
    hosts: Counter[str] = Counter()
    taken: dict[str, Post] = {}
    for post in posts:
        url = post.url or ""
        host = urlsplit(url).netloc
        if len(taken) < PAGES and hosts[host] < OF_ONE_HOST and url not in taken:
            taken[url] = post
            hosts[host] += 1
    for urls in one_of_each_host(taken):
        yield [taken[url] for url in urls]


def one_of_each_host(urls: Iterable[str]) -> Iterator[list[str]]:
    """Yield addresses in rounds, one of each host, so that no server gets two requests at once."""
    hosts: defaultdict[str, list[str]] = defaultdict(list)
    for url in urls:
        hosts[urlsplit(url).netloc].append(url)
    for found in zip_longest(*hosts.values()):
        yield [url for url in found if url]


def _read(post: Post, result: Result, terms: Terms) -> PageFacts:
    """Read a page; an error in reading it costs only what it says."""
    try:
        return _page(post, result, terms)
    except Exception as error:
        # The error's message is not logged, because it may quote the page's address.
        log.error("a page of feed %s: %s while reading", post.feed_id, type(error).__name__)
        return _NOTHING


def _page(post: Post, result: Result, terms: Terms) -> PageFacts:
    """Return what a page says about a post; nothing if it fails, or is about something else."""
    if not isinstance(result, Fetched):
        return _NOTHING
    document = Document(body=result.body, url=result.url, content_type=result.content_type)
    entry = read_article(document)
    found = entry and clean_post(replace(entry, tags=()), FeedSource(feed_id=post.feed_id, now=terms.now))
    # The page may ask for consent or money, or the site may lead to its first page.
    if not found or not (shares_title(found, post) or fold(post.title) in fold(found.title)):
        return _NOTHING
    return PageFacts(blurb=found.blurb, image=found.image, pictures=found.pictures)
