"""Find the feeds of a site: fetch its page, then the feeds that it names, then the usual paths of feeds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from digest.collect.discovery.comments import is_of_comments
from digest.collect.discovery.found import Found, Search, found_at, without_doubles
from digest.collect.discovery.page import Candidate, Page, read_page
from digest.collect.fetching.answers import Fetched, FetchFailure, FetchRequest, Result
from digest.collect.fetching.fetch import fetch_all
from digest.collect.reading.parse import Document, Parsed, ParseFailure
from digest.collect.sources.ask import Fetch, Terms, read
from digest.model.links import host_of, is_rest, web_url
from digest.model.posts import FetchLimits
from digest.model.publication import Feed, SourceKind

REQUESTS = 12  # to one site
PATHS = ("feed/", "rss", "atom.xml", "index.xml", "feed.xml", "feed.json")  # where feeds usually are
_SECONDS = 25.0  # for one request; some sites take so long when nobody has asked for a while
_PATIENCE = 60.0  # seconds for the whole search
_AT_ONCE = 4
_A_LIST = 2  # posts; a page with one is an article
_NOTHING_THERE = frozenset([404, 410])
_LOGIN = re.compile(r"log-?in|sign-?in|/auth\b|/sso\b|anmelden|connexion", re.IGNORECASE)


def _until(end: float) -> Fetch:
    """Return a function that fetches until a time of the monotonic clock."""
    return partial(fetch_all, stop=lambda: monotonic() > end)


def _ignore(_asked: int) -> None:
    """Ignore the progress; it is the default for callers that do not show it."""


def find_feeds(
    address: str,
    limits: FetchLimits,
    now: datetime,
    *,
    asked: Callable[[int], None] = _ignore,
    fetch: Fetch | None = None,
) -> Search:
    """Find the feeds of a site. The address may lack its scheme, and may be that of a feed.

        page       ← the document at the address (https before http, if the address has no scheme)
        feed       ← the page itself, if it is a feed
        candidates ← what the page calls its feeds, then links that look like feeds
        feeds      ← the candidates that are feeds, or the usual paths that are, or the page if it lists posts

    At most `REQUESTS` documents are fetched, within a minute, and `asked` is given their number after each.
    Nothing is saved.
    """
    starts = _starts(address)
    if not starts:
        return Search(failure=f"{address.strip()!r} is not the address of a site, such as www.example.org.")
    fewer = replace(limits, timeout=min(limits.timeout, _SECONDS), in_flight=_AT_ONCE)
    return _Search(fewer, now, asked, fetch or _until(monotonic() + _PATIENCE)).begin(starts)


class _Search:
    """One search, which counts its requests."""

    def __init__(
        self, limits: FetchLimits, now: datetime, asked: Callable[[int], None], fetch: Fetch
    ) -> None:
        self._limits = limits
        self._now = now
        self._report = asked
        self._fetch = fetch
        self._asked: dict[str, str] = {}  # each address, with the reason why it is no feed
        self._answers = 0
        self._login = ""
        self._home = ("", "")  # the scheme and host that were given; the login is for them alone

    def begin(self, starts: Sequence[str]) -> Search:
        start, result = self._first(starts)
        if not isinstance(result, Fetched):
            return Search(failure=_failure(start, result))
        self._login, self._home = _login_of(start), _place(web_url(start) or "")
        parsed = self._parsed(result)
        if isinstance(parsed, Parsed):
            return Search(feeds=(found_at(start, result, "", parsed),))
        page = read_page(_document(result), result.links)
        found, refused = self._named(page, result.url)
        if not found:
            usual = [Candidate(url=url, stated=False) for url in _usual(result.url)]
            found = tuple(sorted(self._among(usual)[0], key=_newest, reverse=True))
            found = found or self._page(start, result, page.title)
        if start not in starts:
            refused = (f"There is nothing at {starts[0]}, so the front page was searched.", *refused)
        failure = "" if found else self._nothing(result, page, parsed.detail)
        return Search(feeds=found, notes=refused, failure=failure)

    def _first(self, starts: Sequence[str]) -> tuple[str, Result]:
        """Fetch the address; if there is nothing, fetch the site's front page."""
        start, result = starts[0], self._one(starts[0])
        for other in starts[1:]:
            if isinstance(result, FetchFailure) and result.status is None:
                start, result = other, self._one(other)
        front = urljoin(start, "/")
        if isinstance(result, FetchFailure) and result.status in _NOTHING_THERE and front != start:
            there = self._one(front)
            if isinstance(there, Fetched):
                return front, there
        return start, result

    def _named(self, page: Page, url: str) -> tuple[tuple[Found, ...], tuple[str, ...]]:
        """Return the feeds of a page, or of the page to which it sends browsers, or of the front page."""
        found, refused = self._among(page.candidates)
        for other in filter(None, (page.refresh, urljoin(url, "/"))):
            there = None if found else self._one(self._with_login(other))
            if isinstance(there, Fetched):
                candidates = read_page(_document(there), there.links).candidates
                found, more = self._among(candidates)
                refused += more
        return found, refused

    def _one(self, url: str) -> Result:
        """Fetch one document; one that was fetched before counts as no answer."""
        return next((result for _, result in self._all([url])), _SILENT)

    def _all(self, urls: Sequence[str]) -> Iterator[tuple[str, Result]]:
        """Fetch what has not been fetched yet, as far as the number of requests allows."""
        fresh = [url for url in dict.fromkeys(urls) if url not in self._asked][: REQUESTS - len(self._asked)]
        self._asked.update(dict.fromkeys(fresh, "there was no answer in time"))
        for request, result in self._fetch(
            [FetchRequest(feed_id=url, url=url) for url in fresh], self._limits
        ):
            self._asked[request.url] = (
                _short(result) if isinstance(result, FetchFailure) else "this is no feed"
            )
            self._answers += 1
            self._report(self._answers)
            yield request.url, result

    def _among(self, candidates: Sequence[Candidate]) -> tuple[tuple[Found, ...], tuple[str, ...]]:
        """Fetch the candidates and return the feeds, those of comments last, and the refusals."""
        ordered = sorted(candidates, key=lambda each: is_of_comments(each.url, [each.title]))
        results = dict(self._all([self._with_login(each.url) for each in ordered]))
        found: list[Found] = []
        refused: list[str] = []
        for each in ordered:
            url = self._with_login(each.url)
            result = results.get(url)
            parsed = self._parsed(result) if isinstance(result, Fetched) else None
            if isinstance(result, Fetched) and isinstance(parsed, Parsed):
                found.append(found_at(url, result, each.title, parsed))
            elif each.stated and result is not None:
                failure = result if isinstance(result, FetchFailure) else None
                refused.append(f"{each.url}: {_here(failure.detail) if failure else _detail(parsed)}")
        return tuple(without_doubles(found)), tuple(refused)

    def _with_login(self, url: str) -> str:
        """Return an address of the host that was given with the name and password that were given."""
        parts = urlsplit(url)
        if not self._login or "@" in parts.netloc or _place(url) != self._home:
            return url
        return urlunsplit(parts._replace(netloc=f"{self._login}@{parts.netloc}"))

    def _parsed(self, result: Fetched, source: SourceKind = SourceKind.FEED) -> Parsed | ParseFailure:
        kind = SourceKind.WORDPRESS if is_rest(result.url) else source
        feed = Feed(name=host_of(result.url), url=result.url, source=kind)
        terms = Terms(limits=self._limits, now=self._now, fetch=self._fetch)
        return read(feed, FetchRequest(feed_id="", url=result.url), result, terms)

    def _page(self, start: str, result: Fetched, title: str) -> tuple[Found, ...]:
        """Return the page itself as a source, if it lists posts."""
        parsed = self._parsed(result, SourceKind.PAGE)
        if isinstance(parsed, ParseFailure) or len(parsed.posts) < _A_LIST:
            return ()
        return (replace(found_at(start, result, title, parsed), source=SourceKind.PAGE),)

    def _nothing(self, result: Fetched, page: Page, detail: str) -> str:
        """Say why nothing was found at a page that could be fetched."""
        if page.login or _LOGIN.search(urlsplit(result.url).path):
            return "The address leads to a page that asks for a log-in; give the address of the feed itself."
        if result.body.strip() and "web page" not in detail and not page.candidates and not page.title:
            return "There is neither a web page nor a feed at this address; check the address."
        there = {url: failure for url, failure in self._asked.items() if _place(url) == _place(result.url)}
        tried = ", ".join(f"{_path(url)} ({failure})" for url, failure in there.items())
        return (
            "No feed was found: the page names none that can be read, and there is none where feeds usually"
            f" are. These were tried: {tried}. Look for a link named RSS on the site, or ask its publisher"
            " for the address of the feed."
        )


