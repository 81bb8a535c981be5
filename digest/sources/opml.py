"""Exchange lists of feeds with other programs, as OPML: read any version, write 2.0."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any

import listparser

from digest.collect.reading.encoding import decode
from digest.collect.reading.parse import shortened
from digest.collect.reading.prose import feed_line
from digest.config.parsers import web_address
from digest.model.links import host_of, public_url, web_url, without_feed_scheme
from digest.model.publication import Feed, SourceKind
from digest.model.tags import fold

LONGEST = 2_000_000  # bytes; some 10,000 feeds
_MOST = 10_000  # feeds of one file
_LONGEST_NAME = 200
_NO_FOLDERS = frozenset(
    ["uncategorized", "uncategorised", "all", "all feeds", "feeds", "subscriptions", "rss"]
)
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedList:
    """The feeds of an OPML file. `faults` has a sentence for each line that cannot be used.

    `failure` is the reason why the whole file cannot be used.
    """

    feeds: tuple[Feed, ...] = ()
    faults: tuple[str, ...] = ()
    failure: str = ""


def read_opml(body: bytes) -> FeedList:
    """Read a list of feeds. The folders of a feed become its tags; each address is taken once.

    Entities of the file's own are not expanded, and nothing is fetched. It never raises.
    """
    if len(body) > LONGEST:
        return FeedList(failure=f"The file is larger than {LONGEST:,} bytes; split it.")
    text = decode(body) or body.decode("utf-8", "replace")
    if shortened(text.encode("utf-8", "replace"), _MOST) is None:
        return FeedList(failure="The file nests its folders too deep; no list of feeds does this.")
    listed = _listed(text)
    if listed is None or not (listed["version"] or listed["feeds"]):
        return FeedList(
            failure="This is not an OPML file; export the list of feeds from your program as OPML."
        )
    if not listed["feeds"]:
        others = len(listed["lists"])
        elsewhere = f", only {others} other lists; import these" if others else ""
        return FeedList(failure=f"The file names no feed{elsewhere}.")
    read = [_feed(each) for each in listed["feeds"][:_MOST]]
    return FeedList(
        feeds=tuple(each for each in read if isinstance(each, Feed)),
        faults=tuple(each for each in read if isinstance(each, str)),
    )


def _listed(text: str) -> Any:
    """Return the list as listparser reads it, or None if it fails."""
    try:
        # A text that begins with http:// would be fetched, past the guard; bytes are only read. As ASCII they
        # are read right, whatever encoding the file declares.
        return listparser.parse(text.encode("ascii", "xmlcharrefreplace"))
    except Exception:  # for a broken file, listparser raises all kinds of errors
        return None


def _feed(listed: Any) -> Feed | str:
    """Return a feed, or the sentence that says why it cannot be used."""
    written = str(listed["url"])
    url = without_feed_scheme(written)
    title = feed_line(str(listed["title"]), _LONGEST_NAME)
    try:
        usable = web_url(web_address(url)) is not None
    except ValueError:
        usable = False
    if not usable:
        return f"{title or 'a feed without a title'}: its address is not a web address, so it is left out"
    name = title or host_of(url).removeprefix("www.")
    return Feed(name=name, url=url, tags=tuple(_tags(listed["categories"])))


def _tags(categories: Iterable[list[str]]) -> Iterator[str]:
    """Yield the innermost folder of each path, once, without those in which programs put everything."""
    names = (feed_line(path[-1], _LONGEST_NAME) for path in categories if path)
    yield from {fold(name): name for name in names if fold(name) and fold(name) not in _NO_FOLDERS}.values()


def no_feed_elsewhere(feed: Feed) -> str:
    """Return why other programs cannot read a source as a feed, as the end of a sentence, or ""."""
    if feed.url.startswith("file:"):
        return "is on this machine"
    return {SourceKind.PAGE: "is a page", SourceKind.WORDPRESS: "is a WordPress site"}.get(feed.source, "")


def write_opml(feeds: Sequence[Feed], title: str, now: datetime) -> str:
    """Return feeds as OPML 2.0, with a folder for each tag; a feed with several tags is in each of them.

    Names, passwords and tokens in addresses are left out.
    """
    root = ET.Element("opml", version="2.0")
    head, body = ET.SubElement(root, "head"), ET.SubElement(root, "body")
    ET.SubElement(head, "title").text = _xml(title)
    ET.SubElement(head, "dateCreated").text = format_datetime(now)
    folders = {tag: ET.SubElement(body, "outline", text=_xml(tag)) for tag in _all_tags(feeds)}
    for feed in feeds:
        for place in [folders[tag] for tag in feed.tags] or [body]:
            name = _xml(feed.name)
            ET.SubElement(place, "outline", type="rss", text=name, title=name, xmlUrl=public_url(feed.url))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _all_tags(feeds: Iterable[Feed]) -> dict[str, None]:
    return dict.fromkeys(tag for feed in feeds for tag in feed.tags)


def _xml(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)
