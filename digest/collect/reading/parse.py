"""Parse a document into clean posts or one sentence of refusal; limit its entries and its depth first."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from html import unescape
from typing import Any
from xml.sax import SAXException

import feedparser

from digest.collect.fetching.timing import Wishes, rate, stated
from digest.collect.fetching.websub import Hub, in_xml, named
from digest.collect.reading.clean import feed_link, plain
from digest.collect.reading.dates import parse_date
from digest.collect.reading.encoding import decode
from digest.collect.reading.entry import Entry, FeedSource, clean_post, language
from digest.collect.reading.identity import without_doubles
from digest.collect.reading.images import without_common
from digest.collect.reading.jsonfeed import looks_like_json, read_json_feed
from digest.collect.reading.pictures.offers import Picture, pixels
from digest.collect.reading.pictures.sizes import names_picture
from digest.collect.reading.placeholders import bridge_error, error_page, is_error_feed
from digest.model.links import site_of, web_url
from digest.model.posts import Post

_PROLOGUE = re.compile(rb"(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_WEB_PAGE = re.compile(rb"<(!doctype\s+html|html)\b", re.IGNORECASE)
_REFERENCE = re.compile(rb"&#(x[0-9a-f]{1,20}|[0-9]{1,20});?", re.IGNORECASE)
_ENDED = "The publisher has ended this feed; remove it from the configuration."
_DATES = ("published", "created", "updated")
_NO_PICTURE = re.compile("^(id|link|title|comments)$|logo|avatar|author|icon|publisher")  # of an entry
_LONGEST_URL = 2_000  # characters


_NONE = Wishes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document that was fetched. `url` is the final address, without name and password."""

    body: bytes
    url: str
    content_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """The content of a feed. `skipped` has a reason for each entry that could not be used."""

    title: str
    language: str | None
    posts: tuple[Post, ...]
    skipped: tuple[str, ...] = ()
    complete: bool = True  # the document is well-formed, and every entry could be read
    wordpress: bool = False  # older posts are on its pages 2, 3, …
    next_url: str = ""  # older posts are there
    later: bool = False  # other posts wait for their date
    unread: tuple[str, ...] = ()  # the reasons why files of a folder could not be read
    whole: bool = False  # there is no page after these posts
    error: str = ""  # a failure that the feed itself reports between its entries, as one sentence
    wishes: Wishes = _NONE  # of the publisher, and the rate of its posts
    hub: Hub | None = None


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """The reason why a document is not a feed, as one sentence that says what to do."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The entries of a document of any kind, before they are cleaned."""

    entries: Sequence[Entry]
    title: str = ""
    language: str = ""
    broken: bool = False
    generator: str = ""
    next_url: str = ""
    ended: bool = False
    unread: tuple[str, ...] = ()  # the reasons why other files of the folder could not be read
    later: bool = False
    wishes: Wishes = _NONE  # about how often to ask
    hub: Hub | None = None


def parse(
    document: Document, *, feed_id: str, now: datetime, tags: tuple[str, ...] = (), max_posts: int = 500
) -> Parsed | ParseFailure:
    """Read RSS, RDF, Atom or JSON Feed; the content decides, not the content type.

    At most `max_posts` entries are read, in the order of the document. Every post gets the `tags`.
    """
    contents = _read(document, max_posts)
    if isinstance(contents, str):
        return ParseFailure(contents)
    return cleaned(contents, FeedSource(feed_id=feed_id, now=now, tags=tags))


def cleaned(contents: Contents, source: FeedSource) -> Parsed | ParseFailure:
    """Return the clean posts of a document; its language is that of posts that state none."""
    source = replace(source, language=language(contents.language), title=plain(contents.title, 200))
    posts = [clean_post(entry, source) for entry in contents.entries]
    empty = tuple(
        f"entry {number} has no title, no text, and no link with words in it"
        for number, post in enumerate(posts, start=1)
        if post is None
    )
    if empty and len(empty) == len(posts):
        return ParseFailure("No entry has a title, text or link; the publisher must fix the feed.")
    usable = [post for post in posts if post]
    errors = [code for post in usable if (code := bridge_error(post))]
    error = f"RSS-Bridge reports an error ({errors[0]}); look at the bridge." if errors else ""
    if error and len(errors) == len(usable):
        return ParseFailure(error)
    if is_error_feed(plain(contents.title, 200), usable):
        return ParseFailure(f"The feed reports an error: {usable[0].title}.")
    error = error or (_ENDED if contents.ended else "")
    return Parsed(
        title=source.title,
        language=source.language,
        posts=without_doubles(post for post in without_common(usable) if bridge_error(post) is None),
        skipped=(*contents.unread, *empty),
        complete=not (contents.unread or empty or contents.broken or error),
        error=error,
        wordpress="wordpress" in contents.generator.casefold(),
        wishes=_wishes(contents.wishes, usable, source.now),
        next_url=contents.next_url,
        later=contents.later,
        unread=contents.unread,
        hub=contents.hub,
    )


