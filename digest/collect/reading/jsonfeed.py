"""Read JSON Feed 1.0 and 1.1 (jsonfeed.org) into entries; values of a wrong type are ignored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from digest.collect.reading.dates import parse_date
from digest.collect.reading.entry import Entry
from digest.collect.reading.pictures.offers import Picture, pixels
from digest.model.links import web_url


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFeed:
    """A JSON Feed that has been read but not cleaned."""

    title: str
    language: str
    entries: tuple[Entry, ...]
    next_url: str = ""  # where the older entries are
    hubs: tuple[str, ...] = ()  # of WebSub
    own_url: str = ""  # the address of the feed
    ended: bool = False  # the publisher will not add anything


def looks_like_json(body: bytes) -> bool:
    """Return whether a document is JSON, by its first character and not by its content type."""
    return body[:64].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def read_json_feed(body: bytes, base: str, limit: int) -> JsonFeed | str:
    """Return the feed with at most `limit` entries, or a sentence that says what is wrong; never raises."""
    try:
        document = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return "The document begins like JSON but is broken; the publisher must fix the feed."
    version = _text(document, "version")
    if "jsonfeed.org/version/" not in version and not isinstance(_get(document, "items"), list):
        return "This is JSON but not a JSON Feed; look for the site's feed address."
    home = web_url(_text(document, "home_page_url"), base) or ""
    root = base if web_url(base) else home
    items = [item for item in _list(document, "items") if isinstance(item, dict)]
    shared = tuple(_names(document))
    return JsonFeed(
        title=_text(document, "title"),
        language=_text(document, "language"),
        entries=tuple(_entry(item, root, shared) for item in items[:limit]),
        next_url=web_url(_text(document, "next_url"), base) or "",
        ended=_get(document, "expired") is True,
        hubs=tuple(
            _text(hub, "url")
            for hub in _list(document, "hubs")
            if isinstance(hub, dict) and _text(hub, "type").casefold() == "websub"
        ),
        own_url=_text(document, "feed_url"),
    )


def _entry(item: dict[str, Any], base: str, shared_authors: tuple[str, ...]) -> Entry:
    stated = _text(item, "id")
    # The id should be the post's address, and some feeds give it nowhere else.
    link = _text(item, "url") or _text(item, "external_url") or (web_url(stated) or "")
    page = web_url(link, base) or base
    return Entry(
        id=stated,
        link=link,
        base=base,
        title=_text(item, "title"),
        summary=_escaped(_text(item, "summary")),
        content=_text(item, "content_html") or _escaped(_text(item, "content_text")),
        authors=tuple(_names(item)) or shared_authors,
        published_at=parse_date(_text(item, "date_published")) or parse_date(_text(item, "date_modified")),
        tags=tuple(tag for tag in _list(item, "tags") if isinstance(tag, str)),
        pictures=tuple(_pictures(item, page)),
        language=_text(item, "language"),
    )


def _names(item: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the authors, which are a list in version 1.1 and one object in version 1.0."""
    for author in (*_list(item, "authors"), _get(item, "author")):
        if name := _text(author, "name"):
            yield name


def _pictures(item: dict[str, Any], base: str) -> Iterator[Picture]:
    for name in ("image", "banner_image"):
        if url := web_url(_text(item, name), base):
            yield Picture(url=url)
    for attachment in _list(item, "attachments"):
        kind = _text(attachment, "mime_type")
        url = web_url(_text(attachment, "url"), base)
        if url and kind.startswith("image/"):
            width, height = (pixels(_get(attachment, name)) for name in ("width", "height"))
            yield Picture(url=url, kind=kind, width=width, height=height)


def _escaped(text: str) -> str:
    """Return plain text as HTML, so that "a < b" is not read as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _get(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _text(value: object, name: str) -> str:
    """Return a member as text. Some ids are numbers, so a number is accepted; other types count as empty."""
    found = _get(value, name)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found) if abs(found) < 10**30 else ""
    return found if isinstance(found, str) else ""


def _list(value: object, name: str) -> list[Any]:
    found = _get(value, name)
    return found if isinstance(found, list) else []
