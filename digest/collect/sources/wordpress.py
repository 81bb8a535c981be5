"""Read a WordPress site by its REST interface, which tells categories from tags, or else by its feed.

The interface is `wp-json/wp/v2/posts`, or `?rest_route=/wp/v2/posts` where addresses are not rewritten. A
post has the same identity in it and in the feed: the guid, the link, the title and the time are the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from digest.collect.reading.dates import parse_date
from digest.collect.reading.entry import Entry
from digest.collect.reading.parse import Contents
from digest.collect.reading.pictures.offers import Picture, pixels
from digest.model.links import is_rest, web_url

PAGE = 20  # posts of one answer; the site makes each of them with its pictures and terms
_ROUTE = "/wp/v2/posts"
_ROOT = "/wp-json"
_WANTED = {
    "per_page": str(PAGE),
    "_embed": "author,wp:term,wp:featuredmedia",
    # `_embed` has no effect without `_links`.
    "_fields": "id,status,date_gmt,guid,link,title,excerpt,content,_links,_embedded",
}
_SAME_SHAPE = 0.02  # difference between the ratios of two sizes of one picture, by rounding

Query = list[tuple[str, str]]


def addresses(url: str) -> tuple[str, ...]:
    """Return the addresses where a site may have its posts, best first; `url` may be any of them.

    If the address asks for special posts, such as those of one category, no other address has the same.
    """
    root, query = _root(url)
    if is_rest(url) and _is_special(url):
        return (_with(url, _WANTED),)
    rewritten, plain = _at(root, f"{_ROOT}{_ROUTE}"), _with(_at(root, "/"), {"rest_route": _ROUTE})
    # Below the root of a site, `rest_route` would give the posts of the whole site.
    rest = [rewritten, plain] if urlsplit(root).path in ("", "/") or _is_plain(query) else [rewritten]
    feeds = [_at(root, "/feed/"), _with(_at(root, "/"), {"feed": "rss2"})]
    if _is_plain(query):
        rest.reverse()
        feeds.reverse()
    return (*(_with(address, _WANTED) for address in rest), *feeds)


def page_url(url: str, number: int) -> str:
    """Return the address of a later page of posts."""
    return _with(url, {"page" if is_rest(url) else "paged": str(number)}, replaced=True)


def read_posts(body: bytes, base: str, limit: int) -> Contents | str:
    """Return at most `limit` posts of an answer, or a sentence that says what is wrong; never raises."""
    try:
        found = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return "This is not the answer of a REST interface of WordPress."
    if not isinstance(found, list):
        return "The REST interface of this site has no posts for us; set another source or url."
    posts = [post for post in found if isinstance(post, dict) and post.get("status", "publish") == "publish"]
    if found and not any("title" in post and "link" in post for post in posts):
        return "The REST interface of this site gives something else than posts; correct the url."
    return Contents(
        entries=tuple(_entry(post, base) for post in posts[:limit]), generator="WordPress, REST interface"
    )


def _entry(post: Mapping[str, Any], base: str) -> Entry:
    embedded = post.get("_embedded")
    title = _text(post, "title", "rendered")
    # The interface leaves this word out of the title, the feed does not.
    closed = _get(post, "content", "protected") is True or _get(post, "excerpt", "protected") is True
    return Entry(
        id=unescape(_text(post, "guid", "rendered")),
        link=_text(post, "link"),
        base=_text(post, "link") or base,
        title=f"Protected: {title}" if closed else title,
        summary=_text(post, "excerpt", "rendered"),
        content=_text(post, "content", "rendered"),
        authors=tuple(filter(None, (_text(each, "name") for each in _list(embedded, "author")))),
        published_at=parse_date(f"{date}Z") if (date := _text(post, "date_gmt")) else None,
        tags=tuple(_terms(embedded)),
        pictures=tuple(_pictures(_list(embedded, "wp:featuredmedia"), base)),
    )


def _terms(embedded: object) -> Iterator[str]:
    """Yield the categories, each before its subcategories, and then the tags."""
    terms = [term for group in _list(embedded, "wp:term") if isinstance(group, list) for term in group]
    categories = [term for term in terms if _text(term, "taxonomy") == "category"]
    tags = [term for term in terms if _text(term, "taxonomy") == "post_tag"]
    for term in (*_parents_first(categories), *tags):
        if name := _text(term, "name"):
            yield name


def _parents_first(categories: Sequence[object]) -> list[object]:
    """Return a post's categories in the order of the site, but subcategories after other categories."""
    # The address of a subcategory begins with that of its category: /category/sport/sailing/.
    parents = [_text(each, "link").rstrip("/") + "/" for each in categories]
    depths = [sum(link.startswith(other) and link != other for other in parents) for link in parents]
    return [each for _, each in sorted(zip(depths, categories, strict=True), key=lambda pair: pair[0])]


def _pictures(media: Sequence[object], base: str) -> Iterator[Picture]:
    """Yield a post's picture in each of its sizes that shows the whole picture."""
    for item in media[:1]:
        details, alt = _get(item, "media_details"), _text(item, "alt_text")
        full, sizes = _size(details), _get(details, "sizes")
        for each in (item, *(sizes.values() if isinstance(sizes, dict) else ())):
            size = full if each is item else _size(each)
            if (url := web_url(_text(each, "source_url"), base)) and _has_one_shape(full, size):
                kind = _text(each, "mime_type")
                yield Picture(url=url, alt=alt, kind=kind, width=size[0], height=size[1])


def _size(value: object) -> tuple[int | None, int | None]:
    return pixels(_get(value, "width")), pixels(_get(value, "height"))


def _has_one_shape(one: tuple[int | None, int | None], other: tuple[int | None, int | None]) -> bool:
    """Return whether two sizes have one ratio, or this cannot be known; another ratio is a cut-out."""
    if not (all(one) and all(other)):
        return True
    left, right = ((size[0] or 1) / (size[1] or 1) for size in (one, other))
    return abs(left - right) <= _SAME_SHAPE * left


# ── addresses ───────────────────────────────────────────────────────────────────────────────


def _root(url: str) -> tuple[str, Query]:
    """Return the address of the site without its query, and the query."""
    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}/".partition(f"{_ROOT}/")[0].rstrip("/").removesuffix("/feed")
    return urlunsplit((parts.scheme, parts.netloc, path, "", "")), parse_qsl(parts.query)


def _is_plain(query: Query) -> bool:
    return any(name in ("rest_route", "feed") for name, _ in query)


def _is_special(url: str) -> bool:
    """Return whether a REST address asks for other posts than the newest of the whole site."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    route = query.pop("rest_route", "") or parts.path.partition(_ROOT)[2]
    return route.strip("/") not in ("", "wp/v2", _ROUTE.strip("/")) or not query.keys() <= _WANTED.keys()


def _at(root: str, path: str) -> str:
    return f"{root.rstrip('/')}{path}"


def _with(url: str, wanted: Mapping[str, str], *, replaced: bool = False) -> str:
    """Return an address with more parameters; those that it has already stay unless they are `replaced`."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    kept = [pair for pair in query if not (replaced and pair[0] in wanted)]
    new = [pair for pair in wanted.items() if pair[0] not in dict(kept)]
    return urlunsplit(parts._replace(query=urlencode([*kept, *new], safe="/,:")))


# ── values of any type ──────────────────────────────────────────────────────────────────────


def _get(value: object, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: object, *names: str) -> str:
    found = _get(value, *names)
    return found if isinstance(found, str) else ""


def _list(value: object, name: str) -> Sequence[object]:
    found = _get(value, name)
    return found if isinstance(found, list) else ()
