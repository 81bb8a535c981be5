"""Read a web page without a feed: its structured data first, then its articles, then its main text.

A page that is one article gives one post. Any other page gives a post for each article that it lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import datetime
from itertools import islice

from digest.collect.reading.dates import parse_date
from digest.collect.reading.entry import Entry
from digest.collect.reading.html import HtmlElement, base_of, markup_of, source_of, tree_of
from digest.collect.reading.parse import Contents, Document
from digest.collect.reading.pictures.offers import Picture, pixels
from digest.collect.sources.linked_data import Article, read_linked_data
from digest.collect.sources.main_text import INSTALL, main_text
from digest.model.links import canonical_url, web_url

_SHORTEST = 150  # characters of a main text
_TEASER = 6_000  # characters of an article's markup in a list
_MOST = 500  # articles of a list that are looked at
_LINKED = "application/ld+json"
_HEADINGS = ("h1", "h2", "h3", "h4", "h5")

MainText = Callable[[str], str | None]


def read_page(document: Document, limit: int, find_text: MainText = main_text) -> Contents | str:
    """Return at most `limit` posts of a page, or a sentence that says why there are none; never raises."""
    root = tree_of(document)
    if root is None:
        return "The page is empty or is not HTML; correct the url."
    base = base_of(root, document.url)
    described = read_linked_data(_scripts(root), base)
    is_article = _is_article(root, described, document.url)
    entry = _article(root, described, base, document.url)
    listed = () if is_article else _listed(root, described, base, document.url)
    # Some sites call every page an article.
    if len(listed) > 1 or (listed and _meta(root, "og:type") != "article"):
        return Contents(entries=listed[:limit], language=root.get("lang") or "")
    if not (is_article or entry.content or entry.published_at):
        text = find_text(source_of(document))
        if text is None:
            return f"This page does not describe its articles; to read its main text, install: {INSTALL}"
        if len(text) < _SHORTEST:
            return "There is no article on this page that could be read; look for the site's feed address."
        entry = replace(entry, summary="", content=_paragraphs(text))
    return Contents(entries=(entry,), language=root.get("lang") or "")


def read_article(document: Document, find_text: MainText = main_text) -> Entry | None:
    """Return a page as one article, with its summary, its text or both; None if it has neither."""
    root = tree_of(document)
    if root is None:
        return None
    base = base_of(root, document.url)
    entry = _article(root, read_linked_data(_scripts(root), base), base, document.url)
    text = "" if entry.content else find_text(source_of(document)) or ""
    found = replace(entry, content=entry.content or (_paragraphs(text) if len(text) >= _SHORTEST else ""))
    return found if found.summary or found.content else None


# ── one article ─────────────────────────────────────────────────────────────────────────────


def _is_article(root: HtmlElement, described: Sequence[Article], url: str) -> bool:
    """Return whether a page is one article, although it may list others that are related."""
    alone = [each.entry for each in described if not each.listed]
    named = {canonical_url(entry.link) for entry in alone if entry.link}
    if named & _addresses(root, url) or _meta(root, "article:published_time"):
        return True
    return len(described) == len(alone) == 1


def _addresses(root: HtmlElement, url: str) -> set[str]:
    """Return the addresses of the page itself."""
    stated = [
        link.get("href") for link in root.iter("link") if (link.get("rel") or "").lower() == "canonical"
    ]
    found = (web_url(each, url) for each in (url, *stated, _meta(root, "og:url")))
    return {canonical_url(each) for each in found if each}


def _article(root: HtmlElement, described: Sequence[Article], base: str, url: str) -> Entry:
    """Return the page as an article: its structured data, and what its head says where that is silent."""
    own = _addresses(root, url)
    alone = [each.entry for each in described if not each.listed]
    named = [each for each in alone if each.link and canonical_url(each.link) in own]
    entry = next(iter(named or alone), Entry())
    whole = _joined(_joined(entry, _head(root, base)), Entry(content=_body(root)))
    return replace(whole, link=entry.link or url, base=base)


def _body(root: HtmlElement) -> str:
    """Return the markup of the article that has the title of the page, or is the only one; "" otherwise."""
    articles = list(root.iter("article"))
    titled = [each for each in articles if next(each.iter("h1"), None) is not None]
    found = titled or (articles if len(articles) == 1 else [])
    return markup_of(found[0]) if found else ""


def _head(root: HtmlElement, base: str) -> Entry:
    image = web_url(_meta(root, "og:image") or _meta(root, "twitter:image"), base)
    sizes = [pixels(_meta(root, f"og:image:{name}") or None) for name in ("width", "height")]
    heading = next((_text(each) for each in root.iter("h1")), "")
    authors = (_meta(root, "author"), _meta(root, "article:author"))
    tags = [_text(each) for each in root.iter("a") if "tag" in (each.get("rel") or "").split()]
    return Entry(
        title=_meta(root, "og:title") or heading or _text(root.find(".//title")),
        summary=_escaped(_meta(root, "og:description") or _meta(root, "description")),
        authors=tuple(name for name in authors if name and "://" not in name)[:1],
        published_at=parse_date(_meta(root, "article:published_time")) or _time(root),
        tags=(*_metas(root, "article:section"), *_metas(root, "article:tag"), *tags),
        pictures=(Picture(url=image, width=sizes[0], height=sizes[1]),) if image else (),
    )


def page_pictures(document: Document) -> tuple[Picture, ...]:
    """Return the picture that the head of a page names for link previews; never raises."""
    root = tree_of(document)
    return () if root is None else _head(root, base_of(root, document.url)).pictures


# ── a list of articles ──────────────────────────────────────────────────────────────────────


def _listed(root: HtmlElement, described: Sequence[Article], base: str, url: str) -> tuple[Entry, ...]:
    """Return the articles of a list, each once, with what its data and its markup say together."""
    own = _addresses(root, url)
    found: dict[str, Entry] = {}
    for entry in (*(each.entry for each in described), *_in_markup(root, base)):
        if entry.link:
            key = canonical_url(entry.link)
            found[key] = _joined(found[key], entry) if key in found else entry
    return tuple(entry for key, entry in found.items() if entry.title and key not in own)


def _in_markup(root: HtmlElement, base: str) -> Iterator[Entry]:
    """Yield the entries that the markup shows: articles, or else what stands around dates."""
    articles = [each for each in root.iter("article") if next(each.iterancestors("article"), None) is None]
    dated = [] if articles else [each.getparent() for each in root.iter("time") if each.get("datetime")]
    around = (found for each in dated[:_MOST] if (found := _around(each)) is not None)
    for element in articles[:_MOST] or around:
        if entry := _teaser(element, base, alone=len(articles) == 1):
            yield entry


def _around(element: HtmlElement | None) -> HtmlElement | None:
    """Return the smallest element around a date that has a link; None if it has other dates too."""
    while element is not None and len(list(islice(element.iter("time"), 2))) == 1:
        if any(_text(link) for link in element.iter("a")):
            return element
        element = element.getparent()
    return None


def _teaser(element: HtmlElement, base: str, *, alone: bool) -> Entry | None:
    """Return the article that an element leads to; if it is `alone` and its heading has no link, None."""
    heading = next(element.iter(*_HEADINGS), None)
    links = [] if heading is None else [*heading.iter("a"), *heading.iterancestors("a")]
    others = [] if alone and heading is not None else element.iter("a")
    link = next((each for each in (*links, *others) if each.get("href")), None)
    url = web_url(link.get("href"), base) if link is not None else None
    title = _text(heading if heading is not None else link)
    if not (url and title):
        return None
    published_at = _time(element)
    shown = [*element.iter(*_HEADINGS, "time"), *([link] if link is not None and heading is None else [])]
    for each in shown:
        if each is not element and each.getparent() is not None:
            each.drop_tree()  # so that it is not a part of the blurb
    tags = [_text(each) for each in element.iter("a") if "tag" in (each.get("rel") or "").split()]
    markup = markup_of(element)
    return Entry(
        link=url,
        base=base,
        title=_escaped(title),
        summary=markup if len(markup) <= _TEASER else "",
        published_at=published_at,
        tags=tuple(tags),
    )


# ── elements ────────────────────────────────────────────────────────────────────────────────


def _scripts(root: HtmlElement) -> Iterator[str]:
    for script in root.iter("script"):
        if (script.get("type") or "").strip().lower() == _LINKED:
            yield script.text or ""


def _meta(root: HtmlElement, name: str) -> str:
    return next(_metas(root, name), "")


def _metas(root: HtmlElement, name: str) -> Iterator[str]:
    for each in root.iter("meta"):
        if name in (each.get("property"), each.get("name")) and (
            content := (each.get("content") or "").strip()
        ):
            yield content


def _time(root: HtmlElement) -> datetime | None:
    return next(
        (found for each in root.iter("time") if (found := parse_date(each.get("datetime") or ""))), None
    )


def _joined(entry: Entry, other: Entry) -> Entry:
    """Return an entry with the values of another where it has none."""
    empty = {each.name for each in fields(Entry) if not getattr(entry, each.name)}
    return replace(entry, **{name: getattr(other, name) for name in empty})


def _text(element: HtmlElement | None) -> str:
    return " ".join(str(element.text_content()).split()) if element is not None else ""


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_escaped(line)}</p>" for line in text.splitlines())