def _wishes(stated: Wishes, posts: Sequence[Post], now: datetime) -> Wishes:
    seen = rate([post.published_at for post in posts if post.published_at], now)
    return replace(seen, every=stated.every, hours=stated.hours, days=stated.days)


def _read(document: Document, limit: int) -> Contents | str:
    document = _in_utf8(document)
    body = document.body
    if not body.strip():
        return "The answer is empty; try again later, or look for the site's feed address."
    if looks_like_json(body):
        feed = read_json_feed(body, document.url, limit)
        if isinstance(feed, str):
            return feed
        return Contents(
            title=feed.title,
            language=feed.language,
            entries=feed.entries,
            next_url=feed.next_url if feed.next_url != document.url else "",
            ended=feed.ended,
            hub=named(feed.hubs, feed.own_url, document.url),
        )
    start = _PROLOGUE.match(body)
    if _WEB_PAGE.match(body, start.end() if start else 0):
        return _web_page(document)
    short = shortened(body, limit)
    if short is None:
        return f"The document nests more than {DEEPEST} elements, so it is not read; no real feed does this."
    return _read_xml(replace(document, body=short), limit)


def _in_utf8(document: Document) -> Document:
    """Return a document in UTF-8, or as it is if its encoding can only be guessed, as feedparser does."""
    text = decode(document.body, document.content_type)
    if text is None:
        return document
    return replace(document, body=text.encode(), content_type="application/xml; charset=utf-8")


def _web_page(document: Document) -> str:
    if known := error_page(document.body):
        return known
    found = feed_link(document.body.decode("utf-8", "replace"), document.url)
    hint = f"its feed seems to be {found}" if found else "look for its feed address"
    return f"This is a web page, not a feed; {hint}."


def _read_xml(document: Document, limit: int) -> Contents | str:
    found = _feedparser(document)
    if found is None:
        return error_page(document.body) or _no_feed(broken=True)
    broken = isinstance(found.get("bozo_exception"), SAXException)
    if not found.entries and (broken or not found.get("version")):
        return error_page(document.body) or _no_feed(broken=broken)
    feed = found.feed
    home = web_url(_text(feed.get("link")), document.url) or ""
    written_in = _text(feed.get("language"))
    return Contents(
        title=_text(feed.get("title")),
        language=written_in,
        entries=[_entry(entry, document.url, home, written_in) for entry in found.entries[:limit]],
        broken=broken,
        generator=_text(feed.get("generator")),
        wishes=stated(document.body),
        hub=in_xml(document.body, document.url),
    )


def _feedparser(document: Document) -> Any:
    """Return the document as feedparser reads it, or None if feedparser fails."""
    # A file's address cannot be the base of links: they stay relative until the site's address is known.
    headers = {"content-location": web_url(document.url) or "", "content-type": document.content_type}
    try:
        return feedparser.parse(
            io.BytesIO(_REFERENCE.sub(_believable_reference, document.body)),
            response_headers=headers,
            sanitize_html=False,  # `clean` does both
            resolve_relative_uris=False,
        )
    except Exception:
        # For broken XML, feedparser raises all kinds of errors: KeyError, AssertionError, UnicodeError …
        return None


def _believable_reference(match: re.Match[bytes]) -> bytes:
    """Return U+FFFD for a reference to a character that does not exist, because feedparser fails on it."""
    digits = match[1].lower()
    code = int(digits[1:], 16) if digits.startswith(b"x") else int(digits)
    return match[0] if code < 0xD800 or 0xDFFF < code <= 0x10FFFF else b"&#xFFFD;"


def _no_feed(*, broken: bool) -> str:
    if broken:
        return "The XML is broken and no entry could be read; the publisher must fix the feed."
    return "This is neither RSS nor Atom nor JSON Feed; look for the site's feed address."


def _entry(entry: Any, url: str, home: str, language: str) -> Entry:
    contents = [part for part in entry.get("content") or () if _text(part.get("value"))]
    parts = [*contents, entry.get("summary_detail") or {}]
    stated = _text(next((part.get("base") for part in parts if part.get("base")), None))
    base = _base(stated, url, home)
    # feedparser gives the address of the document where there is no xml:base.
    page = _page(web_url(_link(entry), base), home or base) if stated in ("", url) else base
    return Entry(
        id=_text(entry.get("id")),
        link=_link(entry),
        base=base,
        page=page,
        title=_text(entry.get("title")),
        summary=_text(entry.get("summary")),
        content="\n".join(_text(part.get("value")) for part in contents),
        authors=tuple(_authors(entry)),
        published_at=_published(entry, language),
        tags=tuple(_tags(entry)),
        pictures=tuple(_pictures(entry, page)),
        thumbnails=tuple(_media(entry, "media_thumbnail", page)),
        language=_text((contents[0] if contents else {}).get("language")),
        origin=_origin(entry),
        for_adults=_text(_member(entry.get("media_rating"), "content")).strip().casefold() == "adult",
    )


def _base(stated: str, url: str, home: str) -> str:
    """Return the base of relative links; for a feed in a file, only its site's address can be used."""
    return next((base for base in (stated, url) if web_url(base)), home)


