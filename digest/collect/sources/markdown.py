"""Read a folder of Markdown files with front matter: Jekyll, Hugo, Eleventy, Astro, Zola, Pelican."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import frontmatter.default_handlers
import yaml
from markdown_it import MarkdownIt

from digest.collect.fetching.folder import File, Folder
from digest.collect.reading.dates import parse_date
from digest.collect.reading.encoding import decode
from digest.collect.reading.entry import Entry
from digest.collect.reading.parse import Contents
from digest.collect.reading.pictures.offers import Picture
from digest.model.links import web_url
from digest.model.tags import slug

_HEAD = 20_000  # characters of front matter
_BODY = 2_000  # characters of the text from which the blurb is made
_VALUES = 50  # of one list

# Only texts, lists and tables are made, so "no" stays a word, and an impossible date is no error.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_YAML = frontmatter.default_handlers.YAMLHandler()
_MARKDOWN = MarkdownIt("commonmark").enable("strikethrough")

_TOML = re.compile(r"\+\+\+[ \t]*\n(.*?)\n\+\+\+[ \t]*(?:\n|\Z)(.*)", re.DOTALL)
_KEY = re.compile(r"([A-Za-z][A-Za-z_-]{0,30}):[ \t]*(.*)")
_HEADING = re.compile(r"\s*#[ \t]+([^\n]{1,300})")
_CODE = re.compile(r"\{\{.{0,2000}?\}\}|\{%.{0,2000}?%\}", re.DOTALL)  # shortcodes, and Liquid or Nunjucks
_NAMED = re.compile(r"(?:^|/)(\d{4}-\d\d-\d\d)[-_]?([^/]*)$")
_DATES = ("date", "pubdate", "publishdate", "published", "published_at", "created")
_LINKS = ("canonical_url", "canonical", "permalink", "url", "link")
_TEXTS = ("summary", "description", "excerpt", "subtitle")
_PICTURES = ("image", "cover", "cover_image", "featured_image", "heroimage", "banner", "thumbnail", "images")
_SECTIONS = ("category", "categories", "section", "sections")
_TAGS = ("tag", "tags", "keywords")

Fields = Mapping[str, Any]  # the keys in lower case; the values are texts, lists and tables


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    """A file that has been read: an entry, a reason to skip it, or neither if it is not a post."""

    entry: Entry | None = None
    refusal: str = ""


def read_markdown(folder: Folder, link: str, now: datetime) -> Contents:
    """Return the posts of a folder that are published by `now`; nothing is raised.

    `link` makes the address of a post without one: "https://harbour.example.org/{year}/{slug}/".
    """
    posts = [(file, _post(file, link)) for file in folder.files]
    refusals = [f"{file.name} {post.refusal}" for file, post in posts if post.refusal]
    entries = [post.entry for _, post in posts if post.entry]
    due = [entry for entry in entries if entry.published_at is None or entry.published_at <= now]
    return Contents(entries=due, unread=(*folder.skipped, *refusals), later=len(due) < len(entries))


@lru_cache(maxsize=1_000)
def _post(file: File, link: str) -> _Post:
    text = decode(file.data, "text/markdown")
    if text is None or "\x00" in text:
        return _Post(refusal="is not text in UTF-8")
    try:
        fields, body = _parts(text.replace("\r\n", "\n"))
    except (ValueError, TypeError, yaml.YAMLError, RecursionError):
        return _Post(refusal="has front matter that cannot be read")
    if not fields or _is_hidden(fields):
        return _Post()
    return _Post(entry=_entry(file.name, fields, body, link))


# ── front matter ────────────────────────────────────────────────────────────────────────────


def _parts(text: str) -> tuple[Fields, str]:
    """Return the fields and the body of a file; there are no fields if there is no front matter."""
    if text.startswith("---"):
        written, body = _YAML.split(text)
        found = _YAML.load(_bounded(written), Loader=_LOADER)
        return _lower(found if isinstance(found, dict) else {}), body
    if toml := _TOML.match(text):
        return _lower(tomllib.loads(_bounded(toml[1]))), toml[2]
    return _pelican(text)


def _bounded(written: str) -> str:
    if len(written) > _HEAD:
        raise ValueError("too long")
    return written


def _pelican(text: str) -> tuple[Fields, str]:
    """Return the `Key: value` lines at the beginning of a file, if a title is among them."""
    head, _, body = text.partition("\n\n")
    lines = [_KEY.fullmatch(line.strip()) for line in head[:_HEAD].splitlines()]
    fields = {line[1].lower(): line[2] for line in lines if line}
    return (fields, body) if "title" in fields and all(lines) else ({}, text)


def _lower(found: Mapping[Any, Any]) -> Fields:
    """Return fields by their names in lower case; those of Zola's tables stand beside the others."""
    fields = {str(name).lower(): value for name, value in found.items()}
    for table in ("extra", "taxonomies"):
        inner = fields.get(table)
        if isinstance(inner, dict):
            fields = {**{str(name).lower(): value for name, value in inner.items()}, **fields}
    return fields


