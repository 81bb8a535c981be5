"""Write an archive as an Atom feed (RFC 4287), and the addresses of all pages as a sitemap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

_ATOM = "http://www.w3.org/2005/Atom"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
# What XML 1.0 cannot hold.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

register_namespace("", _ATOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One edition in a feed."""

    url: str
    title: str
    summary: str
    language: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """An archive as a feed. `url` is that of its page; the feed's own is below it. Languages are BCP 47's."""

    url: str
    title: str
    author: str
    language: str
    entries: Sequence[Entry]


def atom(feed: Feed, now: datetime) -> bytes:
    """Return the feed as UTF-8; the same archive gives the same bytes once there is an edition."""
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


def sitemap(addresses: Iterable[tuple[str, datetime | None]]) -> bytes:
    """Return a sitemap of addresses, each with the time it last changed, if that is known."""
    root = Element("urlset", {"xmlns": _SITEMAP})
    for address, at in addresses:
        url = SubElement(root, "url")
        SubElement(url, "loc").text = address
        if at is not None:
            SubElement(url, "lastmod").text = _stamp(at)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _add(parent: Element, name: str, text: str = "", **attributes: str) -> Element:
    child = SubElement(parent, f"{{{_ATOM}}}{name}", attributes)
    child.text = _ILLEGAL.sub("", text) or None
    return child


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