def _page(link: str | None, home: str) -> str:
    """Return what the pictures of a post are relative to: its page, unless it links to another site."""
    return link if link and site_of(link) == site_of(home) else home


def _link(entry: Any) -> str:
    """Return the link of an entry, or of its first link that is not an enclosure.

    FeedBurner replaces links by its own, and keeps the publisher's.
    """
    if link := _text(entry.get("feedburner_origlink")) or _text(entry.get("link")):
        return link
    links = [_text(link.get("href")) for link in entry.get("links") or () if link.get("rel") != "enclosure"]
    return next((link for link in links if link), "")


def _origin(entry: Any) -> tuple[str, str]:
    """Return the name and the address of the publication that an entry was taken from, if the feed has it."""
    source = entry.get("source")
    link = _text(_member(source, "href")) or _text(_member(source, "link"))
    return _text(_member(source, "title")) or _text(_member(source, "value")), link


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _authors(entry: Any) -> Iterator[str]:
    """Yield the authors of an entry, with or without their addresses."""
    whole = _text(entry.get("author"))
    named = [_text(author.get("name")) for author in entry.get("authors") or () if author]
    # feedparser knows only addresses that end in two to four letters. It takes "ada@paper.medi" for one, and
    # leaves the name "a (Ada Quill". The whole text is right, but feedparser keeps only the last.
    if len(named) < 2 and "@" in whole:
        yield whole
    else:
        yield from (_LEFT_OVER.sub("", name) for name in named) if any(named) else [whole]


_LEFT_OVER = re.compile(r"^[a-z-]+ \((?=[^()]+$)|\s*(?:<|&lt;)[a-z-]+(?:>|&gt;)$")


def _published(entry: Any, language: str) -> datetime | None:
    """Return the first usable date; the texts are read here, because feedparser gets some of them wrong."""
    texts = (_text(entry.get(name)) for name in _DATES if name in entry)
    return next((date for text in texts if (date := parse_date(text, language))), None)


def _tags(entry: Any) -> Iterator[str]:
    """Yield the tags of an entry."""
    for tag in entry.get("tags") or ():
        text = _text(tag.get("label")) or _text(tag.get("term"))
        # Some feeds write all keywords into one element. One or two commas may belong to a single tag.
        yield from unescape(text).split("; ") if text.count(",") <= 2 else text.split(",")


def _pictures(entry: Any, base: str) -> Iterator[Picture]:
    yield from _media(entry, "media_content", base)
    yield from _media(entry, "enclosures", base)
    # The picture of an episode (itunes:image), or of an entry in RSS 1.0.
    if url := web_url(_text((entry.get("image") or {}).get("href")), base):
        yield Picture(url=url)
    # Some feeds name the file in elements of their own: <image><url>, <featuredImage>.
    texts = (_text(value) for name, value in entry.items() if not _NO_PICTURE.search(name))
    for text in texts:
        stated = text.strip() if "//" in text and len(text) < _LONGEST_URL else ""
        if stated and (url := web_url(stated, base)) and names_picture(url):
            yield Picture(url=url)


def _media(entry: Any, name: str, base: str) -> Iterator[Picture]:
    """Yield the pictures of one kind; only an enclosure must name its type or medium, or end as a picture."""
    for item in entry.get(name) or ():
        kind = _text(item.get("type"))
        medium = _text(item.get("medium")) or kind.partition("/")[0]
        url = web_url(_text(item.get("url")) or _text(item.get("href")), base)
        told = kind or medium or name != "enclosures"
        if url and medium in ("image", "") and (told or names_picture(url)):
            size = (pixels(item.get("width")), pixels(item.get("height")))
            yield Picture(url=url, kind=kind, width=size[0], height=size[1])


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


DEEPEST = 250  # open elements; feeds have about twenty, and deep nesting takes very long to parse

_TAG = re.compile(
    rb"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|<(/?)([A-Za-z][^\s<>/]{0,100}+)[^<>]{0,5000}?(/?)>",
    re.DOTALL,
)
_ENTRIES = frozenset([b"item", b"entry", b"rss:item", b"atom:entry"])
_NEVER_CLOSED = frozenset([b"br", b"hr", b"img", b"input", b"meta"])  # in HTML that was not escaped


def shortened(body: bytes, entries: int) -> bytes | None:
    """Return a document with at most its first `entries` entries, or None if it nests too deep.

    The rest is cut off, and open elements are closed, so that the document stays well-formed.
    """
    opened: list[bytes] = []
    found = 0
    for match in _TAG.finditer(body):
        closing, name, closed = match.groups()
        if name is None or closed or name.lower() in _NEVER_CLOSED:
            continue
        if not closing:
            opened.append(name)
            if len(opened) > DEEPEST:
                return None
            continue
        if opened:
            opened.pop()
        found += name in _ENTRIES
        if found == entries:
            return body[: match.end()] + b"".join(b"</%b>" % name for name in reversed(opened))
    return body
