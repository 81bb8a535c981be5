"""Read the articles that a web page describes in JSON-LD (schema.org), alone or in lists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from digest.collect.reading.dates import parse_date
from digest.collect.reading.entry import Entry
from digest.collect.reading.pictures.offers import Picture, pixels
from digest.model.links import web_url

_LONGEST = 1_000_000  # characters of one script
_DEEPEST = 8  # things within things
_MOST = 500  # articles, and values of one list
_ARTICLE = re.compile(r"(?:^|[/:])(?:\w*Article|\w*Posting|Report)$")
_LISTS = ("itemListElement", "blogPost", "blogPosts", "hasPart")
_NOT_POSTS = frozenset(["BreadcrumbList", "SiteNavigationElement"])

Thing = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """An article that a page describes; `listed` means that it is one of a list."""

    entry: Entry
    listed: bool = False


def read_linked_data(scripts: Iterable[str], base: str) -> tuple[Article, ...]:
    """Return the articles of a page's scripts, in their order; what cannot be read is left out."""
    found: list[Article] = []
    for script in scripts:
        for thing, listed in _things(_parsed(script), 0, listed=False):
            if len(found) < _MOST and (entry := _entry(thing, base)):
                found.append(Article(entry=entry, listed=listed))
    return tuple(found)


def _parsed(script: str) -> object:
    text = script.strip().removeprefix("<!--").removesuffix("-->").removeprefix("//<![CDATA[").strip()
    try:
        # Not strict, because publishers write line breaks into texts.
        return json.loads(text.removesuffix("//]]>"), strict=False) if len(text) <= _LONGEST else None
    except (ValueError, RecursionError):
        return None


def _things(value: object, depth: int, *, listed: bool) -> Iterator[tuple[Thing, bool]]:
    """Yield the things that may be articles, each with whether it is in a list."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in value[:_MOST]:
            yield from _things(each, depth + 1, listed=listed)
    elif isinstance(value, dict) and not _NOT_POSTS & set(_types(value)):
        yield value, listed
        for name in ("@graph", "mainEntity", "item"):
            yield from _things(value.get(name), depth + 1, listed=listed)
        for name in _LISTS:
            yield from _things(value.get(name), depth + 1, listed=True)


def _entry(thing: Thing, base: str) -> Entry | None:
    types = list(_types(thing))
    is_article = any(map(_ARTICLE.search, types))
    # A list for search engines may name no more than addresses and titles.
    if not is_article and not ("ListItem" in types and thing.get("name") and "item" not in thing):
        return None
    links = (thing.get("url"), _get(thing.get("mainEntityOfPage"), "@id"), thing.get("@id"))
    dates = (thing.get("datePublished"), thing.get("dateCreated"))
    return Entry(
        link=next((found for link in links if (found := web_url(_text(link), base))), ""),
        base=base,
        title=_text(thing.get("headline")) or _text(thing.get("name")),
        summary=_text(thing.get("description")),
        content=_paragraphs(_text(thing.get("articleBody"))),
        authors=tuple(_names(thing.get("author"))),
        published_at=next((at for date in dates if (at := parse_date(_text(date)))), None),
        tags=(*_names(thing.get("articleSection")), *_keywords(thing.get("keywords"))),
        pictures=tuple(_pictures(thing.get("image"), base)),
        language=_text(thing.get("inLanguage")),
    )


def _types(thing: Thing) -> Iterator[str]:
    yield from map(_text, _list(thing.get("@type")))


def _keywords(value: object) -> Iterator[str]:
    for name in _names(value):
        yield from name.split(",")


def _names(value: object) -> Iterator[str]:
    """Yield the names of things, each of which may be only a text."""
    for each in _list(value):
        if name := _text(_get(each, "name")):
            yield name


def _pictures(value: object, base: str) -> Iterator[Picture]:
    for each in _list(value):
        written = _text(_get(each, "url")) or _text(_get(each, "contentUrl"))
        sizes = (
            [pixels(each.get(name)) for name in ("width", "height")] if isinstance(each, dict) else [None] * 2
        )
        if url := web_url(written, base):
            yield Picture(url=url, width=sizes[0], height=sizes[1])


def _paragraphs(text: str) -> str:
    """Return a text as HTML, unless it is HTML already."""
    if "</" in text or not text:
        return text
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"<p>{line}</p>" for line in escaped.split("\n"))


def _get(value: object, name: str) -> object:
    """Return a property of a thing; a text stands for the thing itself."""
    return value.get(name) if isinstance(value, dict) else value


def _list(value: object) -> list[object]:
    return value[:_MOST] if isinstance(value, list) else [value]


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