_NEVER = datetime.min.replace(tzinfo=UTC)
_SILENT = FetchFailure(detail="There was no answer in time; try again later.")


def _starts(address: str) -> tuple[str, ...]:
    """Return the addresses with which to begin, in their order; none if the text cannot be an address."""
    text = re.sub(r"^feed:(?://)?(?=https?:)", "", address.strip(), flags=re.IGNORECASE)
    text = re.sub(r"^feed:(?://)?", "http://", text, flags=re.IGNORECASE)
    if re.match(r"https?://", text, re.IGNORECASE):
        starts: tuple[str, ...] = (text,)
    elif "://" in text or "@" in text.partition("/")[0]:
        return ()
    else:
        starts = (f"https://{text.lstrip('/')}", f"http://{text.lstrip('/')}")
    if any(web_url(url) is None or re.search(r"\s", url) for url in starts):
        return ()
    return tuple(_with_path(urlsplit(url)) for url in starts)


def _with_path(parts: SplitResult) -> str:
    return urlunsplit(parts._replace(path=parts.path or "/", fragment=""))


def _place(url: str) -> tuple[str, str]:
    """Return the scheme of an address, and its host and port without name and password."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2]


def _login_of(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[0]


def _usual(url: str) -> Iterator[str]:
    """Yield the usual addresses of feeds, below the page and then below the front page."""
    folder = urljoin(
        url, "." if urlsplit(url).path.endswith("/") or "." in url.rpartition("/")[2] else f"{url}/"
    )
    for place in dict.fromkeys((urlsplit(folder)._replace(query="").geturl(), urljoin(url, "/"))):
        yield from (urljoin(place, path) for path in PATHS)


def _newest(feed: Found) -> datetime:
    """Return the date of the newest post; the feed that is kept up is the one that readers should get."""
    return max((post.published_at for post in feed.posts if post.published_at), default=_NEVER)


def _document(result: Fetched) -> Document:
    return Document(body=result.body, url=result.url, content_type=result.content_type)


def _failure(url: str, result: Result) -> str:
    detail = _here(result.detail) if isinstance(result, FetchFailure) else _SILENT.detail
    host = host_of(url)
    return detail if host in detail else f"{host}: {detail}"


def _detail(parsed: Parsed | ParseFailure | None) -> str:
    return parsed.detail if isinstance(parsed, ParseFailure) else ""


_HERE = (
    ("the feed is tried again later", "try again later"),
    ("look for the feed's new address", "check the address"),
    ("; remove it from the configuration", ""),
    ("its url", "the address"),
    ("the feed's url", "the address"),
    ("the url", "the address"),
)


def _here(detail: str) -> str:
    """Return the sentence of a failure with advice for an address that is not configured yet."""
    for configured, here in _HERE:
        detail = detail.replace(configured, here)
    return detail


def _short(failure: FetchFailure) -> str:
    return str(failure.status) if failure.status else "no answer"


def _path(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
