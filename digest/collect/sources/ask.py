"""Ask each feed at its addresses, the best first, and read the first answer that can be read."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from zlib import crc32

from digest.collect.fetching.answers import Exchange, Fetched, FetchFailure, FetchRequest, NotModified, Result
from digest.collect.fetching.fetch import fetch_all
from digest.collect.reading.entry import FeedSource
from digest.collect.reading.parse import Document, Parsed, ParseFailure, cleaned, parse
from digest.collect.sources import wordpress
from digest.collect.sources.markdown import read_markdown
from digest.collect.sources.page import read_page
from digest.model.links import is_rest
from digest.model.posts import FetchLimits
from digest.model.publication import Feed, SourceKind

Fetch = Callable[[Iterable[FetchRequest], FetchLimits], Iterator[Exchange]]
_TOO_OFTEN = 429
_NO_SUCH_PAGE = frozenset([400, 404])  # of a REST interface, and of a feed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A feed to be asked. `request` has its address, and the validators of its last answer."""

    feed: Feed
    request: FetchRequest
    fallback: str = ""  # why the site's feed is asked at once, instead of its REST interface
    body_hash: str | None = None  # of the document that was read last


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The result of one feed, and its posts if it has answered with a document."""

    asked: Asked
    request: FetchRequest  # the one that was answered
    result: Result
    parsed: Parsed | ParseFailure | None = None
    fallback: str = ""  # why this is the site's feed, instead of its REST interface
    body_hash: str | None = None  # of its document; if it is the one that was read last, it is not read again


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The limits, the time and the fetcher that all requests of a run share."""

    limits: FetchLimits
    now: datetime
    fetch: Fetch = fetch_all


def with_documents(documents: Mapping[str, Fetched], fetch: Fetch) -> Fetch:
    """Return a fetcher that has these documents at hand, by their addresses, and fetches all others."""

    def fetching(requests: Iterable[FetchRequest], limits: FetchLimits) -> Iterator[Exchange]:
        others = []
        for request in requests:
            if request.url in documents and request.form is None:
                yield request, documents[request.url]
            else:
                others.append(request)
        yield from fetch(others, limits)

    return fetching


def ask(feeds: Iterable[Asked], terms: Terms) -> Iterator[Answer]:
    """Yield the answer of each feed as it arrives; every failure is a value.

    A feed of which an address could not be used is asked again, at its next address, after all others.
    """
    left = {each.request.feed_id: (each, _requests(each)) for each in feeds}
    reasons: dict[str, str] = {}
    round_ = [requests.pop(0) for _, requests in left.values()]
    while round_:
        again: list[FetchRequest] = []
        for request, result in terms.fetch(round_, terms.limits):
            asked, others = left[request.feed_id]
            answer = _answer(asked, request, result, terms)
            if others and (reason := _reason(answer)):
                reasons.setdefault(request.feed_id, reason)
                again.append(others.pop(0))
            else:
                yield _explained(answer, reasons.get(request.feed_id, asked.fallback))
        round_ = again


def ask_page(before: Answer, number: int, terms: Terms) -> Answer | None:
    """Return the answer of the page after a page; None if there is no such page, or no answer in time."""
    url = _next_page(before, number)
    if not url:
        return None
    request = FetchRequest(feed_id=before.request.feed_id, url=url)
    found = next((result for _, result in terms.fetch([request], terms.limits)), None)
    return _answer(before.asked, request, found, terms) if found else None


def has_pages(answer: Answer) -> bool:
    """Return whether older posts are on further pages."""
    return bool(_next_page(answer, 2))


def is_no_page(answer: Answer) -> bool:
    """Return whether a site has answered that there is no such page."""
    return isinstance(answer.result, FetchFailure) and answer.result.status in _NO_SUCH_PAGE


def _next_page(before: Answer, number: int) -> str:
    """Return the address of the page after a page: the feed states it, or WordPress numbers its pages."""
    if not isinstance(before.parsed, Parsed):
        return ""
    if before.parsed.wordpress:
        return wordpress.page_url(before.request.url, number)
    return before.parsed.next_url


def _requests(asked: Asked) -> list[FetchRequest]:
    """Return the requests for a feed, best first; validators are sent only to the feed that gave them."""
    if asked.feed.source is not SourceKind.WORDPRESS:
        return [replace(asked.request, page=asked.feed.source is SourceKind.PAGE)]
    bare = replace(asked.request, etag=None, last_modified=None)
    addresses = wordpress.addresses(asked.request.url)
    rest = [replace(bare, url=url) for url in addresses if is_rest(url)]
    feeds = [replace(asked.request, url=url) for url in addresses if not is_rest(url)]
    return feeds if feeds and asked.fallback else rest + feeds