def _is_hidden(fields: Fields) -> bool:
    """Return whether a file is a draft, or is left out of its site."""
    stated = {name: _text(fields.get(name)).lower() for name in ("draft", "published", "status", "private")}
    return (
        "true" in (stated["draft"], stated["private"])
        or stated["published"] == "false"
        or stated["status"] in ("draft", "hidden", "private", "skip")
        or _text(fields.get("eleventyexcludefromcollections")).lower() == "true"
    )


# ── entries ─────────────────────────────────────────────────────────────────────────────────


def _entry(name: str, fields: Fields, body: str, link: str) -> Entry:
    path = name.rpartition(".")[0].removesuffix("/index")
    named = _NAMED.search(path)
    dates = [*_texts(fields, _DATES), named[1] if named else ""]
    published_at = next((found for text in dates if (found := parse_date(text))), None)
    stem = (named[2] if named else "") or path.rpartition("/")[2]
    heading = _HEADING.match(body)
    title = _text(fields.get("title")) or (heading[1] if heading else "")
    entry = Entry(
        id=name,
        title=str(_MARKDOWN.renderInline(title or stem.replace("-", " ").capitalize())),
        summary=_html(next(_texts(fields, _TEXTS), "")),
        content=_html(body),
        authors=tuple(_names(fields, ("author", "authors"))),
        published_at=published_at,
        tags=tuple(_tags(fields, spaced=bool(named))),
        language=next(_texts(fields, ("lang", "language", "locale")), ""),
    )
    values = {"slug": _text(fields.get("slug")) or slug(stem) or stem, "path": path}
    address = _address(fields, _filled(link, values, published_at), link)
    return replace(entry, link=address, base=address, pictures=tuple(_pictures(fields, address or link)))


def _filled(link: str, values: Mapping[str, str], at: datetime | None) -> str:
    """Return the address that the operator's pattern gives, or "" if the pattern names a missing date."""
    dated = {"year": f"{at:%Y}", "month": f"{at:%m}", "day": f"{at:%d}"} if at else {}
    for place, value in {**values, **dated}.items():
        link = link.replace(f"{{{place}}}", quote(value))
    return "" if "{" in link else link


def _address(fields: Fields, made: str, link: str) -> str:
    """Return the address that the file states, or else the one that was made for it."""
    base = re.sub(r"\{.*", "", link)
    for text in _texts(fields, _LINKS):
        # Jekyll's patterns (/:year/:title/), Eleventy's code, and `permalink: false` are not addresses.
        if "/:" not in text and "{" not in text and "/" in text and (found := web_url(text, base or None)):
            return found
    return web_url(made) or ""


def _pictures(fields: Fields, base: str) -> Iterator[Picture]:
    for name in _PICTURES:
        value = fields.get(name)
        value = value[0] if isinstance(value, list) and value else value
        inner = _lower(value) if isinstance(value, dict) else {"src": value}
        written = next(_texts(inner, ("src", "url", "image", "path")), "")
        if url := web_url(written, re.sub(r"\{.*", "", base) or None):
            yield Picture(url=url, alt=_text(inner.get("alt")) or _text(inner.get("caption")))


def _tags(fields: Fields, *, spaced: bool) -> Iterator[str]:
    """Yield the categories, then the tags; in a text, Jekyll separates them by spaces, others by commas."""
    for name in (*_SECTIONS, *_TAGS):
        value = fields.get(name)
        if isinstance(value, str):
            several = spaced and name not in ("category", "section")
            yield from value.split(",") if "," in value else value.split() if several else [value]
        else:
            yield from _names(fields, (name,))


def _names(fields: Fields, keys: tuple[str, ...]) -> Iterator[str]:
    """Yield the texts of fields that hold a text, a table with a name, or a list of these."""
    for key in keys:
        value = fields.get(key)
        for each in (value if isinstance(value, list) else [value])[:_VALUES]:
            if text := _text(each.get("name") if isinstance(each, dict) else each):
                yield text


def _texts(fields: Fields, keys: tuple[str, ...]) -> Iterator[str]:
    return (text for key in keys if (text := _text(fields.get(key))))


def _text(value: object) -> str:
    """Return a single value as text; "" for lists, tables and nothing."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, date | int | float):
        return str(value)
    return value.strip() if isinstance(value, str) and value not in ("null", "~") else ""


def _html(text: str) -> str:
    """Return Markdown as HTML, which is as untrusted as that of a feed."""
    short = _CODE.sub("", text[: 2 * _BODY])
    return str(
        _MARKDOWN.render(
            short if len(short) <= _BODY else short[:_BODY].rpartition("\n\n")[0] or short[:_BODY]
        )
    )
