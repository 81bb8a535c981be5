"""Write an archive as an Atom feed (RFC 4287) and the URLs of all public pages as a sitemap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

_ATOM = "http://www.w3.org/2005/Atom"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
# Characters that XML 1.0 does not allow.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

register_namespace("", _ATOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomEntry:
    """One edition in a feed."""

    url: str
    title: str
    summary: str
    language: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomFeed:
    """An archive as a feed. `url` is the URL of the archive's page. Languages are BCP 47 tags."""

    url: str
    title: str
    author: str
    language: str
    entries: Sequence[AtomEntry]


def atom(feed: AtomFeed, now: datetime) -> bytes:
    """Return the feed as UTF-8. The same archive gives the same bytes, unless it is empty."""
    root = Element(f"{{{_ATOM}}}feed", {_LANG: feed.language})
    _add(root, "id", feed.url)
    _add(root, "title", feed.title)
    _add(root, "updated", _stamp(max((entry.at for entry in feed.entries), default=now)))
    _add(_add(root, "author"), "name", feed.author)
    _add(root, "link", rel="alternate", type="text/html", href=feed.url)
    _add(root, "link", rel="self", type="application/atom+xml", href=f"{feed.url}/feed.atom")
    for each in feed.entries:
        entry = _add(root, "entry", **({} if each.language == feed.language else {_LANG: each.language}))
        _add(entry, "id", each.url)
        _add(entry, "title", each.title)
        _add(entry, "updated", _stamp(each.at))
        _add(entry, "published", _stamp(each.at))
        _add(entry, "link", rel="alternate", type="text/html", href=each.url)
        _add(entry, "summary", each.summary)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def sitemap(urls: Iterable[tuple[str, datetime | None]]) -> bytes:
    """Return a sitemap of URLs, each with the time of its last change, if known."""
    root = Element("urlset", {"xmlns": _SITEMAP})
    for url, at in urls:
        element = SubElement(root, "url")
        SubElement(element, "loc").text = url
        if at is not None:
            SubElement(element, "lastmod").text = _stamp(at)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _add(parent: Element, name: str, text: str = "", **attributes: str) -> Element:
    child = SubElement(parent, f"{{{_ATOM}}}{name}", attributes)
    child.text = _ILLEGAL.sub("", text) or None
    return child


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