def _answer(asked: Asked, request: FetchRequest, result: Result, terms: Terms) -> Answer:
    if not isinstance(result, Fetched):
        return Answer(asked=asked, request=request, result=result)
    if is_rest(request.url):
        result = replace(result, etag=None, last_modified=None)
    body_hash = _hash(asked, request, result, terms)
    if body_hash and body_hash == asked.body_hash:
        same = NotModified(
            moved_to=result.moved_to,
            etag=result.etag,
            last_modified=result.last_modified,
            fresh=result.fresh,
        )
        return Answer(asked=asked, request=request, result=same, body_hash=body_hash)
    parsed = read(asked.feed, request, result, terms)
    # Some posts appear without any change of the files, and what is wrong with others should stay in sight.
    if isinstance(parsed, Parsed) and (parsed.later or parsed.unread):
        result, body_hash = replace(result, etag=None, last_modified=None), None
    return Answer(asked=asked, request=request, result=result, parsed=parsed, body_hash=body_hash)


def failure_of(answer: Answer) -> FetchFailure | None:
    """Return why an answer has no posts, or None; a feed may also report a failure between its entries."""
    if isinstance(answer.result, FetchFailure):
        return answer.result
    if isinstance(answer.parsed, ParseFailure):
        return FetchFailure(detail=answer.parsed.detail)
    if isinstance(answer.parsed, Parsed) and answer.parsed.error:
        return FetchFailure(detail=answer.parsed.error)
    return None


def _hash(asked: Asked, request: FetchRequest, found: Fetched, terms: Terms) -> str | None:
    """Return a hash of a document and of how it is read, None for a folder; it is another one each week.

    So a document is read again after a week at the latest, because a newer program may read it better.
    """
    if found.folder is not None:
        return None
    feed_id = request.feed_id.encode()
    week = (terms.now.toordinal() + crc32(feed_id)) // 7
    where = request.url, found.url, found.content_type
    how = repr((asked.feed, terms.limits.max_posts, *where, week)).encode()
    return blake2b(how + found.body, digest_size=16).hexdigest()


def read(feed: Feed, request: FetchRequest, found: Fetched, terms: Terms) -> Parsed | ParseFailure:
    """Read a document of a feed; an error in reading it is a failure of this feed only."""
    try:
        return _posts(feed, request, found, terms)
    except Exception as error:
        # The error's message is not logged, because it may quote the feed's address with its password.
        place = "".join(traceback.format_tb(error.__traceback__))
        log.error("feed %s: %s while reading\n%s", feed.name, type(error).__name__, place)
        return ParseFailure("An error in this program stopped the reading; the log says where.")


def _posts(feed: Feed, request: FetchRequest, found: Fetched, terms: Terms) -> Parsed | ParseFailure:
    source = FeedSource(feed_id=request.feed_id, now=terms.now, tags=feed.tags)
    most = terms.limits.max_posts
    if feed.source is SourceKind.WORDPRESS and is_rest(request.url):
        contents = wordpress.read_posts(found.body, found.url, most)
        return ParseFailure(contents) if isinstance(contents, str) else cleaned(contents, source)
    if found.folder:
        return cleaned(read_markdown(found.folder, feed.link, terms.now), source)
    document = Document(body=found.body, url=found.url, content_type=found.content_type)
    parsed = parse(document, feed_id=request.feed_id, now=terms.now, tags=feed.tags, max_posts=most)
    if feed.source is not SourceKind.PAGE or isinstance(parsed, Parsed):
        return parsed
    contents = read_page(document, most)
    return ParseFailure(contents) if isinstance(contents, str) else cleaned(contents, source)


def _reason(answer: Answer) -> str:
    """Return why another address should be asked, or "" if it should not: the server may only be busy."""
    if isinstance(answer.parsed, ParseFailure):
        return "it did not answer with posts"
    if not isinstance(answer.result, FetchFailure):
        return ""
    status = answer.result.status
    return f"it answered with an error ({status})" if status and status != _TOO_OFTEN else ""


def _explained(answer: Answer, reason: str) -> Answer:
    is_feed = answer.asked.feed.source is SourceKind.WORDPRESS and not is_rest(answer.request.url)
    return replace(answer, fallback=reason if is_feed else "")
