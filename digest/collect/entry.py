"""One entry as any kind of feed gives it → one clean post."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

from digest.collect.clean import Body, Picture, plain, read_html
from digest.collect.images import choose
from digest.collect.prose import blurb, cut, feed_line, is_whole, sentences
from digest.links import canonical_url, web_url
from digest.model import Post
from digest.tags import fold

TITLE = 300  # characters
MADE_TITLE = 120  # characters of a title made from the text
TAGS = 30  # of one post
TAG = 60  # characters
AUTHOR = 100  # characters
KEY = 500  # characters; a longer key is replaced by its hash

_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
_EARLY = timedelta(days=1)  # clocks of publishers go wrong by hours
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
# What a system gives to posts nobody has filed, and what a newsroom marks for itself.
_NO_TAGS = """uncategorized, uncategorised, unkategorisiert, allgemein, non classé, sin categoría,
    sem categoria, senza categoria, geen categorie, bez kategorii, без рубрики, 未分类, 未分類,
    headline, featured, front page, frontpage, homepage, sticky"""
_DEFAULT_TAGS = frozenset(" ".join(name.split()) for name in _NO_TAGS.split(","))
_ADDRESS = re.compile(r"[(<]?[^\s@()<>]+@[^\s@()<>]+[)>]?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry as a feed gives it: every text may be HTML, every link relative, everything missing."""

    id: str = ""
    link: str = ""
    base: str = ""  # what links are relative to
    title: str = ""
    summary: str = ""
    content: str = ""
    authors: tuple[str, ...] = ()
    published_at: datetime | None = None
    tags: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()  # named by the feed as pictures of the post
    thumbnails: tuple[Picture, ...] = ()  # small versions, or of unknown size
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What every post of one document shares."""

    feed_id: str
    now: datetime
    tags: tuple[str, ...] = ()  # given by the operator to every post
    language: str | None = None


def clean_post(entry: Entry, source: Source) -> Post | None:
    """Make a post of an entry; None when it has neither a title nor a text nor a telling link."""
    url = web_url(entry.link, entry.base or None)
    bodies = [read_html(html, entry.base or None) for html in (entry.summary, entry.content)]
    paragraphs = _telling(bodies)
    image = choose(_pictures(entry, bodies))
    told = plain(entry.title, TITLE)
    title = told if _says_something(told) else _made_title(paragraphs, image.alt if image else "", url)
    if not title:
        return None
    published_at = _believable(entry.published_at, source.now)
    key = _key(entry.id, url, title, published_at)
    post = Post(
        id=post_id(source.feed_id, key),
        feed_id=source.feed_id,
        key=key,
        url=url,
        title=title,
        blurb=blurb(paragraphs, title),
        author=_author(entry.authors),
        published_at=published_at,
        first_seen_at=source.now,
        image=image,
        tags=_tags((*entry.tags, *source.tags)),
        language=language(entry.language) or source.language,
        fingerprint="",
    )
    return replace(post, fingerprint=fingerprint(post))


def without_doubles(posts: Iterable[Post]) -> tuple[Post, ...]:
    """Return the posts of one document, each once.

    An id that stands twice is one post, unless the links differ: then the publisher gives several
    entries the same id, and with each of them the link becomes part of the key.
    """
    found = tuple(posts)
    links: defaultdict[str, set[str]] = defaultdict(set)
    for post in found:
        if post.url:
            links[post.key].add(canonical_url(post.url))
    kept: dict[str, Post] = {}
    for post in found:
        told = _with_link(post) if len(links[post.key]) > 1 else post
        kept.setdefault(told.key, told)
    return tuple(kept.values())


def post_id(feed_id: str, key: str) -> str:
    """Return the id of a post, the same whenever the same entry of the same feed is met."""
    return _hash(f"{feed_id}\n{key}")[:24]


def fingerprint(post: Post) -> str:
    """Return a hash of what a reader sees of a post, to tell an edited one from an unchanged one."""
    image = post.image.url.partition("?")[0] if post.image else None  # sizes and signatures change daily
    seen = [post.title, post.blurb, post.url, post.author, image, post.tags]
    return _hash(json.dumps(seen, ensure_ascii=False))[:32]


def language(text: str) -> str | None:
    """Return a BCP 47 tag as a feed writes it, or None where it is none."""
    tag = text.strip().replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) else None


def _telling(bodies: Sequence[Body]) -> tuple[str, ...]:
    """Return the paragraphs to make a blurb of: the summary when it is prose, else the content."""
    summary, content = (_from_first_prose(body.paragraphs) for body in bodies)
    if summary and (is_whole(summary[0]) or len(sentences(summary[0])) > 1):
        return summary
    # A summary that breaks off in its first sentence is only the beginning of the content.
    if content and (not summary or is_whole(content[0])):
        return content
    return summary or content


def _from_first_prose(paragraphs: tuple[str, ...]) -> tuple[str, ...]:
    """Skip datelines, names and other scraps before the first paragraph that reads as"""
    for number, text in enumerate(paragraphs):
        if len(text) >= 80 or is_whole(text):
            return paragraphs[number:]
    return paragraphs


def _pictures(entry: Entry, bodies: Sequence[Body]) -> Iterator[Iterable[Picture]]:
    """Yield groups of pictures, best first: named ones by size, then each of the text in its order."""
    yield entry.pictures
    yield [picture for picture in entry.thumbnails if picture.width]
    for body in reversed(bodies):
        for picture in body.pictures:
            yield (picture,)
    yield entry.thumbnails


def _made_title(paragraphs: Sequence[str], alt: str, url: str | None) -> str:
    """Make a title for an untitled post: its first sentence, its picture's description, its link's words."""
    first = next((sentence for text in paragraphs for sentence in sentences(text)), "")
    words = _words_of(url) if url else ""
    return cut(next((text for text in (first, alt, words) if _says_something(text)), ""), MADE_TITLE)


def _words_of(url: str) -> str:
    """Return the last part of a link as words: "/2026/the-old-pier/" → "The old pier"."""
    last = unquote(urlsplit(url).path).rstrip("/").rsplit("/", 1)[-1].partition(".")[0]
    words = feed_line(re.sub(r"[-_+]+", " ", last))
    return words[:1].upper() + words[1:] if " " in words else ""


def _says_something(text: str) -> bool:
    return any(char.isalnum() or char > "\u2190" for char in text)


def _with_link(post: Post) -> Post:
    key = _bounded(f"{post.key} {canonical_url(post.url)}") if post.url else post.key
    return replace(post, id=post_id(post.feed_id, key), key=key)


def _believable(moment: datetime | None, now: datetime) -> datetime | None:
    if moment is None or not _OLDEST <= moment <= now + _EARLY:
        return None
    return moment


def _key(entry_id: str, url: str | None, title: str, published_at: datetime | None) -> str:
    """Return what this feed calls this entry: its id, else its link, else its title and date."""
    if stated := feed_line(entry_id):
        return _bounded(stated)
    if url:
        return _bounded(canonical_url(url))
    return _hash(f"{title}\n{published_at}")


def _bounded(key: str) -> str:
    return key if len(key) <= KEY else _hash(key)


def _author(names: Sequence[str]) -> str | None:
    """Join the names of a post's authors; mail addresses are nobody's name and are left out."""
    shown = (plain(_ADDRESS.sub("", name)) for name in names)
    # What is left of "address (Name)" is a name in brackets.
    bare = (name[1:-1] if name[:1] + name[-1:] == "()" else name for name in shown)
    return cut(", ".join(dict.fromkeys(filter(None, bare))), AUTHOR) or None


def _tags(written: Iterable[str]) -> tuple[str, ...]:
    """Return the tags people would read, each spelling once, as first written."""
    kept: dict[str, str] = {}
    for tag in map(plain, written):
        shown = tag.strip().lstrip("#").strip()
        machine = "|" in shown or "://" in shown
        if not machine and len(shown) <= TAG and (key := fold(shown)) and key not in _DEFAULT_TAGS:
            kept.setdefault(key, shown)
    return tuple(kept.values())[:TAGS]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
