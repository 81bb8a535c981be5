"""Read the feeds that a web page names, in its head, in its Link headers and among its links."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlsplit

from digest.collect.reading.html import HtmlElement, base_of, tree_of
from digest.collect.reading.parse import Document
from digest.collect.reading.prose import feed_line
from digest.model.links import canonical_url, host_of, web_url, without_feed_scheme

_MOST = 2_000  # links of a page that are looked at, of each kind
_LONGEST_HEADER = 8_000
_LONGEST_TITLE = 200

# The types that publishers use, right and wrong: application/rss+xml, text/rss, rss, application/x.atom+xml …
_FEED_TYPE = re.compile(r"\b(rss|atom|rdf|feed)")
_OPEN_TYPES = frozenset(["", "text/xml", "application/xml", "application/json", "text/html", "text/plain"])
_FEED_PATH = re.compile(
    r"(?:^|[/._-])(?:feeds?|rss(?:2|feed)?|atom|rdf)(?:\.(?:xml|json|php|rss|atom|aspx?))?/?$"
    r"|\.(?:rss|atom|rdf|xml)$",
    re.IGNORECASE,
)
_FEED_QUERY = re.compile(r"(?:^|&)(?:feed|format|type|output|alt)=(?:rss2?|atom|rdf|feed)(?:&|$)|^rss$", re.I)
# Other documents in XML, and services that take the address of a feed as a part of their own.
_NO_FEED = re.compile(
    r"sitemap|opensearch|opml|manifest|crossdomain|wlwmanifest|xmlrpc|https?(?:%3a|:)", re.I
)
_FEED_HOST = re.compile(r"(?:feeds?|rss)\d*\.")
_REFRESH = re.compile(r"url\s*=\s*['\"]?([^'\"]+)", re.IGNORECASE)
_HEADER_LINK = re.compile(r"<([^<>]{1,2048})>([^<>]*)")
_HEADER_VALUE = re.compile(r";\s*([a-z]+)\s*=\s*(?:\"([^\"]*)\"|([^\s\",;]+))", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An address that may be a feed's; `stated` means that the page calls it a feed."""

    url: str
    title: str = ""
    stated: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A web page, as far as it helps to find its feeds."""

    title: str = ""
    candidates: tuple[Candidate, ...] = ()
    login: bool = False  # it asks for a password
    refresh: str = ""  # the address to which it sends browsers


def read_page(document: Document, links: str = "") -> Page:
    """Return the feeds that a page and its Link headers name, the stated ones first, in their order.

    It never raises, whatever the document is.
    """
    root = tree_of(document)
    named = [*_in_headers(links, document.url)]
    if root is None:
        return Page(candidates=tuple(named))
    base = base_of(root, document.url)
    found: dict[str, Candidate] = {}
    for each in (*_in_head(root, base), *named, *_in_body(root, base)):
        found.setdefault(canonical_url(each.url), each)
    return Page(
        title=_line(root.findtext(".//title") or ""),
        candidates=tuple(found.values()),
        refresh=_refresh(root, base),
        login=any((each.get("type") or "").casefold() == "password" for each in root.iter("input")),
    )


def looks_like_feed(url: str) -> bool:
    """Return whether an address ends as the addresses of feeds do."""
    parts = urlsplit(url)
    named = _FEED_PATH.search(parts.path) or _FEED_QUERY.search(parts.query)
    return bool(named) and not _NO_FEED.search(f"{parts.path}?{parts.query}")


def _refresh(root: HtmlElement, base: str) -> str:
    """Return the address in <meta http-equiv="refresh" content="0; url=…">, or ""."""
    stated = (each for each in root.iter("meta") if (each.get("http-equiv") or "").casefold() == "refresh")
    matches = (_REFRESH.search(each.get("content") or "") for each in stated)
    return next((url for match in matches if match and (url := web_url(match[1], base))), "")


def _in_head(root: HtmlElement, base: str) -> Iterator[Candidate]:
    for element in islice(root.iter("link"), _MOST):
        yield from _stated({name: str(value) for name, value in element.attrib.items()}, base)


def _in_headers(links: str, base: str) -> Iterator[Candidate]:
    """Yield the feeds in the values of Link headers (RFC 8288)."""
    for match in _HEADER_LINK.finditer(links[:_LONGEST_HEADER]):
        values = {name.lower(): quoted or bare for name, quoted, bare in _HEADER_VALUE.findall(match[2])}
        yield from _stated({**values, "href": match[1]}, base)


def _stated(link: Mapping[str, str], base: str) -> Iterator[Candidate]:
    """Yield the feed of one link with a relation, if it is one."""
    rel = set(link.get("rel", "").casefold().split())
    kind = link.get("type", "").casefold().partition(";")[0].strip()
    url = web_url(without_feed_scheme(link.get("href", "")), base)
    if url is None or "stylesheet" in rel or not rel & {"alternate", "feed", "service.feed"}:
        return
    if _FEED_TYPE.search(kind) or "alternate" not in rel or (kind in _OPEN_TYPES and looks_like_feed(url)):
        yield Candidate(url=url, title=_line(link.get("title", "")))


def _in_body(root: HtmlElement, base: str) -> Iterator[Candidate]:
    """Yield the links that look like feeds of the same site, or are at a host for feeds."""
    for element in islice(root.iter("a"), _MOST):
        url = web_url(without_feed_scheme(element.get("href") or ""), base)
        if url and looks_like_feed(url) and (_one_site(url, base) or _FEED_HOST.match(host_of(url))):
            yield Candidate(url=url, title=_line(str(element.text_content())), stated=False)


def _one_site(one: str, other: str) -> bool:
    first, second = (host_of(each).removeprefix("www.") for each in (one, other))
    return first == second or first.endswith(f".{second}") or second.endswith(f".{first}")


def _line(text: str) -> str:
    return feed_line(text, _LONGEST_TITLE)
